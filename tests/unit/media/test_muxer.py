from __future__ import annotations

import resource
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from cinelet.errors import InternalError, InvalidValueError, UnavailableError
from cinelet.media import Muxer, check_output, read_clip, write_clip
from cinelet.media.recipe import RECIPES
from cinelet.video import CONTAINERS
from tests.unit.media.places import names_in, num_open_files

Clip = NDArray[np.uint8]
MakeClip = Callable[..., Clip]

BT709 = 1
LIMITED_RANGE = 1


def psnr_db(a: Clip, b: Clip) -> float:
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def top_level_boxes(path: Path) -> list[str]:
    """The names of an MP4's outer boxes, in order (ISO/IEC 14496-12, section 4.2)."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        names.append(name.decode("ascii"))
        at += size
    return names


def tags_of(path: Path) -> dict[str, str]:
    with av.open(str(path), "r") as container:
        return {name.lower(): value for name, value in container.metadata.items()}


@contextmanager
def files_at_most(size_bytes: int) -> Iterator[None]:
    """A stand-in for a full disk: the system refuses to let any file of this process grow further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
@pytest.mark.parametrize("fps", [8, 16, 24, 60])
def test_frames_come_back_as_they_went_in(tmp_path: Path, smooth_clip: MakeClip, suffix: str, fps: int) -> None:
    clip = smooth_clip()
    path = write_clip(clip, tmp_path / f"clip.{suffix}", fps)
    frames, read_fps = read_clip(path)
    assert frames.shape == clip.shape
    assert read_fps == fps
    assert min(psnr_db(a, b) for a, b in zip(frames, clip, strict=True)) > 30
    assert names_in(tmp_path) == [f"clip.{suffix}"]


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
def test_a_single_frame_is_a_clip(tmp_path: Path, smooth_clip: MakeClip, suffix: str) -> None:
    clip = smooth_clip(num_frames=1)
    frames, _ = read_clip(write_clip(clip, tmp_path / f"clip.{suffix}", 8))
    assert frames.shape == clip.shape
    assert psnr_db(frames, clip) > 30


@pytest.mark.parametrize("suffix", ["webm", "gif"])
@pytest.mark.parametrize(("height", "width"), [(97, 161), (96, 161), (5, 3), (1, 1)])
def test_webm_and_gif_keep_odd_sizes(tmp_path: Path, smooth_clip: MakeClip, suffix: str, height: int, width: int) -> None:
    clip = smooth_clip(num_frames=3, height=height, width=width)
    frames, _ = read_clip(write_clip(clip, tmp_path / f"clip.{suffix}", 8))
    assert frames.shape == clip.shape


