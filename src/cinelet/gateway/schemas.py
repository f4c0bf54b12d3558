"""The shapes of answers for the OpenAPI page. Answers are made by hand (`answer.py`); these say what is in them, nothing is parsed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from cinelet.gateway.request_schema import FIELDS
from cinelet.jobs.outbox import TOLD_BY_WEBHOOK


class ErrorDetail(BaseModel):
    """What went wrong: a sentence, its kind, the field at fault, a stable code."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


class VideoError(BaseModel):
    """Why a video failed."""

    code: str
    message: str


class VideoObject(BaseModel):
    """A video, from acceptance to its end."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["video"]
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: int
    created_at: int
    completed_at: int | None
    expires_at: int | None
    model: str
    prompt: str
    seconds: str
    size: str
    error: VideoError | None
    remixed_from_video_id: str | None
    seed: int
    fps: int
    num_frames: int
    num_inference_steps: int
    guidance_scale: float
    queue_position: int | None
    eta_seconds: float | None
    degraded_from: dict[str, Any] | None
    original_prompt: str | None
    rewriter: str | None
    has_draft: bool
    has_start_image: bool
    stage: str | None
    warnings: list[str]


class VideoList(BaseModel):
    """A page of videos."""

    object: Literal["list"]
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(BaseModel):
    """A video that is gone."""

    id: str
    object: Literal["video.deleted"]
    deleted: Literal[True]


class Endpoint(BaseModel):
    """A receiver of webhooks. `signing_secret` is filled when it is made or rotated, and never else."""

    id: str
    object: Literal["webhook_endpoint"]
    created_at: int
    updated_at: int
    event_types: list[str]
    name: str
    url: str
    signing_secret: str | None
    signing_secret_hint: str
    is_disabled: bool


class EndpointList(BaseModel):
    """A page of receivers."""

    object: Literal["list"]
    data: list[Endpoint]
    first_id: str | None
    last_id: str | None
    has_more: bool


class EndpointDeleted(BaseModel):
    """A receiver that is gone."""

    id: str
    object: Literal["webhook_endpoint.deleted"]
    deleted: Literal[True]


class EndpointTested(BaseModel):
    """What a receiver answered to a sample event."""

    object: Literal["webhook_endpoint.test"]
    event_type: str
    status_code: int
    success: bool
    webhook_endpoint_id: str


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (400, 401, 403, 404, 409, 410, 413, 415, 422, 429, 500, 503, 504)
}

VIDEO_ID: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}]}
ENDPOINT_FIELDS: dict[str, Any] = {
    "url": {"type": "string", "format": "uri", "maxLength": 2048},
    "event_types": {"type": "array", "minItems": 1, "items": {"enum": list(TOLD_BY_WEBHOOK)}},
    "name": {"type": "string", "maxLength": 200},
}
CLIP, PICTURE, START, STREAM, TEXT = "video/mp4", "image/webp", "image/png", "text/event-stream", "text/plain"
PARTIAL: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range that was asked for", "content": {CLIP: {}, PICTURE: {}, START: {}}},
    302: {"description": "Where the file lies"},
    304: {"description": "The client has this file"},
    416: {"description": "Not one range within the file", "model": ErrorBody},
}
"""What else a route of files may answer."""


def body_schema(fields: Mapping[str, Any] = FIELDS, required: Sequence[str] = ("prompt",), *, is_form_too: bool = True) -> dict[str, Any]:
    """The request body in its encodings; `docs/reference/http.md` tells them for people. Without a required field it may be left out."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(fields)}
    if required:
        schema["required"] = list(required)
    kinds = ["application/json", *(["multipart/form-data", "application/x-www-form-urlencoded"] if is_form_too else [])]
    return {"requestBody": {"required": bool(required), "content": {kind: {"schema": schema} for kind in kinds}}}


def sends(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """A good answer that is no JSON, of one of these types."""
    return {200: {"description": "The bytes", "content": {kind: {} for kind in kinds}}}
