"""Frames to a clip: MP4 (H.264), WebM (VP9) or GIF, fed frame by frame. Nothing of models, jobs or where clips are kept.

Equal frames, rate and tags give equal bytes with one build of PyAV: no date is written, and the number of x264's threads is
fixed, because its output depends on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import numpy as np
from av.codec.context import Flags, ThreadType
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream
from numpy.typing import NDArray

from cinelet.draft import Draft, check_place, explained
from cinelet.errors import InternalError, InvalidValueError
from cinelet.media.frames import check_frame, check_frames, pad_to_even
from cinelet.media.palette import Palette
from cinelet.media.recipe import NUM_THREADS, Recipe, check_tags, recipe_for
from cinelet.video import MAX_FPS, check_integer

SHRINK_CHROMA = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP)
"""How colour is halved for yuv420p. On a rendered 832x480 street 35.8 dB come back; with FFmpeg's bilinear default 35.1."""


class Muxer:
    """Writes one clip. Use it in a `with` block: a clean exit publishes the file, an exception leaves nothing behind.

    The suffix of `path` decides the format. `width` and `height` are pixels, `fps` whole frames per second, `metadata` tags
    such as title and comment (a GIF has none). H.264 for real players has even sizes only: an odd MP4 grows by one repeated
    column or row; WebM and GIF keep odd sizes. A GIF shows at most 50 frames per second, so a faster clip loses frames there.

    Raises `InvalidValueError` for a path, size, rate, tag or frame that cannot be written, and for a clip without frames;
    `UnavailableError` where the disk is full. Not for several threads at once.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, width: int, height: int, fps: int, metadata: Mapping[str, str] | None = None
    ) -> None:
        check_integer("width", width, 1, 2**16 - 1)
        check_integer("height", height, 1, 2**16 - 1)
        check_integer("fps", fps, 1, MAX_FPS)
        check_tags(metadata or {})
        self._recipe = recipe_for(path)
        self._draft = Draft(path)
        self._tags = dict(metadata or {})
        self._container: OutputContainer | None = None
        self._palette: Palette | None = None
        self.width = width
        self.height = height
        self.fps = fps
        self.num_frames = 0

    def __enter__(self) -> Self:
        """Open the draft and the encoder."""
        self._draft.create()
        try:
            with self._translated():
                self._open()
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Finish and publish the clip, or discard it where the block raised."""
        try:
            if error is None:
                with self._translated():
                    self._finish()
                self._draft.publish()
        finally:
            self._abandon()

    def write(self, frame_HWC: NDArray[np.uint8]) -> None:
        """Add the next frame: uint8 `[height, width, 3]`, red green blue. The array may be reused afterwards."""
        check_frame(frame_HWC, self.width, self.height)
        with self._translated():
            picture = self._picture(frame_HWC)
            if self._palette is not None:
                self._palette.add(picture)
            else:
                self._encode(picture)
        self.num_frames += 1

    def _open(self) -> None:
        recipe, path = self._recipe, str(self._draft.path)
        self._container = av.open(path, "w", format=recipe.container, container_options=recipe.options_for(self._tags))
        self._container.metadata.update(self._tags)
        rate = min(self.fps, recipe.max_fps)
        self._stream = cast("VideoStream", self._container.add_stream(recipe.codec, rate=rate, options=recipe.codec_options))
        self._stream.width = self.width + self.width % 2 if recipe.needs_even else self.width
        self._stream.height = self.height + self.height % 2 if recipe.needs_even else self.height
        configure(self._stream, recipe)
        if recipe.container == "gif":
            self._palette = Palette(self.width, self.height, self.fps, recipe.max_fps)

    def _picture(self, frame_HWC: NDArray[np.uint8]) -> VideoFrame:
        """The frame as FFmpeg takes it: with its time, and in the colours of HD television where the format has those."""
        pixels = pad_to_even(frame_HWC) if self._recipe.needs_even else frame_HWC
        picture = VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
        if self._recipe.is_yuv:
            picture = picture.reformat(
                format=self._recipe.pixels,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=SHRINK_CHROMA,
            )
        picture.pts = self.num_frames
        picture.time_base = Fraction(1, self.fps)
        return picture

    def _encode(self, picture: VideoFrame | None) -> None:
        """Encode one picture and write what comes out; None flushes the encoder."""
        if self._container is None:
            raise InternalError("a muxer was used outside of its with block")
        self._container.mux(self._stream.encode(picture))

    def _finish(self) -> None:
        if self.num_frames == 0:
            raise InvalidValueError("frames", 0, "a clip needs at least one frame")
        for picture in self._palette.finish() if self._palette is not None else ():
            self._encode(picture)
        self._encode(None)
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _abandon(self) -> None:
        """Let go of everything; the second call after a finished clip finds nothing left to do."""
        container, self._container, self._palette = self._container, None, None
        if container is not None:
            with suppress(OSError, av.FFmpegError):
                container.close()
        self._draft.discard()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """FFmpeg's errors as ours: the system's by what they say of the output, all others as a bug."""
        with explained(self._draft.target):
            try:
                yield
            except av.FFmpegError as error:
                if isinstance(error, OSError):
                    raise
                raise InternalError(f"the {self._recipe.container} encoder failed", detail=repr(error)) from error


def write_clip(video_frames: NDArray[np.uint8], path: str | os.PathLike[str], fps: int, metadata: Mapping[str, str] | None = None) -> Path:
    """Write uint8 `[T, H, W, 3]` as one clip and return its path. Raises what `Muxer` raises."""
    check_frames(video_frames)
    _, height, width, _ = video_frames.shape
    with Muxer(path, width=width, height=height, fps=fps, metadata=metadata) as muxer:
        for frame_HWC in video_frames:
            muxer.write(frame_HWC)
    return Path(path)


def check_output(path: str | os.PathLike[str]) -> None:
    """Raise now what `Muxer` would raise for this path later: call it before the expensive generation.

    It creates and removes an empty file beside `path`. Raises `InvalidValueError("output", …)`, or `UnavailableError` where the
    disk is full.
    """
    recipe_for(path)
    check_place(path)


def configure(stream: VideoStream, recipe: Recipe) -> None:
    """Settings that FFmpeg keeps as numbers: reproducible output, and colours that a player need not guess."""
    stream.pix_fmt = recipe.pixels
    codec = stream.codec_context
    codec.flags |= Flags.bitexact
    codec.thread_count = NUM_THREADS
    codec.thread_type = ThreadType.FRAME
    if recipe.is_yuv:
        codec.colorspace = Colorspace.ITU709
        codec.color_primaries = ColorPrimaries.BT709
        codec.color_trc = ColorTrc.BT709
        codec.color_range = ColorRange.MPEG
