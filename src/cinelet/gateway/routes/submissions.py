"""`POST /v1/videos` and its kin: create, wait for, estimate, remix, retry. What they make, `videos` shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, NoReturn, cast

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from cinelet.errors import InvalidValueError, RequestError
from cinelet.gateway.access import Caller
from cinelet.gateway.answer import failure
from cinelet.gateway.archive import View
from cinelet.gateway.body import Body, read_body
from cinelet.gateway.door import Door, answer, door_of, idempotency_key, is_repeat, is_strict
from cinelet.gateway.request_schema import FIELDS
from cinelet.gateway.schemas import CLIP, ERRORS, VIDEO_ID, VideoObject, body_schema, sends

router = APIRouter(prefix="/v1", tags=["videos"], responses=ERRORS)

MAX_PREFER_WAIT_S = 60
TAKEN_BY_REMIX = {"prompt", "model", "callback_url", "metadata", "user", "deadline_s", "allow_degrade"}
REFUSED = "is not offered: these models make clips from sentences only; use remix for the same settings with another prompt"


class DirectRoute(APIRoute):
    """Calls an endpoint that takes the request and gives the response, without asking what else it depends on: 7 % of a hit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


async def create_video(request: Request) -> Response:
    """Accept a request for a clip. Durable once answered."""
    door = door_of(request)
    caller = await door.admit(request)
    body = await read_body(request, takes_picture=True)
    view = await _create(door, caller, request, body, "create")
    if wait_s := _preferred_wait_s(request):
        view = await door.archive.wait(caller, view.job.id, wait_s)
    response = answer(request, view)
    if wait_s:
        response.headers["preference-applied"] = f"wait={wait_s}"
    return response


router.add_api_route(
    "/videos",
    create_video,
    methods=["POST"],
    response_model=VideoObject,
    openapi_extra=body_schema(),
    route_class_override=DirectRoute,
)


@router.post("/videos/estimate", openapi_extra=body_schema())
async def estimate_video(request: Request) -> dict[str, Any]:
    """What a request would cost and when it would be there; nothing is accepted."""
    door = door_of(request)
    caller = await door.let_read(request)
    asked = (await door.read(await read_body(request, takes_picture=True), "estimate", is_strict=is_strict(request))).asked
    plan, quote = await door.desk.estimate(caller, asked)
    return {
        "object": "video.estimate",
        "model": plan.model,
        "size": f"{plan.width}x{plan.height}",
        "num_frames": plan.num_frames,
        "fps": plan.fps,
        "seconds": f"{plan.duration_s:g}",
        "num_inference_steps": plan.num_inference_steps,
        "gpu_seconds": round(quote.work_s, 3),
        "wait_seconds": round(quote.wait_s, 3),
        "eta_seconds": round(quote.eta_s, 3),
        "cost": None,
        "warnings": list(asked.warnings),
    }


@router.post("/videos/sync", openapi_extra=body_schema(), response_class=Response, responses=sends(CLIP))
async def create_video_and_wait(request: Request) -> Response:
    """Accept a request and answer with the finished file. A client that leaves finds the clip by its id all the same."""
    door = door_of(request)
    caller = await door.admit(request)
    accepted = await _create(door, caller, request, await read_body(request, takes_picture=True), "sync")
    view = await door.archive.finished(caller, accepted.job.id, door.sync_timeout_s)
    if view.job.state != "succeeded":
        failed = failure(view.job)
        error = _SyncFailedError("the clip could not be made" if failed is None else failed["message"])
        error.code = error.code if failed is None else failed["code"]
        raise error
    content = await door.archive.content(caller, view.job.id, "video")
    headers = {
        "content-length": str(content.size_bytes),
        "x-video-id": view.job.id,
        "x-model": view.job.plan.model,
        "x-inference-time-s": f"{view.job.report.get('inference_time_s', 0.0):.4f}",
        "x-stage-durations": json.dumps(view.job.report.get("stage_durations_s", {})),
        "x-peak-memory-mb": f"{view.job.report.get('peak_memory_bytes', 0) / 1e6:.1f}",
    }
    pieces = await asyncio.to_thread(door.archive.read, content, 0, content.size_bytes)
    return StreamingResponse(pieces, media_type=content.content_type, headers=headers)


