"""A start image as people hand it over: a file's path, its bytes, or an array of pixels. Nothing of formats: who decodes it checks it."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinelet.errors import InvalidValueError, TooLargeError

ImageLike = str | os.PathLike[str] | bytes | NDArray[np.uint8]

MAX_BYTES = 20_000_000
"""What a service takes of a picture's file."""


def read_image(image: ImageLike) -> bytes:
    """The bytes of a picture's file; an array uint8 `[H, W, 3]` becomes a PNG. Raises `InvalidValueError`, `TooLargeError`."""
    data = image if isinstance(image, bytes) else _png(image) if isinstance(image, np.ndarray) else _file(image)
    if len(data) > MAX_BYTES:
        raise TooLargeError("image", f"{len(data):,} bytes", f"a picture's file has at most {MAX_BYTES:,} bytes")
    return data


def data_url(data: bytes) -> str:
    """The bytes in a text that JSON can carry (RFC 2397). The service knows the format by the bytes themselves."""
    return f"data:application/octet-stream;base64,{base64.b64encode(data).decode('ascii')}"


def _file(path: str | os.PathLike[str]) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidValueError("image", path, "must be a readable JPEG, PNG or WebP file, its bytes, or an array of pixels") from error


def _png(pixels_HWC: NDArray[np.uint8]) -> bytes:
    """A PNG of one stripe after the other, unfiltered (PNG specification, third edition, sections 5 and 11)."""
    if pixels_HWC.dtype != np.uint8 or pixels_HWC.ndim != 3 or pixels_HWC.shape[2] != 3 or 0 in pixels_HWC.shape:
        raise InvalidValueError("image", f"{pixels_HWC.dtype} {list(pixels_HWC.shape)}", "an array must be uint8 [H, W, 3]")
    height, width, _ = pixels_HWC.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels_HWC)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
