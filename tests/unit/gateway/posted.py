"""Requests made by hand: any bytes, any headers, in chunks of any size."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request

from cinelet.gateway.body import Body, read_body

FIXTURES = Path(__file__).parent / "fixtures"
BOUNDARY = "cut"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"


class Wire:
    """The receiving end of a connection; counts how much of the body was taken."""

    def __init__(self, body: bytes, chunk_bytes: int) -> None:
        self.chunks = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)]
        self.num_taken = 0

    async def __call__(self) -> dict[str, object]:
        self.num_taken += 1
        taken = self.num_taken - 1
        chunk = self.chunks[taken] if taken < len(self.chunks) else b""
        return {"type": "http.request", "body": chunk, "more_body": self.num_taken < len(self.chunks)}


def request_of(wire: object, content_type: str | None = None, headers: Mapping[str, str] | None = None) -> Request:
    given = {} if headers is None else dict(headers)
    if content_type is not None:
        given["content-type"] = content_type
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]
    return Request({"type": "http", "method": "POST", "path": "/v1/videos", "query_string": b"", "headers": raw}, wire)


def read(body: bytes | str, content_type: str | None = "application/json", *, chunk_bytes: int = 1 << 16, **headers: str) -> Body:
    data = body.encode("utf-8") if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = asyncio.run(read_body(request_of(Wire(data, chunk_bytes), content_type, named)))
    _ = body.fields  # JSON is judged when they are asked for
    return body


def multipart(*parts: tuple[str, bytes | str] | tuple[str, bytes | str, str]) -> bytes:
    """A form of (name, value) fields and (name, bytes, filename) files."""
    out = b""
    for name, value, *filename in parts:
        disposition = f'form-data; name="{name}"' + "".join(f'; filename="{given}"' for given in filename)
        data = value.encode("utf-8") if isinstance(value, str) else value
        out += f"--{BOUNDARY}\r\ncontent-disposition: {disposition}\r\n\r\n".encode() + data + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


def recorded(name: str, chunk_bytes: int = 1 << 16) -> Body:
    """A body as a real client sent it: `fixtures/<client>/<name>.http` is the request line, the content type, and the body."""
    head, _, body = (FIXTURES / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    content_type = head.decode().partition("content-type: ")[2]
    return read(body, content_type, chunk_bytes=chunk_bytes)
