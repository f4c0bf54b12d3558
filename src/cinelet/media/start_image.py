"""A start image ready for a clip: the pixels of its first frame, named by their digest. Nothing of models, requests or storage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cinelet.errors import ConflictError
from cinelet.media.picture import cover, read_picture


@dataclass(frozen=True, eq=False)
class StartImage:
    """`pixels_HWC` uint8, red, green, blue, at the size of the clip that was planned first."""

    pixels_HWC: NDArray[np.uint8] = field(repr=False)

    @classmethod
    def prepare(cls, data: bytes, width: int, height: int, field: str = "image") -> Self:
        """From the file's bytes, whatever its size. Raises what `read_picture` raises, naming `field`."""
        return cls(np.asarray(cover(read_picture(data, field), width, height)))

    @classmethod
    def from_png(cls, png: bytes, digest: str) -> Self:
        """What `to_png` gave. Raises `ConflictError` where it is not the image of `digest`."""
        kept = cls(np.asarray(read_picture(png)))
        if kept.digest != digest:
            raise ConflictError(f"image: what is kept as {digest[:12]}… is another image")
        return kept

    @property
    def digest(self) -> str:
        """What a plan names it by: SHA-256 of its size and pixels, whatever file they came in."""
        height, width, _ = self.pixels_HWC.shape
        return hashlib.sha256(f"{width}x{height} ".encode() + self.pixels_HWC.tobytes()).hexdigest()

    def to_png(self) -> bytes:
        """A file of nothing but the pixels."""
        written = BytesIO()
        Image.fromarray(self.pixels_HWC).save(written, format="PNG", compress_level=1)
        return written.getvalue()

    def at_size(self, width: int, height: int) -> NDArray[np.uint8]:
        """The pixels for a clip of this size, `[H, W, C]`: another one where the clip was made smaller by permission."""
        return np.asarray(cover(Image.fromarray(self.pixels_HWC), width, height))
