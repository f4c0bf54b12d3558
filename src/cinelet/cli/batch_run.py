"""One start of a batch: makes what the manifest does not have yet, here or on a service. Nothing of tables or terminals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cinelet.cli.batch_bar import BatchBar
from cinelet.cli.batch_clip import Clip
from cinelet.cli.batch_manifest import Entry, Manifest, State
from cinelet.errors import (
    AuthenticationError,
    CineletError,
    PermissionDeniedError,
    QuotaError,
    RateLimitedError,
    UnavailableError,
)
from cinelet.local import TextToVideoGenerator
from cinelet.sdk import AsyncClient, RemoteJob

MAX_PATIENCE_S = 3600.0
"""How long one clip waits for a place in a full queue. The queue moves by itself, so an hour without one is a fault."""
QUEUE_PAUSE_S = 5.0
MAX_PAUSE_S = 60.0
STOPS_ALL = (AuthenticationError, PermissionDeniedError, QuotaError, UnavailableError)
"""What would meet every other clip too: the batch stops and can be started again."""


class BatchRun:
    """Makes the clips that are open and notes each change on the disk before the next thing happens."""

    def __init__(self, manifest: Manifest, clips: Sequence[Clip], bar: BatchBar, *, retry_failed: bool) -> None:
        self._manifest = manifest
        self._bar = bar
        self._clips = clips
        self._entries = {id(clip): self._known(clip, retry_failed=retry_failed) for clip in clips}
        bar.start(len(clips), sum(self._is_settled(clip) for clip in clips))

    def make_here(self, generator: TextToVideoGenerator) -> None:
        """One after the other in this process."""
        from cinelet.media import write_clip  # noqa: PLC0415 - loads the codec

        for clip in self._open():
            try:
                plan = generator.plan(generator.settle(clip.wish)[0])
                video = generator.run(plan)
                write_clip(video.frames, clip.path, video.fps, metadata={"title": plan.prompt})
                self._note(clip, "completed", seed=plan.seed)
            except CineletError as error:
                self._note(clip, "failed", reason=error.message)

    async def make_at_service(self, url: str | None, api_key: str | None, concurrency: int) -> None:
        """Several at once. Raises what would meet every clip; the rest ends in the manifest."""
        async with AsyncClient(url, api_key) as client:
            clips = self._open()
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(concurrency):
                        group.create_task(self._work(client, clips))
            except ExceptionGroup as stopped:
                raise stopped.exceptions[0] from stopped

    def outcomes(self) -> list[dict[str, Any]]:
        """One line a clip for the summary."""
        return [self._outcome(clip) for clip in self._clips]

    async def _work(self, client: AsyncClient, clips: Iterator[Clip]) -> None:
        for clip in clips:
            try:
                await self._make(client, clip)
            except STOPS_ALL:
                raise
            except CineletError as error:
                self._note(clip, "failed", reason=error.message)

    async def _make(self, client: AsyncClient, clip: Clip) -> None:
        """Submit where no job is known, wait, fetch. Killed between any two lines, the next run finds the same job by its key."""
        job_id = self._entries[id(clip)].job_id
        if job_id is None:
            job = await self._submit(client, clip)
            job_id = job.id
            self._note(clip, "submitted", job_id=job_id, seed=job.seed)
        job = await client.wait(job_id, self._bar.show)
        if job.status == "failed":
            self._note(clip, "failed", reason=job.error_message or job.error_code or "failed; the service gave no reason")
            return
        await client.download(job_id, clip.path)
        self._note(clip, "completed", seed=job.seed)

    async def _submit(self, client: AsyncClient, clip: Clip) -> RemoteJob:
        """Hand in; where the queue is full, wait for a place as the service asks."""
        patience_s = MAX_PATIENCE_S
        while True:
            try:
                return await client.submit(clip.wish.request, extra=clip.wish.extra, idempotency_key=self._entries[id(clip)].key)
            except QuotaError:
                raise
            except RateLimitedError as error:
                pause_s = min(QUEUE_PAUSE_S if error.retry_after_s is None else error.retry_after_s, MAX_PAUSE_S)
                patience_s -= max(pause_s, 1.0)
                if patience_s < 0:
                    raise
                await asyncio.sleep(pause_s)

    def _known(self, clip: Clip, *, retry_failed: bool) -> Entry:
        """What earlier runs know of the clip's latest attempt; a failed one may get another."""
        attempt = 1
        while True:
            key = self._manifest.key_of(clip.source.row.number, clip.content, clip.number, attempt)
            entry = self._manifest.find(key)
            if entry is None:
                return Entry(key=key, state="submitted", attempt=attempt)
            if entry.state != "failed":
                return entry
            following = self._manifest.key_of(clip.source.row.number, clip.content, clip.number, attempt + 1)
            if self._manifest.find(following) is None and not retry_failed:
                return entry
            attempt += 1

    def _is_settled(self, clip: Clip) -> bool:
        entry = self._entries[id(clip)]
        return entry.state == "failed" or (entry.state == "completed" and clip.path.is_file())

    def _open(self) -> Iterator[Clip]:
        return (clip for clip in self._clips if not self._is_settled(clip))

    def _note(self, clip: Clip, state: State, **news: Any) -> None:
        path = str(clip.path.name) if state == "completed" else None
        entry = replace(self._entries[id(clip)], state=state, path=path, **news)
        self._entries[id(clip)] = entry
        self._manifest.note(entry, row=clip.source.row.number, clip=clip.number, at=time.time())
        if state != "submitted":
            self._bar.settle(entry.job_id)

    def _outcome(self, clip: Clip) -> dict[str, Any]:
        entry = self._entries[id(clip)]
        state = entry.state if entry.state != "submitted" or entry.job_id is not None else "not started"
        return {
            "row": clip.source.row.number,
            "clip": clip.number,
            "state": state,
            "path": str(clip.path) if state == "completed" else None,
            "seed": entry.seed if entry.seed is not None else clip.wish.request.seed,
            "job_id": entry.job_id,
            "prompt": clip.wish.request.prompt,
            "reason": entry.reason if state == "failed" else None,
        }
