"""The service's protocol as scripts: what is asked, in which order, what is tried again, and what the answers mean.

Nothing here opens a connection or waits; `Client` and `AsyncClient` play these scripts.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.sdk.exchange import Answer, Call, Lost, Pause, Script, Send
from cinelet.sdk.job import RemoteJob
from cinelet.sdk.problem import error_of
from cinelet.sdk.retry import RetryPolicy
from cinelet.video import VideoRequest, check_integer

ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""What may stand in a path. The service's own form is narrower; this keeps out what would change the path."""
KEY = re.compile(r"[\x21-\x7e]{1,255}")
MAX_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of jobs, newest first; `after` of the next page is `last_id`, where `has_more` says that there is one."""

    jobs: tuple[RemoteJob, ...]
    has_more: bool

    @property
    def last_id(self) -> str | None:
        """The id to go on after."""
        return self.jobs[-1].id if self.jobs else None


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Makes scripts. `url` stands in messages only; clock (`now`: unix seconds, `clock`: monotonic), chance and keys are passed in."""

    url: str
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(random=Random().random, now=time.time))
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    new_key: Callable[[], str] = lambda: str(uuid.uuid4())

    def submit(self, request: VideoRequest, extra: Mapping[str, Any] | None, key: str | None) -> Script[RemoteJob]:
        """`POST /videos`. The key makes every repetition of the call the same job."""
        return self._job(self.post("/videos", body_of(request, extra), key))

    def get_job(self, job_id: str) -> Script[RemoteJob]:
        """`GET /videos/{id}`."""
        return self._job(Call(method="GET", path=path_of(job_id)))

    def cancel(self, job_id: str) -> Script[RemoteJob]:
        """`POST /videos/{id}/cancel`."""
        return self._job(self.post(path_of(job_id) + "/cancel"))

    def retry_job(self, job_id: str, key: str | None) -> Script[RemoteJob]:
        """`POST /videos/{id}/retry`."""
        return self._job(self.post(path_of(job_id) + "/retry", key=key))

    def delete(self, job_id: str) -> Script[None]:
        """`DELETE /videos/{id}`. Not found after an attempt whose answer was lost means that attempt did it."""
        yield from self.answer(Call(method="DELETE", path=path_of(job_id)), done_after_retry=404)

    def list_jobs(self, after: str | None, limit: int) -> Script[Page]:
        """`GET /videos`."""
        check_integer("limit", limit, 1, MAX_PAGE)
        params: dict[str, str | int] = {"limit": limit} if after is None else {"limit": limit, "after": after}
        data = yield from self._json(Call(method="GET", path="/videos", params=params))
        jobs = data.get("data") if isinstance(data, Mapping) else None
        if not isinstance(jobs, list):
            raise UnavailableError("url: the service answers, but not with a list; is it a cinelet service?")
        return Page(jobs=tuple(RemoteJob.from_json(job) for job in jobs), has_more=data.get("has_more") is True)

    def estimate(self, request: VideoRequest, extra: Mapping[str, Any] | None) -> Script[dict[str, Any]]:
        """`POST /videos/estimate`."""
        return self._object(self.post("/videos/estimate", body_of(request, extra)))

    def models(self) -> Script[list[dict[str, Any]]]:
        """`GET /videos/models`."""
        data = yield from self._object(Call(method="GET", path="/videos/models"))
        models = data.get("data")
        return models if isinstance(models, list) else []

    def post(self, path: str, body: Mapping[str, Any] | None = None, key: str | None = None) -> Call:
        """A POST under an idempotency key: the caller's, or a fresh one."""
        key = self.new_key() if key is None else key
        if not KEY.fullmatch(key):
            raise InvalidValueError("idempotency_key", key, "must be 1 to 255 visible ASCII characters")
        return Call(method="POST", path=path, json=body, headers={"idempotency-key": key})

    def answer(self, call: Call, *, done_after_retry: int | None = None) -> Script[Answer]:
        """A good answer to `call`, tried again as the retry policy says. Raises the error that the last attempt means."""
        num_failures = 0
        while True:
            outcome = yield Send(call)
            if isinstance(outcome, Answer) and (200 <= outcome.status < 300 or (num_failures and outcome.status == done_after_retry)):
                return outcome
            delay_s = self.retry.delay_s(outcome, num_failures)
            if delay_s is None:
                raise self.error(outcome)
            yield Pause(delay_s)
            num_failures += 1

    def error(self, outcome: Answer | Lost) -> Exception:
        """What a failed attempt means."""
        if isinstance(outcome, Lost):
            return UnavailableError(f"url: {self.url} does not answer; {outcome.reason}")
        return error_of(outcome, self.now())

    def _job(self, call: Call) -> Script[RemoteJob]:
        data = yield from self._json(call)
        return RemoteJob.from_json(data)

    def _object(self, call: Call) -> Script[dict[str, Any]]:
        data = yield from self._json(call)
        if not isinstance(data, dict):
            raise UnavailableError("url: the service answers, but not with an object; is it a cinelet service?")
        return data

    def _json(self, call: Call) -> Script[Any]:
        answer = yield from self.answer(call)
        return parse(answer.body)


def parse(body: bytes) -> Any:
    """The JSON of an answer. Raises `UnavailableError` where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnavailableError("url: the service answers, but not in JSON; is it a cinelet service?", detail=repr(body[:500])) from error


def path_of(job_id: str) -> str:
    """The path of a job. Raises `InvalidValueError` for what cannot be an id."""
    if not isinstance(job_id, str) or not ID.fullmatch(job_id):
        raise InvalidValueError("id", job_id, "must be a job's id, such as video_local_01J9ZX3V0Q8M5T6W7Y2R4K1N0B")
    return f"/videos/{job_id}"


def body_of(request: VideoRequest, extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """The request as JSON: what it leaves to the model is left out; `extra` adds fields that a `VideoRequest` does not have."""
    body = {name: value for name, value in asdict(request).items() if value is not None}
    if request.variation_seed is None:
        del body["variation_strength"]
    del body["loras"]
    if request.loras:
        body["loras"] = [{"name": use.name, "scale": use.scale} for use in request.loras]
    return body | {name: value for name, value in (extra or {}).items() if value is not None}
