from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cinelet.media import read_clip, write_clip

Clip = NDArray[np.uint8]
MakeClip = Callable[..., Clip]


def delays_ms(path: Path) -> list[int]:
    with Image.open(path) as image:
        delays = []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            delays.append(int(image.info["duration"]))
        return delays


def test_a_gif_holds_every_frame_and_loops_forever(tmp_path: Path, smooth_clip: MakeClip) -> None:
    path = write_clip(smooth_clip(9), tmp_path / "clip.gif", 8)
    with Image.open(path) as image:
        assert (image.format, getattr(image, "n_frames", 1), image.info["loop"]) == ("GIF", 9, 0)


@pytest.mark.parametrize("fps", [8, 16, 24, 50])
def test_a_gif_keeps_its_pace_within_a_hundredth_of_a_second(tmp_path: Path, smooth_clip: MakeClip, fps: int) -> None:
    path = write_clip(smooth_clip(17), tmp_path / "clip.gif", fps)
    delays = delays_ms(path)
    assert len(delays) == 17
    assert abs(sum(delays[:-1]) - 16_000 / fps) <= 10
    assert read_clip(path)[1] == pytest.approx(fps, rel=0.05)


def test_a_faster_gif_loses_frames_but_keeps_its_length(tmp_path: Path, smooth_clip: MakeClip) -> None:
    delays = delays_ms(write_clip(smooth_clip(60), tmp_path / "clip.gif", 60))
    assert set(delays) == {20}
    assert abs(sum(delays) - 1000) <= 20


def test_up_to_255_colours_come_back_within_one_level(tmp_path: Path) -> None:
    colours = np.random.default_rng(3).integers(0, 8, (200, 3), dtype=np.uint8) * 32
    clip = colours[np.random.default_rng(4).integers(0, len(colours), (4, 24, 32))]
    frames, _ = read_clip(write_clip(clip, tmp_path / "clip.gif", 8))
    assert np.abs(frames.astype(int) - clip.astype(int)).max() <= 1


def test_many_colours_come_back_alike(tmp_path: Path, smooth_clip: MakeClip) -> None:
    clip = smooth_clip(9)
    frames, _ = read_clip(write_clip(clip, tmp_path / "clip.gif", 8))
    assert np.abs(frames.astype(int) - clip.astype(int)).mean() < 10
