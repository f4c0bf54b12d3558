"""A request's body, whichever of three encodings it came in, as one plain tree of fields. Nothing of what the fields mean.

JSON, multipart/form-data and urlencoded say the same things: clients of one API send all three. Bytes are counted as they
arrive, so that nothing large is ever held, and what is held is refused where it has two meanings or none.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from functools import cached_property
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from cinelet.errors import InvalidValueError, MalformedError, TooLargeError, UnsupportedMediaError
from cinelet.gateway.field_name import MAX_DEPTH
from cinelet.gateway.form import MultipartForm, Upload, read_urlencoded, text_of
from cinelet.gateway.strict_json import MAX_VALUES, parse_json, too_deep

MAX_BODY_BYTES = 1 << 20
"""JSON without a picture, and urlencoded. Every field at its longest takes a tenth of it."""
MAX_JSON_BYTES = 28 << 20
"""JSON with the largest picture in base64. Beyond `MAX_BODY_BYTES` it is looked at before it is parsed: see `read_json`."""
MAX_MULTIPART_BYTES = 1 << 25
"""Two pictures as cameras make them."""
PICTURE = re.compile(rb'"data:[^"]*"')
TIMEOUT_S = 120.0
"""A full multipart body over 2 Mbit/s. A client slower than that is holding a place, not sending a request."""

WRAPPERS = ("extra_body", "extra_json", "extra_params")
"""Objects whose fields are meant as if they stood outside: how other servers' clients send what their API has no field for."""
DOCUMENTS = frozenset(
    {
        *WRAPPERS,
        "lora",
        "loras",
        "metadata",
        "input_reference",
        "image_reference",
        "video_reference",
        "audio_reference",
        "control_reference",
    }
)
"""Fields that hold an object or a list; where text stands for them, it is JSON text."""


class Body:
    """What came: `fields` as JSON would have held them (form values are text), `files` by field name. Nulls are left out.

    What came as JSON is `text` until its fields are asked for: whoever knows the text needs no fields.
    """

    def __init__(self, fields: dict[str, Any] | None = None, files: dict[str, Upload] | None = None, *, text: bytes | None = None) -> None:
        self.text = text
        self.files = files or {}
        if text is None:
            self.fields = fields or {}

    @cached_property
    def fields(self) -> dict[str, Any]:
        """What stood in the JSON, whose text is let go of then. Raises as `read_json` and `unwrapped`."""
        fields = unwrapped(read_json(self.text or b""))
        self.text = None
        return fields


async def read_body(request: Request, *, takes_picture: bool = False, timeout_s: float = TIMEOUT_S) -> Body:
    """Read and close `request`'s stream. An empty body has no fields; a body without a content type is JSON, large only where it
    `takes_picture`.

    Raises `UnsupportedMediaError`, `TooLargeError`, `MalformedError`, and `UnusableValueError` for values that nothing can carry; JSON is
    judged when its fields are asked for.
    """
    check_compression(request)
    try:
        async with asyncio.timeout(timeout_s):
            return await _decode(request, MAX_JSON_BYTES if takes_picture else MAX_BODY_BYTES)
    except TimeoutError as error:
        raise MalformedError(f"body: did not arrive within {timeout_s:g} seconds") from error
    except ClientDisconnect as error:
        raise MalformedError("body: the connection ended before it did") from error


def check_compression(request: Request) -> None:
    """Refuse what would have to be inflated: a small bomb makes a large body."""
    coding = ", ".join(request.headers.getlist("content-encoding"))
    if coding.strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaError("content-encoding", coding, "send the body as it is, not compressed")


async def _decode(request: Request, max_json_bytes: int) -> Body:
    declared = request.headers.get("content-type", "application/json")
    kind, options = parse_options_header(declared)
    match kind:
        case b"multipart/form-data":
            return await _read_multipart(request, options.get(b"boundary"))
        case b"application/x-www-form-urlencoded":
            return Body(unwrapped(read_urlencoded(await _read(request, MAX_BODY_BYTES))))
        case _ if kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json")):
            return Body(text=await _read(request, max_json_bytes))
    limit = "must be application/json, multipart/form-data or application/x-www-form-urlencoded"
    raise UnsupportedMediaError("content-type", declared, limit)


async def _read_multipart(request: Request, boundary: bytes | None) -> Body:
    form: MultipartForm | None = None
    async for chunk in _counted(request, MAX_MULTIPART_BYTES):
        if form is None:
            if not boundary:
                raise MalformedError("content-type: multipart/form-data must name its boundary")
            form = MultipartForm(boundary)
        form.feed(chunk)
    if form is None:
        return Body()
    fields, files = form.finish()
    return Body(unwrapped(fields), files)


async def _read(request: Request, max_bytes: int) -> bytes:
    return b"".join([chunk async for chunk in _counted(request, max_bytes)])


async def _counted(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The stream, refused at the first byte beyond `max_bytes`, or before the first one where the length is declared."""
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 20 else 0
    if size > max_bytes:
        raise _too_large(size, max_bytes)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(size, max_bytes)
        if chunk:
            yield chunk


def _too_large(size: int, max_bytes: int) -> TooLargeError:
    return TooLargeError("body", f"{size:,} bytes", f"has at most {max_bytes:,} bytes")


def read_json(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8; nothing at all is the empty object. Raises `MalformedError`, and `TooLargeError`.

    Parsing many values takes a hundred times their text in memory, so what is large must be so by a picture in base64.
    """
    if len(data) > MAX_BODY_BYTES and not _is_large_by_pictures(data):
        raise _too_large(len(data), MAX_BODY_BYTES)
    text = text_of("body", data)
    if not text.strip():
        return {}
    document = parse_json(text)
    if not isinstance(document, dict):
        raise MalformedError("body: must be a JSON object")
    return document


def _is_large_by_pictures(data: bytes) -> bool:
    """Whether few values remain, and no more than any body may have, once the texts that begin as `data:` urls are left out."""
    is_few = sum(data.count(mark) for mark in (b",", b"[", b"{")) <= MAX_VALUES
    pictures = sum(match.end() - match.start() for match in PICTURE.finditer(data)) if is_few else 0
    return is_few and len(data) - pictures <= MAX_BODY_BYTES


def unwrapped(fields: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """`fields` without nulls, with JSON text read, and with the contents of `WRAPPERS` beside them; what stands outside wins.

    Wrappers in wrappers are opened too. Raises `InvalidValueError` for a wrapper that is no object, and as `parse_json` for JSON text.
    """
    if depth > MAX_DEPTH:
        raise too_deep("body")
    outer = {name: _document(name, value) for name, value in fields.items() if value is not None}
    inner: dict[str, Any] = {}
    for name in [name for name in WRAPPERS if name in outer]:
        wrapped = outer.pop(name)
        if not isinstance(wrapped, dict):
            raise InvalidValueError(name, wrapped, "must be an object")
        inner = unwrapped(wrapped, depth + 1) | inner
    return inner | outer


def _document(name: str, value: Any) -> Any:
    if name in DOCUMENTS and isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        return parse_json(value, name)
    return value
