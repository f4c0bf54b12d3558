"""Where a load comes from: a trace, or a pattern and a mix, by the text the command line knows it by. Nothing of services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cinelet.capacity.arrivals import MAX_RATE, TINY, Instants, bursty, daily, even, flash_crowd, poisson, ramp
from cinelet.capacity.mix import Mix, mixed
from cinelet.capacity.options import read_number, read_options
from cinelet.capacity.trace import MAX_ARRIVAL_S, Arrival, read_trace
from cinelet.errors import InvalidValueError
from cinelet.video import check_number


@dataclass(frozen=True, kw_only=True)
class Source:
    """A load by name. `draw` gives its arrivals: of a pattern over `duration_s` seconds and from a mix, of a trace as they stand there.

    `length_s` is the length of a ramp; a trace has its own end, and the other patterns must be told how long.
    """

    text: str
    path: Path | None = None
    pattern: Callable[[float, np.random.Generator], Instants] | None = None
    length_s: float | None = None

    def draw(self, duration_s: float | None, rng: np.random.Generator, mix: Mix | None = None) -> list[Arrival]:
        """The arrivals before `duration_s`. Raises `RequestError` for a bad trace, or where a pattern is not told how long."""
        if duration_s is not None:
            check_number("duration", duration_s, TINY, MAX_ARRIVAL_S)
        if self.path is not None:
            arrivals = read_trace(self.path)
            return arrivals if duration_s is None else [one for one in arrivals if one.arrival_s < duration_s]
        duration_s = self.length_s if duration_s is None else duration_s
        if duration_s is None or self.pattern is None:
            raise InvalidValueError("duration", "", f"{self.text} has no end of its own; say how many seconds")
        return mixed(self.pattern(duration_s, rng), mix or Mix(), rng)


def parse_arrivals(text: str) -> Source:
    """A load from `KIND:name=number,…` or the path of a trace (`.csv`, `.tsv`). Raises `InvalidValueError` that says what is allowed."""
    kind, colon, rest = text.partition(":")
    if kind not in PATTERNS or not colon:
        if Path(text).suffix.lower() in (".csv", ".tsv"):
            return Source(text=text, path=Path(text))
        raise InvalidValueError("arrivals", text, f"must be a trace (.csv) or one of {', '.join(SPECS)}")
    pattern = PATTERNS[kind]
    options = read_options("arrivals", rest, pattern.names)
    missing = [name for name in pattern.required if name not in options]
    if missing:
        raise InvalidValueError("arrivals", text, f"lacks {' and '.join(missing)}; such as {pattern.example}")
    draw = partial(pattern.draw, **{pattern.names[name]: value for name, value in options.items()})
    draw(duration_s=TINY, rng=np.random.default_rng(0))  # numbers out of range are told now, not when the load is drawn
    return Source(text=text, pattern=lambda duration_s, rng: draw(duration_s=duration_s, rng=rng))


def parse_ramp(text: str) -> Source:
    """A load in stages from `RATE:SECONDS,…`, such as `0.1:60,0.5:60`; rate 0 is a pause. Raises `InvalidValueError`."""
    stages = []
    for part in text.split(","):
        rate, colon, seconds = part.partition(":")
        if not colon:
            raise InvalidValueError("ramp", text, "must be RATE:SECONDS,…, such as 0.1:60,0.5:60")
        stages.append((read_number("ramp", rate, 0.0, MAX_RATE), read_number("ramp", seconds, TINY, MAX_ARRIVAL_S)))
    if not any(rate for rate, _ in stages):
        raise InvalidValueError("ramp", text, "must have a stage with a rate above 0")

    def pattern(duration_s: float, rng: np.random.Generator) -> Instants:
        instants = ramp(stages, rng)
        return instants[instants < duration_s]

    return Source(text=text, pattern=pattern, length_s=sum(stage_s for _, stage_s in stages))


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    """One kind of load on the command line: what draws it, and its names there with the parameters they stand for."""

    draw: Callable[..., Instants]
    names: Mapping[str, str]
    required: tuple[str, ...]
    example: str


def _draw_even(rate_per_s: float, duration_s: float, rng: np.random.Generator) -> Instants:  # noqa: ARG001 - one signature for all
    return even(rate_per_s, duration_s)


PATTERNS: dict[str, _Pattern] = {
    "even": _Pattern(draw=_draw_even, names={"rate": "rate_per_s"}, required=("rate",), example="even:rate=0.2"),
    "poisson": _Pattern(draw=poisson, names={"rate": "rate_per_s"}, required=("rate",), example="poisson:rate=0.2"),
    "bursty": _Pattern(
        draw=bursty,
        names={"rate": "rate_per_s", "dispersion": "dispersion", "window": "window_s"},
        required=("rate", "dispersion"),
        example="bursty:rate=0.2,dispersion=20",
    ),
    "daily": _Pattern(
        draw=daily,
        names={"rate": "rate_per_s", "swing": "swing", "period": "period_s"},
        required=("rate",),
        example="daily:rate=0.2,swing=0.6,period=86400",
    ),
    "flash": _Pattern(
        draw=flash_crowd,
        names={"rate": "rate_per_s", "at": "at_s", "factor": "factor", "width": "width_s"},
        required=("rate", "at"),
        example="flash:rate=0.2,at=600,factor=10,width=60",
    ),
}
SPECS = tuple(pattern.example for pattern in PATTERNS.values())
"""One example of each kind, for help texts."""
