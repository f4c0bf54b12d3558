"""How each kind of clip is written, in FFmpeg's words: container, codec, options, tags. Nothing of files or of frames.

The options aim at three things: common players play it, it looks like the frames, and equal input gives equal bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cinelet.errors import InvalidValueError
from cinelet.video import CONTAINERS, MAX_FPS

NUM_THREADS = 4
"""x264 wrote four different files of one clip with 1, 2, 4 and 8 threads; a constant makes machines agree. VP9 does not care."""

MAX_GIF_FPS = 50
"""A GIF counts hundredths of a second, and browsers slow a delay of one hundredth down to ten."""

MP4_TAGS = {"title", "artist", "album", "comment", "composer", "copyright", "date", "description", "genre", "synopsis"}
"""Tags with a standard (iTunes) place in FFmpeg's MP4 writer. For any other key all tags move to its `mdta` form, which fewer
players read."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One kind of clip. `needs_even`: width and height must be even; `max_fps`: frames beyond this rate are left out."""

    container: str
    codec: str
    pixels: str
    codec_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    needs_even: bool = False
    max_fps: int = MAX_FPS

    @property
    def is_yuv(self) -> bool:
        """Whether pictures are brightness and halved colour (ITU-R BT.709, limited range) instead of red, green and blue."""
        return self.pixels == "yuv420p"

    def options_for(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The container's options: no dates, no versions, and FFmpeg's own tag form where a tag asks for it."""
        options = {"fflags": "+bitexact", **self.container_options}
        if self.container == "mp4" and not tags.keys() <= MP4_TAGS:
            options["movflags"] += "+use_metadata_tags"
        return options


RECIPES = {
    "mp4": Recipe(
        container="mp4",
        codec="libx264",
        pixels="yuv420p",
        codec_options={"preset": "veryfast", "crf": "18", "x264-params": "cpu-independent=1"},
        container_options={"movflags": "+faststart"},
        needs_even=True,
    ),
    "webm": Recipe(
        container="webm",
        codec="libvpx-vp9",
        pixels="yuv420p",
        codec_options={"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4"},
    ),
    "gif": Recipe(container="gif", codec="gif", pixels="pal8", container_options={"loop": "0"}, max_fps=MAX_GIF_FPS),
}
"""By suffix. Rendered clips come back from MP4 and WebM with 34 to 42 dB (PSNR) at 832x480, and with 28 to 41 dB at 160x96, where
halved colour costs most (29 dB alone on a neon street): keep the frames themselves for measurements."""


def recipe_for(path: str | os.PathLike[str]) -> Recipe:
    """The recipe that the suffix of `path` asks for. Raises `InvalidValueError`."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in RECIPES:
        raise InvalidValueError("output", str(path), f"must end in {', '.join(f'.{name}' for name in CONTAINERS)}")
    return RECIPES[suffix]


def check_tags(tags: Mapping[str, str]) -> None:
    """Tags must be text that every container can carry; a NUL would end it early. Raises `InvalidValueError`."""
    for name, value in tags.items():
        if not is_carried(name) or not is_carried(value):
            raise InvalidValueError(f"metadata {name}", value, "must be valid Unicode text without the NUL character")


def is_carried(text: object) -> bool:
    """Whether `text` survives as a C string in UTF-8: no NUL, no half of a surrogate pair."""
    return isinstance(text, str) and not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)
