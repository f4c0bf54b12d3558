"""Frames that are encoded while more come: the same file as from whole frames, and every way in which they may stop coming."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cinelet.media import write_clip
from cinelet.video import Video
from cinelet.worker.fake import paint
from cinelet.worker.frame_stream import AbandonedError, FrameStream
from tests.support.world import PLAN

TAGS = {"title": "a red balloon"}
FRAMES = paint(PLAN, PLAN.num_frames)
VIDEO = Video(frames=FRAMES, latents=np.zeros((1, 1, 1, 1), np.float32), plan=PLAN, stage_durations_s={})


def encoding(stream: FrameStream, path: Path) -> Future[Path]:
    return ThreadPoolExecutor(1).submit(stream.encode, path, PLAN, TAGS)


def test_frames_that_come_in_parts_make_the_file_of_whole_frames(tmp_path: Path) -> None:
    stream = FrameStream()
    future = encoding(stream, tmp_path / "parts.mp4")
    for start, stop in ((0, 1), (1, 5), (5, 9)):
        stream.put(start, FRAMES[start:stop])
    assert future.result(30).read_bytes() == write_clip(FRAMES, tmp_path / "whole.mp4", PLAN.fps, TAGS).read_bytes()


def test_a_decode_that_begins_again_is_encoded_from_its_first_frame(tmp_path: Path) -> None:
    stream = FrameStream()
    future = encoding(stream, tmp_path / "again.mp4")
    stream.put(0, paint(replace(PLAN, seed=8), 5))
    for start, stop in ((0, 4), (4, 9)):
        stream.put(start, FRAMES[start:stop])
    assert future.result(30).read_bytes() == write_clip(FRAMES, tmp_path / "whole.mp4", PLAN.fps, TAGS).read_bytes()


def test_an_abandoned_clip_frees_its_encoder_and_leaves_no_file(tmp_path: Path) -> None:
    stream = FrameStream()
    future = encoding(stream, tmp_path / "abandoned.mp4")
    stream.put(0, FRAMES[:4])
    stream.abandon()
    with pytest.raises(AbandonedError):
        future.result(30)
    assert list(tmp_path.iterdir()) == []


def test_whoever_waits_for_the_clip_hears_of_its_end() -> None:
    whole, abandoned = FrameStream(), FrameStream()
    threading.Timer(0.0, whole.close, [VIDEO]).start()
    assert whole.video() is VIDEO
    threading.Timer(0.0, abandoned.abandon).start()
    with pytest.raises(AbandonedError):
        abandoned.video()


def test_a_clip_that_is_whole_cannot_be_abandoned() -> None:
    stream = FrameStream()
    stream.close(VIDEO)
    stream.abandon()
    assert stream.video() is VIDEO
