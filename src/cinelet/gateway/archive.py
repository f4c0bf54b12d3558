"""Every accepted job as its owner sees it: asked for, listed, awaited, watched, cancelled, and its files. Makes no jobs.

What blocks runs in the archive's own threads.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

from cinelet.errors import GoneError, InvalidValueError, NotReadyError, TimedOutError
from cinelet.gateway.access import Caller
from cinelet.gateway.quoter import Quoter
from cinelet.gateway.start_image import IMAGE_TYPE, image_key
from cinelet.gateway.wakeups import Wakeups
from cinelet.jobs import Event, Job, Store
from cinelet.jobs.register import Load, Page
from cinelet.storage import Artifact, BlobStore
from cinelet.telemetry import Metrics

T = TypeVar("T")

NUM_THREADS = 16
LOOK_AGAIN_S = 2.0
"""A wake-up may be lost; nobody waits longer than this for what has already happened."""
VARIANTS = {
    "video": "the clip, MP4",
    "thumbnail": "one picture of it, WebP",
    "spritesheet": "its frames in one picture, WebP",
    "preview": "the latest look at a clip in the making, WebP",
    "draft": "the quick draft that `draft_first` asked for, MP4",
    "start_image": "the picture that the clip began with, as it was prepared, PNG",
}
"""What can be fetched of a video, by name."""
PREVIEW_TYPE = "image/webp"


@dataclass(frozen=True, kw_only=True)
class View:
    """A job as its owner sees it now: `num_ahead` jobs go before it, `eta_s` seconds until it is finished."""

    job: Job
    num_ahead: int = 0
    eta_s: float | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Content:
    """Bytes that can be sent: where they lie, and what they are. `etag` is the SHA-256, or the step of a preview."""

    key: str
    content_type: str
    size_bytes: int
    etag: str
    filename: str


class Archive:
    """The jobs of `store` and their files in `blobs`. Make it inside a running event loop and `close` it."""

    def __init__(self, store: Store, blobs: BlobStore, quoter: Quoter, *, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.blobs = blobs
        self.wakeups = Wakeups(store.bell)
        self._quoter = quoter
        self._metrics = metrics
        self._clock = clock
        self._threads = ThreadPoolExecutor(NUM_THREADS, "cinelet-archive")

    def close(self) -> None:
        """End the threads."""
        self.wakeups.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run what blocks."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def get_job(self, caller: Caller, video_id: str) -> Job:
        """The caller's job. Raises `NotFoundError`."""
        return await self.in_thread(lambda: self.store.register.get(video_id, caller.tenant.id))

    async def get(self, caller: Caller, video_id: str) -> View:
        """The caller's job as it is now. Raises `NotFoundError`."""
        return await self.in_thread(lambda: self._view(self.store.register.get(video_id, caller.tenant.id)))

    async def view(self, job: Job) -> View:
        """What the owner of `job` sees."""
        return View(job=job) if job.is_final else await self.in_thread(lambda: self._view(job))

    async def list(self, caller: Caller, *, after: str | None, limit: int, order: Literal["asc", "desc"]) -> tuple[list[View], bool]:
        """A page of the caller's jobs, and whether others follow."""

        def work() -> tuple[list[View], bool]:
            page: Page = self.store.register.list(caller.tenant.id, after=after, limit=limit, order=order)
            return [self._view(job) for job in page.jobs], page.has_more

        return await self.in_thread(work)

    async def cancel(self, caller: Caller, video_id: str) -> View:
        """Stop the work, keep the record."""
        job = await self.in_thread(lambda: self.store.register.cancel(video_id, caller.tenant.id))
        if job.state == "cancelled":
            self._metrics.jobs_total.add(status="failed", reason="cancelled")
        return View(job=job)

    async def delete(self, caller: Caller, video_id: str) -> None:
        """Stop the work and forget the job."""
        await self.in_thread(lambda: self.store.register.delete(video_id, caller.tenant.id))

    async def load(self) -> Load:
        """What waits and runs in the whole house."""
        return await self.in_thread(self.store.register.load)

    async def wait(self, caller: Caller, video_id: str, timeout_s: float) -> View:
        """The job when it has ended, or as it is after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        with self.wakeups.of_job(video_id) as pull:
            while True:
                view = await self.get(caller, video_id)
                left_s = deadline - time.monotonic()
                if view.job.is_final or left_s <= 0:
                    return view
                await pull.wait(min(left_s, LOOK_AGAIN_S))

    async def finished(self, caller: Caller, video_id: str, timeout_s: float) -> View:
        """The job when it has ended. Raises `TimedOutError`; the job goes on."""
        view = await self.wait(caller, video_id, timeout_s)
        if not view.job.is_final:
            raise TimedOutError(f"video: {video_id} was not finished within {timeout_s:g} s; it goes on, ask for it by its id")
        return view

    async def watch(self, caller: Caller, video_id: str) -> AsyncIterator[View]:
        """The job now, at every change, and at its end. Raises `NotFoundError` before the first."""
        seen: object = None
        with self.wakeups.of_job(video_id) as pull:
            while True:
                view = await self.get(caller, video_id)
                if (mark := _mark(view.job)) != seen:
                    seen = mark
                    yield view
                if view.job.is_final:
                    return
                await pull.wait(LOOK_AGAIN_S)

    async def watch_all(self, caller: Caller, after: int | None) -> AsyncIterator[tuple[Event | None, View]]:
        """Events of all the caller's jobs: those after number `after`, then as they happen. Progress is no event and comes with None."""
        last = await self.in_thread(self.store.outbox.last_seq) if after is None else after
        with self.wakeups.of_all() as pull:
            changed: set[str] = set()
            while True:
                events = await self.in_thread(functools.partial(self.store.outbox.events, caller.tenant.id, last))
                views = await self._own(caller, {event.job_id for event in events} | changed)
                for event in events:
                    last = event.seq
                    if event.job_id in views:
                        yield event, views[event.job_id]
                for job_id in sorted(changed - {event.job_id for event in events}):
                    if job_id in views and views[job_id].job.state == "running":
                        yield None, views[job_id]
                changed = await pull.wait(LOOK_AGAIN_S)

    async def content(self, caller: Caller, video_id: str, variant: str) -> Content:
        """Where the bytes of a variant lie. Raises `NotReadyError` before there are any, `GoneError` when their time is over."""
        if variant not in VARIANTS:
            raise InvalidValueError("variant", variant, f"must be one of {', '.join(VARIANTS)}, or 0 for the video")
        job = await self.get_job(caller, video_id)
        if variant == "preview" and job.state == "running" and job.preview is not None:
            return await self._preview(job)
        if variant == "draft" and job.draft is not None:
            return _content(video_id, Artifact.from_json(job.draft))
        is_gone = job.purged_at is not None or (job.expires_at is not None and job.expires_at < self._clock())
        if variant == "start_image" and not is_gone:
            return await self._start_image(job)
        if job.is_final and job.result is None:
            raise NotReadyError(f"video: {video_id} has no {variant}: it was not made")
        if is_gone:
            raise GoneError(f"video: the files of {video_id} have expired")
        if job.result is None or variant not in job.result:
            raise NotReadyError(f"video: {video_id} has no {variant}{'' if job.is_final else ' yet'}")
        return _content(video_id, Artifact.from_json(job.result[variant]))

    def read(self, content: Content, start: int, length: int) -> Iterator[bytes]:
        """Its bytes from `start` on, in pieces; for threads."""
        return self.blobs.read(content.key, start, length)

    async def _preview(self, job: Job) -> Content:
        key = job.preview or ""
        info = await self.in_thread(lambda: self.blobs.find(key))
        if info is None:
            raise NotReadyError(f"video: {job.id} has no preview yet")
        return Content(
            key=key, content_type=PREVIEW_TYPE, size_bytes=info.size_bytes, etag=f"step-{job.preview_step}", filename=f"{job.id}.webp"
        )

    async def _start_image(self, job: Job) -> Content:
        key = "" if job.plan.image is None else image_key(job.id, job.plan.image)
        info = await self.in_thread(lambda: self.blobs.find(key)) if key else None
        if info is None:
            raise NotReadyError(f"video: {job.id} has no start_image")
        return Content(key=key, content_type=IMAGE_TYPE, size_bytes=info.size_bytes, etag=job.plan.image or "", filename=f"{job.id}.png")

    async def _own(self, caller: Caller, ids: set[str]) -> dict[str, View]:
        if not ids:
            return {}

        def work() -> dict[str, View]:
            found = self.store.register.find_many(sorted(ids)).values()
            return {job.id: self._view(job) for job in found if job.tenant == caller.tenant.id and job.deleted_at is None}

        return await self.in_thread(work)

    def _view(self, job: Job) -> View:
        num_ahead, eta_s = self._quoter.place(job)
        return View(job=job, num_ahead=num_ahead, eta_s=eta_s, warnings=list(job.request.get("warnings", ())))


def _mark(job: Job) -> object:
    """What a watcher calls a change."""
    return (job.state, job.step, job.stage, job.preview_step, job.attempt)


def _content(video_id: str, artifact: Artifact) -> Content:
    name = f"{video_id}{artifact.key[artifact.key.rindex('.') :]}"
    return Content(
        key=artifact.key, content_type=artifact.content_type, size_bytes=artifact.size_bytes, etag=artifact.sha256, filename=name
    )
