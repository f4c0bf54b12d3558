"""A service under load, over HTTP: hand in, look, nothing more. It knows only what every service of the videos API knows.

Forms go out as multipart, as the stock clients send them. Submissions and looks have connections of their own, so that a service
which answers looks slowly does not hold up submissions. Nothing is tried again here: a load probe reports, it does not mend.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from cinelet.errors import AuthenticationError, PermissionDeniedError, UnavailableError
from cinelet.sdk.exchange import Lost
from cinelet.sdk.retry import retry_after_s

CONNECT_TIMEOUT_S = 10.0
MAX_LOOKS_AT_ONCE = 64
"""Looks may wait for one another; submissions may not."""
MAX_REASON_CHARS = 200
DONE = frozenset({"completed", "succeeded"})
GIVEN_UP = frozenset({"failed", "cancelled", "canceled", "expired", "aborted", "error", "rejected"})
"""Other words than `completed` and `failed` are no part of the contract, and some services say them."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One answer of the service, as far as a load probe reads it. `body` is empty where it was no JSON object."""

    status: int
    body: Mapping[str, Any]
    retry_after_s: float | None = None

    @property
    def is_good(self) -> bool:
        """Whether the service did what it was asked."""
        return 200 <= self.status < 300

    @property
    def word(self) -> str:
        """The status of the video: `queued`, `in_progress`, `completed`, `failed`, or another service's word."""
        return str(self.body.get("status", ""))

    @property
    def job_id(self) -> str | None:
        """The video's id."""
        job_id = self.body.get("id")
        return job_id if isinstance(job_id, str) and job_id else None

    @property
    def eta_s(self) -> float | None:
        """What the service quotes until the end, where it does."""
        eta_s = self.body.get("eta_seconds")
        return float(eta_s) if isinstance(eta_s, (int, float)) and not isinstance(eta_s, bool) and eta_s >= 0 else None

    @property
    def reason(self) -> str:
        """Why there will be no video, in a few words to count by."""
        error = self.body.get("error")
        told = error.get("code") or error.get("message") if isinstance(error, Mapping) else error
        prefix = "" if self.is_good else f"{self.status} "
        return (prefix + (told if isinstance(told, str) else self.word))[:MAX_REASON_CHARS].strip()


class Endpoint:
    """Calls of one service, open in an `async with` block. `url` ends in `/v1`; `key_of` gives the API key of a tier."""

    def __init__(
        self,
        url: str,
        key_of: Callable[[str], str | None],
        *,
        max_submissions: int,
        http: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self._key_of = key_of
        timeout = httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S)
        common: dict[str, Any] = {"base_url": url, "timeout": timeout, "follow_redirects": True, "transport": http}
        common["headers"] = {"user-agent": "cinelet-load", "accept": "application/json"}
        self._submitter = httpx2.AsyncClient(**common, limits=httpx2.Limits(max_connections=max_submissions))
        self._looker = httpx2.AsyncClient(**common, limits=httpx2.Limits(max_connections=MAX_LOOKS_AT_ONCE))

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        await self._submitter.aclose()
        await self._looker.aclose()

    async def check(self, tiers: Collection[str], timeout_s: float) -> None:
        """Raise `UnavailableError` where nobody answers, `AuthenticationError` or `PermissionDeniedError` where a key is not taken.

        Asks for the list of models; a service that has none answers in its own way, and that is an answer too.
        """
        for key, tier in {self._key_of(tier): tier for tier in tiers}.items():
            try:
                request = self._looker.build_request("GET", "models", headers=_authorization(key), timeout=timeout_s)
                response = await self._looker.send(request)
            except httpx2.RequestError as error:
                reason = str(error) or type(error).__name__
                raise UnavailableError(f"url: {self.url} cannot be reached; {reason}") from error
            if response.status_code == httpx2.codes.UNAUTHORIZED:
                raise AuthenticationError(f"api_key: {self.url} does not take the key for tier {tier}")
            if response.status_code == httpx2.codes.FORBIDDEN:
                raise PermissionDeniedError(f"api_key: {self.url} forbids the key for tier {tier} to list models")

    async def submit(self, fields: Mapping[str, str], tier: str, on_sent: Callable[[], None]) -> View | Lost:
        """`POST /videos`. `on_sent` is called once, when the request has a connection: waiting for one is the sender's lag."""
        pending = [on_sent]

        async def heard(event: str, _: Mapping[str, Any]) -> None:
            if pending and event.endswith(".started"):
                pending.pop()()

        form = {name: (None, value.encode()) for name, value in fields.items()}
        return await _call(
            self._submitter, "POST", "videos", files=form, headers=_authorization(self._key_of(tier)), extensions={"trace": heard}
        )

    async def look(self, job_id: str, tier: str) -> View | Lost:
        """`GET /videos/{id}`."""
        return await _call(self._looker, "GET", f"videos/{quote(job_id, safe='')}", headers=_authorization(self._key_of(tier)))


async def _call(http: httpx2.AsyncClient, method: str, path: str, **how: Any) -> View | Lost:
    try:
        response = await http.send(http.build_request(method, path, **how))
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        return Lost(str(error) or type(error).__name__)
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = {}
    wait_s = retry_after_s(response.headers, time.time())
    return View(status=response.status_code, body=body if isinstance(body, Mapping) else {}, retry_after_s=wait_s)


def _authorization(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}
