"""One picture to an image file, whole or not at all. Nothing of clips."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from cinelet.draft import Draft, explained
from cinelet.errors import InvalidValueError

FORMATS: dict[str, tuple[str, dict[str, int | bool]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 90, "subsampling": 0, "progressive": True}),
    ".jpeg": ("JPEG", {"quality": 90, "subsampling": 0, "progressive": True}),
    ".webp": ("WEBP", {"quality": 90}),
}
"""By suffix. JPEG keeps full colour resolution (`subsampling` 0): halved colour smears the edges of flat drawings."""


def save_picture(image: Image.Image, path: str | os.PathLike[str]) -> Path:
    """Write `image` to `path` in the format of its suffix. Raises what `Draft` raises, and `InvalidValueError` for the suffix."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InvalidValueError("output", str(path), f"must end in {', '.join(FORMATS)}")
    name, options = FORMATS[suffix]
    with Draft(path) as draft, explained(draft.target):
        image.save(draft.path, format=name, **options)
    return Path(path)
