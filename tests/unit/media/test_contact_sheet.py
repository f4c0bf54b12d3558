from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cinelet.errors import InvalidValueError
from cinelet.media import contact_sheet
from cinelet.media.contact_sheet import MARGIN, PAPER
from tests.unit.media.places import names_in

MakeClip = Callable[..., NDArray[np.uint8]]
LABEL = 12 + MARGIN + MARGIN // 2


def picture(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def test_small_frames_are_shown_at_twice_their_size(tmp_path: Path, smooth_clip: MakeClip) -> None:
    sheet = picture(contact_sheet(smooth_clip(17, 96, 160), tmp_path / "sheet.png", fps=8))
    assert sheet.shape == (MARGIN + 3 * (192 + LABEL), MARGIN + 3 * (320 + MARGIN), 3)
    assert names_in(tmp_path) == ["sheet.png"]


def test_large_frames_are_shown_as_they_are_from_the_first_to_the_last(tmp_path: Path, smooth_clip: MakeClip) -> None:
    clip = smooth_clip(7, 240, 320)
    sheet = picture(contact_sheet(clip, tmp_path / "sheet.png", columns=2, max_frames=4))
    assert sheet.shape == (MARGIN + 2 * (240 + LABEL), MARGIN + 2 * (320 + MARGIN), 3)
    for place, i in enumerate([0, 2, 4, 6]):
        left, top = MARGIN + place % 2 * (320 + MARGIN), MARGIN + place // 2 * (240 + LABEL)
        assert np.array_equal(sheet[top : top + 240, left : left + 320], clip[i])


def test_a_short_clip_makes_a_small_sheet(tmp_path: Path, smooth_clip: MakeClip) -> None:
    sheet = picture(contact_sheet(smooth_clip(2, 96, 160), tmp_path / "sheet.png"))
    assert sheet.shape == (MARGIN + 192 + LABEL, MARGIN + 2 * (320 + MARGIN), 3)


def test_the_time_is_written_only_where_the_rate_is_known(tmp_path: Path, smooth_clip: MakeClip) -> None:
    clip = smooth_clip(1, 96, 160)
    with_time = picture(contact_sheet(clip, tmp_path / "with.png", fps=8))
    without = picture(contact_sheet(clip, tmp_path / "without.png"))
    right_label = (slice(MARGIN + 192, None), slice(MARGIN + 160, None))
    assert np.all(without[right_label] == PAPER)
    assert not np.all(with_time[right_label] == PAPER)


def test_a_sheet_of_one_pixel_frames_can_be_made(tmp_path: Path) -> None:
    contact_sheet(np.zeros((3, 1, 1, 3), np.uint8), tmp_path / "sheet.png", fps=8)


@pytest.mark.parametrize(("field", "value"), [("columns", 0), ("columns", 101), ("max_frames", 0), ("max_frames", 101), ("fps", 0)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, smooth_clip: MakeClip, field: str, value: int) -> None:
    with pytest.raises(InvalidValueError, match=field):
        contact_sheet(smooth_clip(), tmp_path / "sheet.png", **{field: value})
    assert names_in(tmp_path) == []
