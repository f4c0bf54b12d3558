"""Sentences to clips on a service: what `TextToVideoGenerator` does when it has a url. Nothing of codecs: one is handed in."""

from __future__ import annotations

from collections.abc import Callable

from cinelet.sdk.async_client import AsyncClient
from cinelet.sdk.client import Client
from cinelet.sdk.job import RemoteJob
from cinelet.sdk.result import Codec, RemoteResult
from cinelet.sdk.wish import Wish
from cinelet.video import Progress

OnProgress = Callable[[Progress], None]


class RemoteGenerator:
    """Hands wishes in, waits, and brings the clips. An interrupted wait loses nothing: `resume` takes the job's id."""

    def __init__(self, client: Client, codec: Codec) -> None:
        self.client = client
        self._codec = codec

    def submit(self, wish: Wish, idempotency_key: str | None = None) -> RemoteJob:
        """Hand in and return at once."""
        return self.client.submit(wish.request, extra=wish.extra, idempotency_key=idempotency_key)

    def resume(self, job_id: str, on_progress: OnProgress | None = None, timeout_s: float | None = None) -> RemoteResult:
        """The clip of a job that was submitted, here or elsewhere. Raises what its failure means."""
        job = self.client.wait(job_id, _listener(on_progress), timeout_s=timeout_s)
        job.raise_for_failure()
        return RemoteResult(job, self.client.content(job_id), self._codec)


class AsyncRemoteGenerator:
    """The same on an event loop."""

    def __init__(self, client: AsyncClient, codec: Codec) -> None:
        self.client = client
        self._codec = codec

    async def submit(self, wish: Wish, idempotency_key: str | None = None) -> RemoteJob:
        """Hand in and return at once."""
        return await self.client.submit(wish.request, extra=wish.extra, idempotency_key=idempotency_key)

    async def resume(self, job_id: str, on_progress: OnProgress | None = None, timeout_s: float | None = None) -> RemoteResult:
        """The clip of a job that was submitted, here or elsewhere. Raises what its failure means."""
        job = await self.client.wait(job_id, _listener(on_progress), timeout_s=timeout_s)
        job.raise_for_failure()
        return RemoteResult(job, await self.client.content(job_id), self._codec)


def _listener(on_progress: OnProgress | None) -> Callable[[RemoteJob], None] | None:
    return None if on_progress is None else lambda job: on_progress(job.to_progress())
