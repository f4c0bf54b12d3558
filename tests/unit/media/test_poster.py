from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cinelet.errors import InvalidValueError
from cinelet.media import poster
from tests.unit.media.places import names_in

MakeClip = Callable[..., NDArray[np.uint8]]


@pytest.mark.parametrize(("suffix", "form"), [("jpg", "JPEG"), ("jpeg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("PNG", "PNG")])
def test_a_poster_is_the_middle_frame(tmp_path: Path, smooth_clip: MakeClip, suffix: str, form: str) -> None:
    clip = smooth_clip(9)
    path = poster(clip, tmp_path / f"poster.{suffix}")
    with Image.open(path) as image:
        assert (image.format, image.size) == (form, (64, 48))
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - clip[4].astype(int)).mean() < 4
    assert names_in(tmp_path) == [path.name]


def test_a_failing_write_keeps_the_older_poster(tmp_path: Path, smooth_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "poster.png"
    path.write_bytes(b"old")

    def broken(self: Image.Image, place: Path, **_: object) -> None:
        place.write_bytes(b"half")
        raise RuntimeError

    monkeypatch.setattr(Image.Image, "save", broken)
    with pytest.raises(RuntimeError):
        poster(smooth_clip(), path)
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["poster.png"]


def test_a_poster_of_no_frames_or_another_suffix_is_refused(tmp_path: Path, smooth_clip: MakeClip) -> None:
    with pytest.raises(InvalidValueError, match="at least one frame"):
        poster(smooth_clip()[:0], tmp_path / "poster.jpg")
    with pytest.raises(InvalidValueError, match=r"must end in \.png"):
        poster(smooth_clip(), tmp_path / "poster.tiff")
    with pytest.raises(InvalidValueError, match="directory must exist"):
        poster(smooth_clip(), tmp_path / "missing" / "poster.jpg")
    assert names_in(tmp_path) == []
