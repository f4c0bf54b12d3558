"""One picture from and to an image file. Nothing of clips.

What is read is foreign: known by its first bytes, measured before it is decoded, and handed on as bare pixels without what a camera
wrote beside them (places, faces, serial numbers). Decoding costs time and memory, so services do it off their event loop.
"""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from cinelet.draft import Draft, explained
from cinelet.errors import InvalidValueError, TooLargeError, UnsupportedMediaError

FORMATS: dict[str, tuple[str, dict[str, int | bool]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 90, "subsampling": 0, "progressive": True}),
    ".jpeg": ("JPEG", {"quality": 90, "subsampling": 0, "progressive": True}),
    ".webp": ("WEBP", {"quality": 90}),
}
"""By suffix. JPEG keeps full colour resolution (`subsampling` 0): halved colour smears the edges of flat drawings."""

MAX_BYTES = 20_000_000
"""The file: what a camera writes as JPEG, with room."""
MAX_PIXELS = 40_000_000
"""160 MB decoded with an alpha channel; forty times what any model reads."""
MAX_SIDE = 16_383
"""WebP's own bound (RFC 9649, section 2.5), kept for all three."""
DECODE_ERRORS = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, OverflowError, struct.error, zlib.error)
"""What pillow's readers raise on damaged files: they parse as they go."""


def read_picture(data: bytes, field: str = "image") -> Image.Image:
    """The one still picture in `data` (JPEG, PNG or WebP), upright, in red, green and blue; what is transparent lies on white.

    Errors name `field`: `UnsupportedMediaError` for other formats, `TooLargeError` beyond `MAX_BYTES`, `MAX_PIXELS` or `MAX_SIDE`,
    `InvalidValueError` for what is damaged or moves.
    """
    if len(data) > MAX_BYTES:
        raise TooLargeError(field, f"{len(data):,} bytes", f"a picture's file has at most {MAX_BYTES:,} bytes")
    kind = _kind(data, field)
    try:
        with Image.open(BytesIO(data), formats=[kind]) as image:
            if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
                raise _too_large(field, f"{image.width}x{image.height}")
            if getattr(image, "n_frames", 1) > 1:
                raise InvalidValueError(field, f"{kind} with several frames", "must be one still picture")
            return _on_white(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(field, "more") from error
    except DECODE_ERRORS as error:
        raise InvalidValueError(field, f"{kind} of {len(data):,} bytes", "cannot be decoded; the file is damaged") from error


def cover(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of `image` at this size: scaled until it covers the frame, what stands out cut off on both sides alike."""
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def save_picture(image: Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write `image` to `path` in the format of its suffix. Raises what `Draft` raises, and `InvalidValueError` for the suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InvalidValueError("output", str(path), f"must end in {', '.join(FORMATS)}")
    name, options = FORMATS[suffix]
    with Draft(path) as draft, explained(draft.target):
        image.save(draft.path, format=name, **options)
    return Path(path)


def _kind(data: bytes, field: str) -> str:
    """The format, told by the first bytes alone."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    raise UnsupportedMediaError(field, f"{len(data):,} bytes of another kind", "must be a PNG, JPEG or WebP picture")


def _too_large(field: str, shown: str) -> TooLargeError:
    return TooLargeError(field, shown, f"a picture has at most {MAX_PIXELS:,} pixels and {MAX_SIDE:,} on a side")


def _on_white(image: Image.Image) -> Image.Image:
    """In red, green and blue, with nothing else attached."""
    if image.mode.startswith("I"):  # 16 bits a pixel, which a plain conversion would clip
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    rgb = image.convert("RGB")
    return Image.frombytes("RGB", rgb.size, rgb.tobytes())
