"""Server-sent events: how a video moves on, without asking again and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from cinelet.gateway.answer import video
from cinelet.gateway.archive import View
from cinelet.gateway.door import base_url, door_of
from cinelet.gateway.schemas import ERRORS, STREAM, sends
from cinelet.jobs.states import EVENTS

router = APIRouter(prefix="/v1", tags=["events"], responses=ERRORS)

COMMENT_EVERY_S = 15.0
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


@router.get("/videos/events", response_class=StreamingResponse, responses=sends(STREAM))
async def all_events(request: Request) -> StreamingResponse:
    """Events of all the caller's videos. `Last-Event-ID` goes on where a stream broke."""
    door = door_of(request)
    caller = await door.let_read(request)
    base = base_url(request)
    mark = request.headers.get("last-event-id", "")
    after = int(mark) if mark.isascii() and mark.isdigit() and len(mark) < 19 else None

    async def stream() -> AsyncIterator[str]:
        shown: dict[str, int] = {}
        async for event, view in door.archive.watch_all(caller, after):
            number = None if event is None else event.seq
            yield frame(progress_event(view, shown) if event is None else event.type, view, base, number)

    return StreamingResponse(kept_alive(stream()), media_type="text/event-stream", headers=HEADERS)


@router.get("/videos/{video_id}/events", response_class=StreamingResponse, responses=sends(STREAM))
async def events(request: Request, video_id: str) -> StreamingResponse:
    """Events of one video, from its present state to its end."""
    door = door_of(request)
    caller = await door.let_read(request)
    await door.archive.get_job(caller, video_id)  # unknown ids answer 404, not an empty stream
    base = base_url(request)

    async def stream() -> AsyncIterator[str]:
        state, shown = "", dict[str, int]()
        async for view in door.archive.watch(caller, video_id):
            kind = progress_event(view, shown) if view.job.state == state else EVENTS[view.job.state]
            state = view.job.state
            yield frame(kind, view, base, None)

    return StreamingResponse(kept_alive(stream()), media_type="text/event-stream", headers=HEADERS)


async def kept_alive(stream: AsyncIterator[str]) -> AsyncIterator[str]:
    """`stream` with a comment at its start and in every long silence, so that nobody on the way takes it for dead."""
    yield ": hello\n\n"
    coming: asyncio.Task[str] | None = None
    try:
        while True:
            coming = asyncio.create_task(_next(stream)) if coming is None else coming
            done, _ = await asyncio.wait({coming}, timeout=COMMENT_EVERY_S)
            if not done:
                yield ": still here\n\n"
                continue
            text, coming = coming.result(), None
            if not text:
                return
            yield text
    finally:
        if coming is not None:
            coming.cancel()


async def _next(stream: AsyncIterator[str]) -> str:
    """The next piece; empty at the end, since a task may not raise StopAsyncIteration."""
    async for text in stream:
        return text
    return ""


def progress_event(view: View, shown: dict[str, int]) -> str:
    """A preview that was not told yet, or plain progress."""
    job = view.job
    if job.preview is not None and shown.get(job.id, 0) != job.preview_step:
        shown[job.id] = job.preview_step
        return "video.preview"
    return "video.progress"


def frame(kind: str, view: View, base_url: str, number: int | None) -> str:
    """One event on the wire."""
    mark = "" if number is None else f"id: {number}\n"
    return f"{mark}event: {kind}\ndata: {json.dumps(video(view, base_url), ensure_ascii=False)}\n\n"
