"""`/v1/videos`: list, look up, cancel, delete. `submissions` makes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from cinelet.gateway.answer import video
from cinelet.gateway.door import answer, base_url, door_of
from cinelet.gateway.schemas import ERRORS, VideoDeleted, VideoList, VideoObject
from cinelet.jobs.register import MAX_PAGE

router = APIRouter(prefix="/v1", tags=["videos"], responses=ERRORS)


@router.get("/videos", response_model=VideoList)
async def list_videos(
    request: Request,
    after: Annotated[str | None, Query(max_length=64, description="Id of the last video of the page before.")] = None,
    limit: Annotated[int, Query(ge=0, le=MAX_PAGE)] = 20,
    order: Annotated[Literal["asc", "desc"], Query()] = "desc",
) -> Response:
    """The caller's videos, newest first."""
    door = door_of(request)
    caller = await door.let_read(request)
    views, has_more = await door.archive.list(caller, after=after or None, limit=limit, order=order)
    data = [video(view, base_url(request)) for view in views]
    ids = [entry["id"] for entry in data]
    page = {"object": "list", "data": data, "first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None, "has_more": has_more}
    return JSONResponse(page)


@router.get("/videos/{video_id}", response_model=VideoObject)
async def get_video(request: Request, video_id: str) -> Response:
    """A video as it is now. One that failed is an answer too, not an error."""
    door = door_of(request)
    return answer(request, await door.archive.get(await door.let_read(request), video_id))


@router.delete("/videos/{video_id}", response_model=VideoDeleted)
async def delete_video(request: Request, video_id: str) -> dict[str, Any]:
    """Stop the work if there is any, and forget the video and its files."""
    door = door_of(request)
    await door.archive.delete(await door.let_read(request), video_id)
    return {"id": video_id, "object": "video.deleted", "deleted": True}


@router.post("/videos/{video_id}/cancel", response_model=VideoObject)
async def cancel_video(request: Request, video_id: str) -> Response:
    """Stop the work, keep the record; a video that has ended stays as it is."""
    door = door_of(request)
    return answer(request, await door.archive.cancel(await door.let_read(request), video_id))
