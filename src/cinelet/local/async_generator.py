"""`TextToVideoGenerator` with `await`."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self, Unpack

from cinelet.errors import InvalidValueError
from cinelet.local.generator import OnProgress, TextToVideoGenerator, check_place, wish_of
from cinelet.local.result import MediaCodec, Result
from cinelet.sdk import AsyncClient, AsyncRemoteGenerator, Options, RemoteJob, RemoteResult


class AsyncTextToVideoGenerator:
    """`TextToVideoGenerator` with `await`. Without `url` the clips are made one after the other in a thread of this process."""

    def __init__(
        self,
        region: str | None = "auto",
        url: str | None = None,
        api_key: str | None = None,
        *,
        model: str | None = None,
        **settings: Any,
    ) -> None:
        check_place(region, url, api_key, settings)
        self._model = model
        self._remote = None if url is None else AsyncRemoteGenerator(AsyncClient(url, api_key), MediaCodec())
        self._local = TextToVideoGenerator(model=model, **settings) if url is None else None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """The generator itself."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections to a service."""
        await self.close()

    async def close(self) -> None:
        """As `TextToVideoGenerator.close`."""
        if self._remote is not None:
            await self._remote.client.close()

    async def generate(self, text: str, *, on_progress: OnProgress | None = None, **options: Unpack[Options]) -> Result | RemoteResult:
        """As `TextToVideoGenerator.generate`; `on_progress` is a plain function, called from the working thread in process."""
        if self._local is not None:
            async with self._turn:
                return await asyncio.to_thread(self._local.generate, text, on_progress=on_progress, **options)
        job = await self.submit(text, **options)
        return await self.resume(job.id, on_progress=on_progress)

    async def submit(self, text: str, *, idempotency_key: str | None = None, **options: Unpack[Options]) -> RemoteJob:
        """As `TextToVideoGenerator.submit`."""
        return await self._at_service("submit").submit(wish_of(text, self._model, options), idempotency_key)

    async def resume(self, job_id: str, *, on_progress: OnProgress | None = None, timeout_s: float | None = None) -> RemoteResult:
        """As `TextToVideoGenerator.resume`."""
        return await self._at_service("resume").resume(job_id, on_progress, timeout_s)

    def _at_service(self, verb: str) -> AsyncRemoteGenerator:
        if self._remote is None:
            raise InvalidValueError("url", "", f"{verb} needs a service; name its address")
        return self._remote
