"""Keeps a device within its temperature and power: fewer clips when it is warm, a pause between two steps when it is hot.

`Limits.next` is the whole policy, a pure function of what was and what is read; `Guard` feeds it from a thermometer. Knows nothing of
jobs or engines.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from cinelet.errors import InvalidValueError
from cinelet.worker.thermal import Reading, Thermometer, is_celsius, is_watts

COOLING_C = 3.0
"""How far a device must cool below a mark before more is allowed: readings jump by a degree or two between two steps."""
POWER_MARGIN = 0.9
"""From this share of the power limit on fewer clips run; half of what is left of it is the distance for coming back."""
MAX_PAUSE_S = 60.0
"""Then one step is taken however hot the reading is: a sensor that is stuck must not stop the work for ever."""
READ_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Band:
    """Below `warm` all is allowed, from `hot` on nothing, between them less and less. `slack` is the hysteresis, in the same unit."""

    warm: float
    hot: float
    slack: float

    def allowed(self, value: float, slots: int) -> int:
        """How many of `slots` may run at `value`."""
        if value >= self.hot:
            return 0
        if value < self.warm:
            return slots
        return max(1, math.ceil(slots * (self.hot - value) / (self.hot - self.warm)))

    def settle(self, former: int, value: float, slots: int) -> int:
        """The same with a memory: less at once, more only when it would still be allowed `slack` higher."""
        return min(max(former, self.allowed(value + self.slack, slots)), self.allowed(value, slots))


@dataclass(frozen=True, kw_only=True)
class State:
    """What the guard allows. `by_heat` and `by_power` are what each sensor leaves; `paused_at` when the pause under way began."""

    by_heat: int
    by_power: int
    slots: int
    paused_at: float | None = None

    @property
    def is_cooling(self) -> bool:
        """Whether the device is held up between two steps."""
        return self.paused_at is not None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`heat` and `power` are None where nothing is to be watched."""

    heat: Band | None = None
    power: Band | None = None
    max_pause_s: float = MAX_PAUSE_S

    def start(self, slots: int) -> State:
        """Before the first reading."""
        return State(by_heat=slots, by_power=slots, slots=slots)

    def next(self, state: State, reading: Reading, slots: int, now: float) -> State:
        """What is allowed after `reading` at `now` (monotonic seconds) on a device of `slots`.

        A sensor that is silent or says what cannot be leaves one clip at most. A pause it left behind, like one under a sensor that
        says hot for ever, ends after `max_pause_s` with a step; under a silent sensor steps go on from there.
        """
        by_heat, is_blind_heat = _settle(self.heat, state.by_heat, reading.celsius, is_celsius, slots)
        by_power, is_blind_power = _settle(self.power, state.by_power, reading.watts, is_watts, slots)
        if min(by_heat, by_power) > 0:
            return State(by_heat=by_heat, by_power=by_power, slots=min(by_heat, by_power))
        if state.paused_at is None or now < state.paused_at:
            return State(by_heat=by_heat, by_power=by_power, slots=0, paused_at=now)
        if now - state.paused_at < self.max_pause_s:
            return replace(state, by_heat=by_heat, by_power=by_power, slots=0)
        by_heat, by_power = (1 if is_blind_heat else by_heat), (1 if is_blind_power else by_power)
        return State(by_heat=by_heat, by_power=by_power, slots=1, paused_at=None if min(by_heat, by_power) else now)


def _settle(band: Band | None, former: int, value: float | None, is_plausible: Callable[[float], bool], slots: int) -> tuple[int, bool]:
    """What one sensor leaves, and whether it was blind."""
    if band is None:
        return slots, False
    if value is None or not is_plausible(value):
        return min(former, 1), True
    return band.settle(former, value, slots), False


def limits_from(*, warm_c: float, hot_c: float, power_w: float) -> Limits:
    """Limits of the settings, where 0 is off. Raises `InvalidValueError` for a contradiction."""
    if warm_c and not hot_c:
        raise InvalidValueError("thermal_hot_c", hot_c, "must be set where thermal_warm_c is")
    if hot_c and warm_c >= hot_c:
        raise InvalidValueError("thermal_warm_c", warm_c, f"must be below thermal_hot_c, {hot_c:g}")
    heat = Band(warm=warm_c or hot_c, hot=hot_c, slack=COOLING_C) if hot_c else None
    power = Band(warm=power_w * POWER_MARGIN, hot=power_w, slack=power_w * (1 - POWER_MARGIN) / 2) if power_w else None
    return Limits(heat=heat, power=power)


@dataclass(kw_only=True)
class Guard:
    """For one worker of `slots`. Asked before each step; reads the sensor at most every `read_every_s`.

    Without a thermometer everything is allowed.
    """

    slots: int
    limits: Limits = field(default_factory=Limits)
    thermometer: Thermometer | None = None
    read_every_s: float = READ_EVERY_S
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.state = self.limits.start(self.slots)
        self.reading = Reading()
        self._read_at = -math.inf
        self._was_blind = False
        self._log = structlog.get_logger("cinelet.guard")

    def look(self) -> State:
        """What is allowed now. Never raises, never waits."""
        now = self.clock()
        if self.thermometer is None or now - self._read_at < self.read_every_s:
            return self._give()
        self._read_at = now
        self.reading = self._read(self.thermometer)
        former, self.state = self.state, self.limits.next(self.state, self.reading, self.slots, now)
        if former.is_cooling != self.state.is_cooling:
            word = "cooling" if self.state.is_cooling else "cool again"
            self._log.warning(word, celsius=self.reading.celsius, watts=self.reading.watts)
        return self._give()

    def _give(self) -> State:
        """The one step that ends a long pause is given once."""
        given = self.state
        if given.is_cooling:
            self.state = replace(given, slots=0)
        return given

    def _read(self, thermometer: Thermometer) -> Reading:
        reason = "it answers with what cannot be"
        try:
            reading = thermometer.read()
        except Exception as error:  # noqa: BLE001 - a sensor must not end a worker
            reading, reason = Reading(), repr(error)
        is_blind = (self.limits.heat is not None and not _is_good(reading.celsius, is_celsius)) or (
            self.limits.power is not None and not _is_good(reading.watts, is_watts)
        )
        if is_blind and not self._was_blind:
            self._log.warning("sensor is of no use; one clip at a time", celsius=reading.celsius, watts=reading.watts, reason=reason)
        self._was_blind = is_blind
        return reading


def _is_good(value: float | None, is_plausible: Callable[[float], bool]) -> bool:
    return value is not None and is_plausible(value)
