"""The client for an event loop: `Client` with `await`. It plays the same scripts, so both mean the same by each call."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from cinelet.sdk.address import Address
from cinelet.sdk.client import MAX_CONTENT_BYTES, TIMEOUT_S, Models, OnNews, Variant
from cinelet.sdk.download import Download
from cinelet.sdk.job import JobEvent, RemoteJob
from cinelet.sdk.part_file import PartFile
from cinelet.sdk.protocol import Page, Protocol
from cinelet.sdk.transport import AsyncTransport
from cinelet.sdk.watch import Watch
from cinelet.video import VideoRequest


class AsyncClient:
    """As `Client`, on the running event loop. A cancelled call leaves its job running; files are written in short blocking pieces."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        protocol: Protocol | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        http: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        address = Address.find(url, api_key, os.environ)
        self.url = address.url
        self._protocol = Protocol(url=address.url) if protocol is None else protocol
        self._transport = AsyncTransport(address, timeout_s, sleep=sleep, http=http)

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections. Jobs go on."""
        await self._transport.close()

    async def submit(
        self, request: VideoRequest, *, idempotency_key: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> RemoteJob:
        """As `Client.submit`."""
        return await self._transport.run(self._protocol.submit(request, extra, idempotency_key))

    async def get(self, job_id: str) -> RemoteJob:
        """As `Client.get`."""
        return await self._transport.run(self._protocol.get_job(job_id))

    async def list(self, *, after: str | None = None, limit: int = 20) -> Page:
        """As `Client.list`."""
        return await self._transport.run(self._protocol.list_jobs(after, limit))

    async def cancel(self, job_id: str) -> RemoteJob:
        """As `Client.cancel`."""
        return await self._transport.run(self._protocol.cancel(job_id))

    async def retry(self, job_id: str, *, idempotency_key: str | None = None) -> RemoteJob:
        """As `Client.retry`."""
        return await self._transport.run(self._protocol.retry_job(job_id, idempotency_key))

    async def delete(self, job_id: str) -> None:
        """As `Client.delete`."""
        await self._transport.run(self._protocol.delete(job_id))

    def watch(self, job_id: str, *, timeout_s: float | None = None) -> AsyncIterator[JobEvent]:
        """As `Client.watch`, for `async for`."""
        return self._transport.events(Watch(self._protocol, job_id, timeout_s).script())

    async def wait(self, job_id: str, on_progress: OnNews | None = None, *, timeout_s: float | None = None) -> RemoteJob:
        """As `Client.wait`; `on_progress` is a plain function and is called on the event loop."""
        job: RemoteJob | None = None
        async for event in self.watch(job_id, timeout_s=timeout_s):
            job = event.job
            if on_progress is not None:
                on_progress(job)
        assert job is not None, "a watch tells the job before it ends"  # noqa: S101 - our own invariant
        return job

    async def download(self, job_id: str, path: str | os.PathLike[str], *, variant: Variant = "video") -> Path:
        """As `Client.download`."""
        with PartFile(path) as sink:
            await self._transport.run(Download(self._protocol, job_id, variant, sink).script())
        return Path(path)

    async def content(self, job_id: str, *, variant: Variant = "video") -> bytes:
        """As `Client.content`."""
        sink = io.BytesIO()
        await self._transport.run(Download(self._protocol, job_id, variant, sink, MAX_CONTENT_BYTES).script())
        return sink.getvalue()

    async def estimate(self, request: VideoRequest, *, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As `Client.estimate`."""
        return await self._transport.run(self._protocol.estimate(request, extra))

    async def models(self) -> Models:
        """As `Client.models`."""
        return await self._transport.run(self._protocol.models())

    async def text_to_video(self, prompt: str, **request: Any) -> bytes:
        """As `Client.text_to_video`."""
        job = await self.submit(VideoRequest(prompt=prompt, **request))
        job = await self.wait(job.id)
        job.raise_for_failure()
        return await self.content(job.id)