@pytest.mark.parametrize(("height", "width"), [(97, 161), (96, 161), (5, 3), (1, 1)])
def test_an_odd_mp4_grows_by_a_repeated_edge(tmp_path: Path, smooth_clip: MakeClip, height: int, width: int) -> None:
    clip = smooth_clip(num_frames=3, height=height, width=width)
    frames, _ = read_clip(write_clip(clip, tmp_path / "clip.mp4", 8))
    assert frames.shape == (3, height + height % 2, width + width % 2, 3)
    assert psnr_db(frames[:, :height, :width], clip) > 30
    assert psnr_db(frames[:, :height, -1:], clip[:, :, -1:]) > 25


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (12, 200, 77)])
def test_plain_colours_stay_what_they_are(tmp_path: Path, suffix: str, colour: tuple[int, int, int]) -> None:
    clip = np.full((2, 32, 32, 3), colour, np.uint8)
    frames, _ = read_clip(write_clip(clip, tmp_path / f"clip.{suffix}", 8))
    assert np.abs(frames.astype(int) - clip.astype(int)).max() <= 4


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_a_player_need_not_guess_the_colours(tmp_path: Path, smooth_clip: MakeClip, suffix: str, codec: str) -> None:
    path = write_clip(smooth_clip(), tmp_path / f"clip.{suffix}", 8)
    with av.open(str(path), "r") as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == (codec, "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (BT709, BT709, BT709)
        assert context.color_range == LIMITED_RANGE


def test_an_mp4_can_play_before_it_is_loaded_whole(tmp_path: Path, smooth_clip: MakeClip) -> None:
    boxes = top_level_boxes(write_clip(smooth_clip(), tmp_path / "clip.mp4", 8))
    assert boxes.index("moov") < boxes.index("mdat")


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
def test_equal_frames_give_equal_bytes(tmp_path: Path, smooth_clip: MakeClip, suffix: str) -> None:
    clip, tags = smooth_clip(num_frames=20), {"title": "a panda"}
    first = write_clip(clip, tmp_path / f"first.{suffix}", 8, tags)
    second = write_clip(clip.copy(), tmp_path / f"second.{suffix}", 8, tags)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_tags_are_kept_and_no_date_is_added(tmp_path: Path, smooth_clip: MakeClip, suffix: str) -> None:
    tags = {"title": '熊猫跳舞 🐼\nsecond line; "quoted" = yes', "comment": "seed 7", "description": "x" * 40_000}
    found = tags_of(write_clip(smooth_clip(), tmp_path / f"clip.{suffix}", 8, tags))
    assert found.items() >= tags.items()
    assert "creation_time" not in found


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_a_tag_of_ones_own_is_kept_beside_the_common_ones(tmp_path: Path, smooth_clip: MakeClip, suffix: str) -> None:
    tags = {"title": "a panda", "AIGC": '{"Label": "1"}'}
    found = tags_of(write_clip(smooth_clip(), tmp_path / f"clip.{suffix}", 8, tags))
    assert found.items() >= {"title": "a panda", "aigc": '{"Label": "1"}'}.items()


@pytest.mark.parametrize("value", ["a\0b", "\udc80", 7])
def test_a_tag_that_cannot_be_carried_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(InvalidValueError, match="metadata title"):
        Muxer(tmp_path / "clip.mp4", width=4, height=4, fps=8, metadata={"title": value})  # type: ignore[dict-item]


def test_frames_in_any_memory_order_are_taken_and_may_be_overwritten(tmp_path: Path, smooth_clip: MakeClip) -> None:
    clip = smooth_clip()
    mirrored = clip[:, :, ::-1]
    with Muxer(tmp_path / "clip.mp4", width=64, height=48, fps=8) as muxer:
        buffer = np.empty_like(mirrored[0])
        for frame in mirrored:
            buffer[:] = frame
            muxer.write(buffer)
            buffer[:] = 0
    assert muxer.num_frames == len(clip)
    write_clip(mirrored, tmp_path / "whole.mp4", 8)
    assert (tmp_path / "clip.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert psnr_db(read_clip(tmp_path / "clip.mp4")[0], mirrored) > 30


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
@pytest.mark.parametrize("num_written", [0, 1, 5])
def test_an_exception_in_the_middle_leaves_nothing(tmp_path: Path, smooth_clip: MakeClip, suffix: str, num_written: int) -> None:
    open_files = num_open_files()

    def interrupted() -> None:
        with Muxer(tmp_path / f"clip.{suffix}", width=64, height=48, fps=8) as muxer:
            for frame in smooth_clip(num_written):
                muxer.write(frame)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names_in(tmp_path) == []
    assert num_open_files() == open_files


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
def test_the_older_file_stays_until_the_new_one_is_whole(tmp_path: Path, smooth_clip: MakeClip, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    path.write_bytes(b"old")
    with Muxer(path, width=64, height=48, fps=8) as muxer:
        for frame in smooth_clip():
            muxer.write(frame)
            assert path.read_bytes() == b"old"
    assert read_clip(path)[0].shape == (9, 48, 64, 3)
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
def test_no_frames_make_no_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InvalidValueError, match="at least one frame"), Muxer(tmp_path / f"clip.{suffix}", width=4, height=4, fps=8):
        pass
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, noisy_frame: Clip, suffix: str) -> None:
    clip = np.stack([noisy_frame] * 8)
    open_files = num_open_files()
    with files_at_most(4096), pytest.raises(UnavailableError, match="the disk is full"):
        write_clip(clip, tmp_path / f"clip.{suffix}", 8)
    assert names_in(tmp_path) == []
    assert num_open_files() == open_files


def test_a_frame_of_another_form_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    wrong = [np.zeros((48, 63, 3), np.uint8), np.zeros((48, 64, 4), np.uint8), np.zeros((48, 64, 3), np.float32), np.zeros(3, np.uint8)]
    for frame in wrong:
        with pytest.raises(InvalidValueError, match="frame"), Muxer(tmp_path / "clip.mp4", width=64, height=48, fps=8) as muxer:
            muxer.write(frame)  # type: ignore[arg-type]
    assert names_in(tmp_path) == []


def test_a_failing_encoder_is_our_bug_and_leaves_nothing(tmp_path: Path, smooth_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise av.error.ExternalError(-1, "broken")

    monkeypatch.setattr(Muxer, "_encode", broken)
    with pytest.raises(InternalError, match="mp4 encoder"):
        write_clip(smooth_clip(), tmp_path / "clip.mp4", 8)
    assert names_in(tmp_path) == []


def test_a_failing_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("cinelet.media.muxer.configure", broken)
    with pytest.raises(MemoryError), Muxer(tmp_path / "clip.mp4", width=4, height=4, fps=8):
        pass
    assert names_in(tmp_path) == []


def test_writing_outside_of_the_with_block_is_our_bug(tmp_path: Path, smooth_clip: MakeClip) -> None:
    muxer = Muxer(tmp_path / "clip.mp4", width=64, height=48, fps=8)
    with pytest.raises(InternalError, match="with block"):
        muxer.write(smooth_clip(1)[0])


@pytest.mark.parametrize(("field", "value"), [("width", 0), ("height", -1), ("width", 2**16), ("fps", 0), ("fps", 121), ("fps", 8.5)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, field: str, value: int) -> None:
    numbers = {"width": 64, "height": 48, "fps": 8, field: value}
    with pytest.raises(InvalidValueError, match=field):
        Muxer(tmp_path / "clip.mp4", width=numbers["width"], height=numbers["height"], fps=numbers["fps"])


@pytest.mark.parametrize("name", ["clip", "clip.avi", "clip.mp4.txt", "clip.", ".mp4", ""])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValueError, match=r"must end in \.mp4, \.webm, \.gif"):
        check_output(tmp_path / name)


def test_every_container_of_the_wire_has_a_recipe() -> None:
    assert tuple(RECIPES) == CONTAINERS


def test_an_upper_case_suffix_is_the_same_format(tmp_path: Path, smooth_clip: MakeClip) -> None:
    assert "moov" in top_level_boxes(write_clip(smooth_clip(), tmp_path / "CLIP.MP4", 8))


def test_a_writable_output_passes_the_early_check_without_a_trace(tmp_path: Path) -> None:
    check_output(str(tmp_path / "clip.mp4"))
    (tmp_path / "old.webm").write_bytes(b"old")
    check_output(tmp_path / "old.webm")
    assert names_in(tmp_path) == ["old.webm"]


def test_the_early_check_and_the_muxer_refuse_the_same_places(tmp_path: Path, unwritable_dir: Path) -> None:
    for path in (unwritable_dir / "clip.mp4", tmp_path / "missing" / "clip.mp4", unwritable_dir.parent / "no" / "clip.mp4"):
        with pytest.raises(InvalidValueError, match="output"):
            check_output(path)
        with pytest.raises(InvalidValueError, match="output"), Muxer(path, width=4, height=4, fps=8):
            pass


def test_a_directory_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InvalidValueError, match="not a directory"):
        check_output(tmp_path / "folder.mp4")
