"""Charts with one calm look, as PNG bytes. Nothing of loads, simulations or files; matplotlib is loaded with the first chart.

A chart is made, drawn on and asked for its bytes:

    chart = Chart("Latency", x="seconds since the start", y="seconds")
    chart.line(at_s, latency_s, "vip", TIER_COLOURS["vip"])
    png = chart.png()
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cinelet.extras import extra

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#33658a", "#e08e45", "#4f9d69", "#b8433f", "#7b5ea7", "#8a939b"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
"""In the order they are taken. Told apart with any colour sight by lightness: dark blue, light orange, green, purple, red, grey."""
TIER_COLOURS: Mapping[str, str] = {"vip": ORANGE, "standard": BLUE, "free": GREY}
INK, FAINT = "#24292e", "#e3e6e8"
DPI = 144
NEAR_ZERO = 0.25
"""An axis whose first value is below this share of its last one starts at zero."""
MAX_POINTS = 20_000
"""More marks than this are a cloud: every n-th is drawn."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
}

MAX_COLUMNS = 5
"""Of a legend."""


class Chart:
    """One chart: a title, two axes with their units in the labels, marks. `log` names axes with a logarithmic scale: "x", "y", "xy".

    Raises `RequestError` where matplotlib is not installed.
    """

    def __init__(self, title: str, *, x: str, y: str, log: str = "", width_in: float = 7.6, height_in: float = 3.6) -> None:
        figure_kind, self._style = _matplotlib()
        with self._style(STYLE):
            self._figure = figure_kind(figsize=(width_in, height_in), dpi=DPI, layout="constrained")
            self._figure.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
            self._axes = self._figure.add_subplot()
            self._axes.set(title=title, xlabel=x, ylabel=y)
            self._axes.margins(x=0.01)
        self._log = log
        self._num_colours = 0
        self._has_labels = False

    def line(self, x: ArrayLike, y: ArrayLike, label: str = "", colour: str | None = None, *, dashed: bool = False) -> None:
        """A line through points."""
        self._axes.plot(x, y, label=self._named(label), color=self._colour(colour), linewidth=1.8, linestyle="--" if dashed else "-")

    def steps(self, x: ArrayLike, y: ArrayLike, label: str = "", colour: str | None = None, *, filled: bool = False) -> None:
        """A value that holds from each x to the next."""
        colour = self._colour(colour)
        self._axes.step(x, y, where="post", label=self._named(label), color=colour, linewidth=1.6)
        if filled:
            self._axes.fill_between(np.asarray(x), np.asarray(y), step="post", color=colour, alpha=0.15, linewidth=0)

    def points(self, x: ArrayLike, y: ArrayLike, label: str = "", colour: str | None = None, *, mark: str = "o") -> None:
        """Single marks, thinned where there are more than an eye can tell apart."""
        every = max(1, -(-np.size(np.asarray(x)) // MAX_POINTS))
        look = {"color": self._colour(colour), "markersize": 4.0, "markeredgewidth": 1.2 if mark == "x" else 0.0, "alpha": 0.75}
        self._axes.plot(np.asarray(x)[::every], np.asarray(y)[::every], mark, label=self._named(label), **look)

    def band(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, label: str = "", colour: str | None = None) -> None:
        """The area between two lines: a range, a quantile."""
        self._axes.fill_between(
            np.asarray(x), np.asarray(low), np.asarray(high), label=self._named(label), color=self._colour(colour), alpha=0.2, linewidth=0
        )

    def shares(self, values: ArrayLike, label: str = "", colour: str | None = None) -> None:
        """The share of values up to each value: a distribution without bins. An empty one draws nothing."""
        ordered = np.sort(np.asarray(values, dtype=np.float64))
        if len(ordered):
            share = 100.0 * np.arange(len(ordered) + 1) / len(ordered)
            self._axes.step(
                [ordered[0], *ordered], share, where="post", label=self._named(label), color=self._colour(colour), linewidth=1.8
            )
            self._axes.set_ylim(0, 101)

    def bars(self, names: Sequence[str], groups: Mapping[str, Sequence[float]], colours: Mapping[str, str] | None = None) -> None:
        """Bars by name, a group of them a name: one value a name in each of `groups`."""
        width = 0.8 / len(groups)
        places = np.arange(len(names))
        for number, (label, values) in enumerate(groups.items()):
            at = places + (number - (len(groups) - 1) / 2) * width
            colour = self._colour((colours or {}).get(label))
            self._axes.bar(at, values, width * 0.92, label=self._named(label if len(groups) > 1 else ""), color=colour)
        self._axes.set_xticks(places, names)
        self._axes.grid(visible=False, axis="x")

    def level(self, at: float, label: str = "", colour: str = GREY) -> None:
        """A horizontal line: a target, a capacity."""
        self._axes.axhline(at, label=self._named(label), color=colour, linewidth=1.2, linestyle=":")

    def moment(self, at: float, label: str = "", colour: str = GREY) -> None:
        """A vertical line: something that happened."""
        self._axes.axvline(at, label=self._named(label), color=colour, linewidth=1.2, linestyle=":")

    def png(self) -> bytes:
        """The chart as it is now."""
        with self._style(STYLE):
            for axis in ("x", "y"):
                if axis in self._log:
                    self._axes.set(**{f"{axis}scale": "log"})
                    getattr(self._axes, f"{axis}axis").set_major_formatter(_plain)
            if "y" not in self._log and self._axes.dataLim.y0 >= 0:
                self._axes.set_ylim(bottom=0)
            extent = self._axes.dataLim
            if "x" not in self._log and 0 < extent.x0 < NEAR_ZERO * extent.x1:
                self._axes.set_xlim(left=0)
            if self._has_labels:
                self._add_legend()
            file = io.BytesIO()
            self._figure.savefig(file, format="png", metadata={"Software": None})
        return file.getvalue()

    def _add_legend(self) -> None:
        """In as many columns as fit."""
        for ncols in range(MAX_COLUMNS, 0, -1):
            legend = self._figure.legend(loc="outside lower left", ncols=ncols)
            if ncols == 1 or legend.get_window_extent().width <= self._figure.bbox.width:
                return
            legend.remove()

    def _named(self, label: str) -> str:
        self._has_labels = self._has_labels or bool(label)
        return label or "_"

    def _colour(self, colour: str | None) -> str:
        if colour is not None:
            return colour
        self._num_colours += 1
        return COLOURS[(self._num_colours - 1) % len(COLOURS)]


def check_charts() -> None:
    """Raise now, before hours of work, what the first chart would raise."""
    _matplotlib()


def _matplotlib() -> tuple[Any, Any]:
    with extra("lab"):
        from matplotlib import rc_context  # noqa: PLC0415 - most commands draw nothing
        from matplotlib.figure import Figure  # noqa: PLC0415
    return Figure, rc_context


def _plain(value: float, _: int) -> str:
    return f"{value:g}"
