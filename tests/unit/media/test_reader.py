from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.media import read_clip, write_clip


def test_a_missing_clip_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no file"):
        read_clip(tmp_path / "missing.mp4")
    with pytest.raises(NotFoundError):
        read_clip(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a clip at all", b"\0" * 5000])
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(InvalidValueError, match="must be a video file"):
        read_clip(tmp_path / "clip.mp4")


def test_a_clip_cut_short_is_refused_or_shorter_but_never_a_crash(tmp_path: Path) -> None:
    clip = np.random.default_rng(5).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    whole = write_clip(clip, tmp_path / "clip.mp4", 8).read_bytes()
    for share in (0.1, 0.5, 0.9):
        (tmp_path / "cut.mp4").write_bytes(whole[: int(len(whole) * share)])
        try:
            frames, _ = read_clip(tmp_path / "cut.mp4")
        except InvalidValueError:
            continue
        assert len(frames) <= len(clip)
