from __future__ import annotations

import numpy as np
import pytest

from cinelet.errors import InvalidValueError
from cinelet.media.frames import check_frames, pad_to_even, spread


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (2, 4, 4), (2, 4, 4, 4), (2, 0, 4, 3)])
def test_a_clip_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValueError, match=r"uint8 \[T, H, W, 3\]"):
        check_frames(np.zeros(shape, np.uint8))


def test_a_clip_of_floats_is_refused_and_the_message_shows_them() -> None:
    with pytest.raises(InvalidValueError, match=r"float32 \[2, 4, 4, 3\]"):
        check_frames(np.zeros((2, 4, 4, 3), np.float32))


def test_padding_repeats_the_last_row_and_column() -> None:
    frame = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    padded = pad_to_even(frame)
    assert padded.shape == (4, 6, 3)
    assert np.array_equal(padded[:3, :5], frame)
    assert np.array_equal(padded[3, :5], frame[2])
    assert np.array_equal(padded[:, 5], padded[:, 4])


def test_an_even_frame_is_not_copied() -> None:
    frame = np.zeros((4, 6, 3), np.uint8)
    assert pad_to_even(frame) is frame


@pytest.mark.parametrize(
    ("num_frames", "max_frames", "chosen"),
    [
        (17, 9, [0, 2, 4, 6, 8, 10, 12, 14, 16]),
        (81, 9, [0, 10, 20, 30, 40, 50, 60, 70, 80]),
        (3, 9, [0, 1, 2]),
        (10, 2, [0, 9]),
        (10, 1, [5]),
        (1, 9, [0]),
        (1, 1, [0]),
    ],
)
def test_chosen_frames_are_spread_evenly_from_the_first_to_the_last(num_frames: int, max_frames: int, chosen: list[int]) -> None:
    assert spread(num_frames, max_frames) == chosen
