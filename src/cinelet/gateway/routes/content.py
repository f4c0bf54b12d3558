"""The bytes: `/v1/videos/{id}/content`, signed links, and the files behind them. One range at a time, with an ETag."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.gateway.archive import Content
from cinelet.gateway.door import Door, base_url, door_of
from cinelet.gateway.problems import problem
from cinelet.gateway.schemas import CLIP, ERRORS, PARTIAL, PICTURE, START, sends
from cinelet.storage import parse_key

router = APIRouter(prefix="/v1", tags=["content"], responses=ERRORS)

FILE = sends(CLIP, PICTURE, START) | PARTIAL
LINK_LIFETIME_S = 900
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
TYPES = {".mp4": CLIP, ".webp": PICTURE, ".png": START}


@router.get("/videos/{video_id}/content", response_class=Response, responses=FILE)
@router.head("/videos/{video_id}/content", include_in_schema=False)
async def get_content(request: Request, video_id: str, variant: Annotated[str, Query(max_length=16)] = "video") -> Response:
    """The clip, its thumbnail, its spritesheet, the picture it began with, a preview. Stores that speak HTTP are redirected to."""
    door = door_of(request)
    caller = await door.let_read(request)
    content = await door.archive.content(caller, video_id, "video" if variant in {"", "0"} else variant)
    is_own_page = request.headers.get("sec-fetch-site") == "same-origin"  # its content policy lets nothing in from elsewhere
    if (
        variant != "preview"
        and not is_own_page
        and (link := await door.in_thread(lambda: door.archive.blobs.signed_url(content.key, LINK_LIFETIME_S)))
    ):
        return RedirectResponse(link, 302, headers={"cache-control": "no-store"})
    return await send(request, door, content)


@router.post("/videos/{video_id}/link")
async def create_link(request: Request, video_id: str, variant: Annotated[str, Query(max_length=16)] = "video") -> dict[str, Any]:
    """A link that shows the file to whoever has it, for a quarter of an hour."""
    door = door_of(request)
    caller = await door.let_read(request)
    content = await door.archive.content(caller, video_id, variant)
    expires_at = int(time.time()) + LINK_LIFETIME_S
    link = await door.in_thread(lambda: door.archive.blobs.signed_url(content.key, LINK_LIFETIME_S))
    if link is None:
        link = f"{base_url(request)}v1/files/{content.key}?expires={expires_at}&signature={door.signer.sign(content.key, expires_at)}"
    return {"object": "video.link", "url": link, "expires_at": expires_at}


@router.get("/files/{key:path}", response_class=Response, responses=FILE)
@router.head("/files/{key:path}", include_in_schema=False)
async def get_file(
    request: Request, key: str, expires: Annotated[int, Query(ge=0, le=2**53)], signature: Annotated[str, Query(max_length=128)]
) -> Response:
    """What a signed link points to."""
    door = door_of(request)
    door.signer.check(key, expires, signature)
    info = await door.in_thread(lambda: door.archive.blobs.find(key))
    if info is None:
        raise NotFoundError("file: it is not there any more")
    name = parse_key(key).name
    kind = TYPES.get(name[name.rindex(".") :] if "." in name else "", "application/octet-stream")
    content = Content(key=key, content_type=kind, size_bytes=info.size_bytes, etag=info.etag or str(info.size_bytes), filename=name)
    return await send(request, door, content)


async def send(request: Request, door: Door, content: Content) -> Response:
    """The bytes, or the asked part of them; 304 where the client has them."""
    etag = f'"{content.etag.strip(chr(34))}"'
    headers = {
        "etag": etag,
        "accept-ranges": "bytes",
        "content-disposition": f'inline; filename="{content.filename}"',
        "cache-control": "private, max-age=3600" if content.content_type.startswith("video") else "private, no-cache",
    }
    if etag in [mark.strip() for mark in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range")
    if wanted is not None and request.headers.get("if-range", etag) != etag:
        wanted = None
    start, length, status = 0, content.size_bytes, 200
    if wanted is not None:
        try:
            start, length = part(wanted, content.size_bytes)
        except InvalidValueError as error:
            refused = {"content-range": f"bytes */{content.size_bytes}", "accept-ranges": "bytes"}
            return JSONResponse(problem(error).body, 416, refused)
        status = 206
        headers["content-range"] = f"bytes {start}-{start + length - 1}/{content.size_bytes}"
    headers["content-length"] = str(length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=content.content_type)
    pieces = await asyncio.to_thread(door.archive.read, content, start, length)
    return StreamingResponse(pieces, status, headers, content.content_type)


def part(header: str, size_bytes: int) -> tuple[int, int]:
    """First byte and length of a `Range` header. Several ranges, and ranges outside, raise `InvalidValueError`."""
    match = RANGE.fullmatch(header.strip())
    if match is None or (not match[1] and not match[2]):
        raise InvalidValueError("Range", header, "must be one range of bytes")
    if not match[1]:
        length = min(int(match[2]), size_bytes)
        start = size_bytes - length
    else:
        start = int(match[1])
        length = min(int(match[2]) if match[2] else size_bytes - 1, size_bytes - 1) - start + 1
    if length < 1:
        raise InvalidValueError("Range", header, f"must lie within {size_bytes} bytes")
    return start, length