@router.post("/videos/edits", response_model=VideoObject, openapi_extra=body_schema(FIELDS | {"video": VIDEO_ID}, ("prompt", "video")))
async def edit_video(request: Request) -> Response:
    """A video of this service with another prompt, by its id."""
    door = door_of(request)
    caller = await door.admit(request)
    body = await read_body(request)
    video_id = body.fields.get("video")
    video_id = video_id.get("id") if isinstance(video_id, dict) else video_id
    if not isinstance(video_id, str):
        raise InvalidValueError("video", "a file" if "video" in body.files else video_id, "must be {id} of a video of this service")
    return answer(request, await _remix(door, caller, request, body, video_id))


@router.post("/videos/extensions")
async def extend_video(request: Request) -> Response:
    """Refused, with the reason."""
    await _refuse(request, f"extensions: making a clip longer {REFUSED}")


@router.post("/videos/characters")
async def create_character(request: Request) -> Response:
    """Refused, with the reason."""
    await _refuse(request, f"characters: {REFUSED}")


@router.post("/videos/{video_id}/retry", response_model=VideoObject)
async def retry_video(request: Request, video_id: str) -> Response:
    """The same request once more, as a new video, where the old one has ended."""
    door = door_of(request)
    return answer(request, await door.desk.retry(await door.admit(request), video_id))


@router.post("/videos/{video_id}/remix", response_model=VideoObject, openapi_extra=body_schema())
async def remix_video(request: Request, video_id: str) -> Response:
    """The same settings and seed with another prompt."""
    door = door_of(request)
    caller = await door.admit(request)
    return answer(request, await _remix(door, caller, request, await read_body(request), video_id))


async def _refuse(request: Request, message: str) -> NoReturn:
    """Say why this is not offered, to whoever may ask and asked in a form that can be read."""
    await door_of(request).admit(request)
    _ = (await read_body(request)).fields
    raise RequestError(message)


async def _create(door: Door, caller: Caller, request: Request, body: Body, path: str) -> View:
    reading = await door.read(body, path, is_strict=is_strict(request))
    key, again = idempotency_key(request), is_repeat(request)
    return await door.desk.create(caller, reading.asked, body_digest=reading.digest, idempotency_key=key, is_repeat=again)


async def _remix(door: Door, caller: Caller, request: Request, body: Body, video_id: str) -> View:
    reading = await door.read(body, f"remix {video_id}", is_strict=is_strict(request), route_fields=("video",))
    kept = sorted(set(body.fields) & FIELDS.keys() - TAKEN_BY_REMIX)
    ignored = [f"{name}: was ignored; a remix keeps the original's" for name in kept]
    asked = replace(reading.asked, warnings=[*reading.asked.warnings, *ignored])
    key, again = idempotency_key(request), is_repeat(request)
    return await door.desk.remix(caller, video_id, asked, body_digest=reading.digest, idempotency_key=key, is_repeat=again)


def _preferred_wait_s(request: Request) -> int | None:
    """The seconds of `Prefer: wait=N`; a malformed preference is no preference (RFC 7240 section 2)."""
    for preference in request.headers.get("prefer", "").split(","):
        name, _, value = preference.strip().partition("=")
        if name.lower() == "wait" and value.isascii() and value.isdigit() and len(value) < 4:
            return min(MAX_PREFER_WAIT_S, int(value)) or None
    return None


class _SyncFailedError(RequestError):
    """The clip failed while its client waited for the file itself; `code` is then the job's."""

    code = "video_failed"
