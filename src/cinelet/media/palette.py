"""The 256 colours of a GIF: chosen once for a whole clip, so that nothing flickers. Nothing of files.

The choice needs every frame, so a palette holds the clip (4 bytes a pixel) until it has seen the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame

DITHER = "dither=sierra2_4a:diff_mode=rectangle"
"""Error diffusion, only where the picture changes: still backgrounds stay still, and the file small."""


class Palette:
    """Takes the RGB pictures of one clip, and gives them back in its own 256 colours.

    Pictures beyond `max_fps` are left out, and the clip keeps its length.
    """

    def __init__(self, width: int, height: int, fps: int, max_fps: int) -> None:
        self._graph = Graph()
        source = self._graph.add_buffer(width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, fps))
        thin = self._graph.add("fps", str(max_fps)) if fps > max_fps else self._graph.add("null")
        split = self._graph.add("split")
        choose = self._graph.add("palettegen", "stats_mode=full")
        use = self._graph.add("paletteuse", DITHER)
        sink = self._graph.add("buffersink")
        source.link_to(thin)
        thin.link_to(split)
        split.link_to(choose, 0, 0)
        split.link_to(use, 1, 0)
        choose.link_to(use, 0, 1)
        use.link_to(sink)
        self._graph.configure()

    def add(self, picture: VideoFrame) -> None:
        """Take the next picture (rgb24, with its time)."""
        self._graph.vpush(picture)

    def finish(self) -> Iterator[VideoFrame]:
        """All pictures in their 256 colours, in order. Call it once, after the last `add`."""
        self._graph.vpush(None)
        while True:
            try:
                yield self._graph.vpull()
            except av.error.EOFError:
                return
