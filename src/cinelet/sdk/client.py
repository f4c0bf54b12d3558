"""The blocking client of a cinelet service. It only plays scripts; `AsyncClient` plays the same ones.

with Client("http://127.0.0.1:8000") as client:
    job = client.submit(VideoRequest(prompt="A red balloon rising at sunset"))
    client.wait(job.id)
    client.download(job.id, "balloon.mp4")
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx2

from cinelet.sdk.address import Address
from cinelet.sdk.download import Download
from cinelet.sdk.job import JobEvent, RemoteJob
from cinelet.sdk.part_file import PartFile
from cinelet.sdk.protocol import Page, Protocol
from cinelet.sdk.transport import Transport
from cinelet.sdk.watch import Watch
from cinelet.video import VideoRequest

Variant = Literal["video", "thumbnail", "spritesheet", "preview", "draft", "start_image"]
OnNews = Callable[[RemoteJob], None]
Models = list[dict[str, Any]]

TIMEOUT_S = 30.0
"""For one answer. Submitting is quick: the work itself is waited for by `wait`."""
MAX_CONTENT_BYTES = 512 << 20
"""A clip held in memory; larger ones go to a file."""


class Client:
    """Calls the service at `url` with `api_key`; left out, `CINELET_URL` and `CINELET_API_KEY` say them.

    Every call is tried again where that can help, within bounds, and a repeated submission is never a second clip. All
    methods raise `UnavailableError` where the service stays away, `AuthenticationError`, `PermissionDeniedError`,
    `RateLimitedError` (with `retry_after_s`) as the service says, and `RequestError` for what it refuses. May be used by
    several threads; close it, or use it in a `with` block.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        protocol: Protocol | None = None,
        sleep: Callable[[float], None] = time.sleep,
        http: httpx2.BaseTransport | None = None,
    ) -> None:
        address = Address.find(url, api_key, os.environ)
        self.url = address.url
        self._protocol = Protocol(url=address.url) if protocol is None else protocol
        self._transport = Transport(address, timeout_s, sleep=sleep, http=http)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections. Jobs go on."""
        self._transport.close()

    def submit(self, request: VideoRequest, *, idempotency_key: str | None = None, extra: Mapping[str, Any] | None = None) -> RemoteJob:
        """Hand in a request. The job is accepted for good when this returns.

        Two submissions with one `idempotency_key` are one job (a fresh key where none is given); with another request under
        a used key: `KeyReusedError`. `extra` adds fields of the wire that a `VideoRequest` does not have, such as `seconds`.
        """
        return self._transport.run(self._protocol.submit(request, extra, idempotency_key))

    def get(self, job_id: str) -> RemoteJob:
        """The job as it stands. Raises `NotFoundError`."""
        return self._transport.run(self._protocol.get_job(job_id))

    def list(self, *, after: str | None = None, limit: int = 20) -> Page:
        """One page of the caller's jobs, newest first, of at most `limit` (1 to 100), after the job `after`."""
        return self._transport.run(self._protocol.list_jobs(after, limit))

    def cancel(self, job_id: str) -> RemoteJob:
        """Stop the work and keep the record; a finished job stays as it is. Raises `NotFoundError`."""
        return self._transport.run(self._protocol.cancel(job_id))

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> RemoteJob:
        """Do a failed job again, as a job. Raises `NotFoundError`, and `ConflictError` where it has not failed."""
        return self._transport.run(self._protocol.retry_job(job_id, idempotency_key))

    def delete(self, job_id: str) -> None:
        """Remove the job and its files; work under way is stopped first. Raises `NotFoundError`."""
        self._transport.run(self._protocol.delete(job_id))

    def watch(self, job_id: str, *, timeout_s: float | None = None) -> Iterator[JobEvent]:
        """News of a job until it is final, the first one at once. Connections that break are made again.

        Raises `NotFoundError`, `TimedOutError` after `timeout_s` (the job goes on), `UnavailableError` where the service is
        away for more than five minutes.
        """
        return self._transport.events(Watch(self._protocol, job_id, timeout_s).script())

    def wait(self, job_id: str, on_progress: OnNews | None = None, *, timeout_s: float | None = None) -> RemoteJob:
        """The job in its final state, failed ones too (`raise_for_failure` tells). Raises what `watch` raises."""
        job: RemoteJob | None = None
        for event in self.watch(job_id, timeout_s=timeout_s):
            job = event.job
            if on_progress is not None:
                on_progress(job)
        assert job is not None, "a watch tells the job before it ends"  # noqa: S101 - our own invariant
        return job

    def download(self, job_id: str, path: str | os.PathLike[str], *, variant: Variant = "video") -> Path:
        """One file of a finished job, written whole or not at all; a broken transfer goes on where it stopped.

        Raises `NotReadyError` before the job is done, `GoneError` after its files expired, `InvalidValueError` for a path
        that cannot be written.
        """
        with PartFile(path) as sink:
            self._transport.run(Download(self._protocol, job_id, variant, sink).script())
        return Path(path)

    def content(self, job_id: str, *, variant: Variant = "video") -> bytes:
        """The same in memory, at most 512 MiB. Raises what `download` raises, and `TooLargeError`."""
        sink = io.BytesIO()
        self._transport.run(Download(self._protocol, job_id, variant, sink, MAX_CONTENT_BYTES).script())
        return sink.getvalue()

    def estimate(self, request: VideoRequest, *, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the request would take, without a job: `num_frames`, `gpu_seconds`, `eta_seconds`."""
        return self._transport.run(self._protocol.estimate(request, extra))

    def models(self) -> Models:
        """The service's models and what each can make."""
        return self._transport.run(self._protocol.models())

    def text_to_video(self, prompt: str, **request: Any) -> bytes:
        """The MP4 of `prompt`, waited for; the fields of `VideoRequest` as keywords. Raises what the job's failure means."""
        job = self.wait(self.submit(VideoRequest(prompt=prompt, **request)).id)
        job.raise_for_failure()
        return self.content(job.id)
