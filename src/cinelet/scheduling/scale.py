"""How many devices a load needs: more, fewer, or as many as there are. Pure; counts seconds of work, never jobs.

Two loops apart from each other. The floor is slow and looks ahead: devices for the work that will arrive when a device asked for now is
ready, at most `max_utilization` busy, and the warm pool beside them. The reaction is fast and looks at the queue: devices for what
waits and runs already. More devices come at once, for the larger of the two; fewer only by draining, after a calm time, and with a
wide gap between both thresholds, so that a constant load never moves anything. Nothing of clouds, processes or metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, sqrt
from typing import Literal

from cinelet.errors import InvalidValueError
from cinelet.video import check_integer, check_number

Action = Literal["out", "in", "hold"]

MAX_DEVICES = 100_000
MAX_SECONDS = 1e9
"""Bounds against slips, far above any fleet."""
SMOOTHING = 0.5
"""Weight of the newest bucket. Up to ten minutes ahead nothing beats such a mean, so nothing more is made of it."""
TINY = 1e-9
"""Taken off before rounding up, so that 0.8 / 0.8 devices are one."""


@dataclass(frozen=True, kw_only=True)
class ScalePolicy:
    """What the owner wants. Raises `InvalidValueError` for bounds that contradict each other.

    `target_wait_s` is how long accepted work may wait for a device; `cold_start_s` how long from asking for a device to its first step.
    `num_warm` devices are kept idle beyond what the forecast needs. `max_utilization` of the devices is planned to be busy; when less
    than `min_utilization` is, all that is too much is drained together instead of one by one. Nothing is drained within `calm_s` of the
    last change.
    """

    min_devices: int = 1
    max_devices: int = 64
    num_warm: int = 0
    target_wait_s: float = 30.0
    cold_start_s: float = 60.0
    max_utilization: float = 0.8
    min_utilization: float = 0.3
    calm_s: float = 1200.0

    def __post_init__(self) -> None:
        check_integer("min_devices", self.min_devices, 0, MAX_DEVICES)
        check_integer("max_devices", self.max_devices, max(1, self.min_devices), MAX_DEVICES)
        check_integer("num_warm", self.num_warm, 0, MAX_DEVICES)
        check_number("target_wait_s", self.target_wait_s, 0.1, MAX_SECONDS)
        check_number("cold_start_s", self.cold_start_s, 0.0, MAX_SECONDS)
        check_number("max_utilization", self.max_utilization, 0.05, 1.0)
        check_number("min_utilization", self.min_utilization, 0.0, self.max_utilization)
        check_number("calm_s", self.calm_s, 0.0, MAX_SECONDS)

    @property
    def calm_utilization(self) -> float:
        """What may be busy of the devices that stay: halfway between both thresholds, so that leaving one does not touch the other."""
        return (self.min_utilization + self.max_utilization) / 2

    def bounded(self, devices: int) -> int:
        """`devices`, or the nearest number that is allowed."""
        return min(max(devices, self.min_devices), self.max_devices)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is there now. Work is in device-seconds; rates are device-seconds a second, which is devices that they keep busy.

    `running_s` is what is left of the `num_running` jobs. `arriving` is the upper estimate for the time a cold start from now; `peaking`
    the highest rate of the last `calm_s` (None: the same). `utilization` is the measured share of busy devices (None: what arrives over
    the devices that are ready). `since_change_s` counts from the last change of the number of devices (None: long ago).
    """

    num_waiting: int
    waiting_s: float
    num_running: int
    running_s: float
    ready: int
    starting: int = 0
    draining: int = 0
    arriving: float = 0.0
    peaking: float | None = None
    utilization: float | None = None
    oldest_wait_s: float = 0.0
    since_change_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("num_waiting", "num_running"):
            check_integer(name, getattr(self, name), 0, 10**9)
        for name in ("ready", "starting", "draining"):
            check_integer(name, getattr(self, name), 0, MAX_DEVICES)
        for name in ("waiting_s", "running_s", "oldest_wait_s", "since_change_s"):
            check_number(name, getattr(self, name), 0.0, 1e15)
        for name in ("arriving", "peaking"):
            check_number(name, getattr(self, name), 0.0, 1e9)
        check_number("utilization", self.utilization, 0.0, 1.0)

    @property
    def num_devices(self) -> int:
        """Devices that will be at work: ready and starting ones. Draining ones are as good as gone."""
        return self.ready + self.starting

    @property
    def ahead_s(self) -> float:
        """Waiting work before the last of the waiting jobs."""
        return self.waiting_s * (1 - 1 / self.num_waiting) if self.num_waiting else 0.0

    @property
    def wait_s(self) -> float:
        """How long the last of the waiting jobs still waits for the devices that are ready; infinite where there is none.

        It begins when a first device is free while the others are in the middle of theirs, so of the `running_s` on n devices only one
        n-th goes before it.
        """
        if not self.num_waiting:
            return 0.0
        return (self.ahead_s + self.running_s / self.ready) / self.ready if self.ready else inf


@dataclass(frozen=True, kw_only=True)
class Advice:
    """How many devices there should be, and why. `num_recall` draining devices are taken back before `num_start` new ones are asked for.

    `floor_devices` and `reaction_devices` are what each loop asks for, before the bounds.
    """

    action: Action
    target_devices: int
    num_devices: int
    num_start: int
    num_recall: int
    num_drain: int
    floor_devices: int
    reaction_devices: int
    arriving: float
    wait_s: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class Loops:
    """What each loop asks for, before the bounds."""

    floor: int
    reaction: int


def advise(now: Situation, policy: ScalePolicy) -> Advice:
    """One decision."""
    loops = Loops(floor=floor_devices(now.arriving, policy), reaction=reaction_devices(now, policy))
    wanted = policy.bounded(max(loops.floor, loops.reaction))
    if wanted > now.num_devices:
        return _advice(now, loops, wanted, _why_out(now, loops, policy))
    if now.num_devices > policy.max_devices:
        return _advice(now, loops, policy.max_devices, f"{now.num_devices} devices are more than the {policy.max_devices} allowed")
    if now.num_devices == wanted:
        return _advice(now, loops, wanted, "as many devices as the load needs")
    if obstacle := _obstacle(now, policy):
        return _advice(now, loops, now.num_devices, obstacle)
    return _shrink(now, loops, wanted, policy)


def floor_devices(arriving: float, policy: ScalePolicy) -> int:
    """Devices that what arrives keeps busy to `max_utilization`, and the warm pool."""
    return ceil(arriving / policy.max_utilization - TINY) + policy.num_warm


def reaction_devices(now: Situation, policy: ScalePolicy) -> int:
    """Devices that begin all that waits within the target, never more than there are jobs to give them.

    A device asked for now helps after its cold start: a shorter target than that only buys devices which idle afterwards.
    """
    return _devices_within(now, max(policy.target_wait_s, policy.cold_start_s))


def recent_rate(work_s: Sequence[float], *, bucket_s: float, quantile: float = 0.75) -> float:
    """The upper estimate of arriving work, in device-seconds a second, from what was accepted a bucket, the newest last.

    An exponentially weighted mean, and as headroom the given quantile of how far each bucket was above the mean before it.
    Nothing accepted yet is 0.
    """
    check_number("bucket_s", bucket_s, TINY, MAX_SECONDS)
    check_number("quantile", quantile, 0.0, 1.0)
    if not all(isfinite(work) and work >= 0 for work in work_s):
        raise InvalidValueError("work_s", min(work_s), "must be finite numbers from 0")
    if not work_s:
        return 0.0
    mean, misses = work_s[0], []
    for work in work_s[1:]:
        misses.append(work - mean)
        mean += SMOOTHING * (work - mean)
    headroom = sorted(misses)[min(len(misses) - 1, int(quantile * len(misses)))] if misses else 0.0
    return (mean + max(0.0, headroom)) / bucket_s


def peak_rate(work_s: Sequence[float], *, bucket_s: float, calm_s: float) -> float:
    """The highest rate of a bucket within the last `calm_s`, in device-seconds a second."""
    num = max(1, ceil(calm_s / bucket_s))
    return max(work_s[-num:], default=0.0) / bucket_s


def _obstacle(now: Situation, policy: ScalePolicy) -> str:
    """Why nothing may be drained, or nothing."""
    if now.wait_s > policy.target_wait_s or now.oldest_wait_s > policy.target_wait_s:
        return f"work waits longer than {policy.target_wait_s:g} s"
    if now.starting or now.draining:
        return f"{now.starting} devices are starting and {now.draining} draining; one move at a time"
    if now.since_change_s is not None and now.since_change_s < policy.calm_s:
        return f"the last change was {now.since_change_s:.0f} s ago; nothing is drained within {policy.calm_s:g} s"
    return ""


def _shrink(now: Situation, loops: Loops, wanted: int, policy: ScalePolicy) -> Advice:
    """Fewer devices, as far as what came in the calm time would still have had room, and what waits still meets its target."""
    peak = max(now.arriving, now.peaking if now.peaking is not None else 0.0)
    enough = ceil(peak / policy.calm_utilization - TINY) + policy.num_warm
    target = policy.bounded(max(wanted, enough, _devices_within(now, policy.target_wait_s)))
    if target >= now.num_devices:
        return _advice(now, loops, now.num_devices, f"up to {peak:.2f} devices were busy lately; {now.num_devices} keep room for that")
    busy = now.utilization if now.utilization is not None else min(1.0, now.arriving / max(1, now.ready))
    if busy < policy.min_utilization:
        return _advice(now, loops, target, f"{busy:.0%} of the devices are busy, less than {policy.min_utilization:.0%}")
    return _advice(now, loops, now.num_devices - 1, f"{target} devices would have been enough lately; one goes at a time")


def _devices_within(now: Situation, within_s: float) -> int:
    """Devices that begin all that waits within so long, never more than there are jobs to give them: `wait_s` solved for their number."""
    if not now.num_waiting:
        return 0
    num = (now.ahead_s + sqrt(now.ahead_s**2 + 4 * within_s * now.running_s)) / (2 * within_s)
    return min(max(1, ceil(num - TINY)), now.num_waiting + now.num_running)


def _why_out(now: Situation, loops: Loops, policy: ScalePolicy) -> str:
    if max(loops.floor, loops.reaction) < policy.min_devices:
        return f"{policy.min_devices} devices are the least that is wanted"
    if loops.reaction >= loops.floor:
        wait = f"{now.wait_s:.0f} s" if now.ready else "until there is a device"
        reason = f"{now.waiting_s:.0f} s of work in {now.num_waiting} jobs would wait {wait}; the target is {policy.target_wait_s:g} s"
    else:
        reason = f"work for {now.arriving:.2f} devices will arrive in {policy.cold_start_s:g} s; {loops.floor} have room for it"
    return reason if loops.floor <= policy.max_devices >= loops.reaction else f"{reason}; {policy.max_devices} is the most that is allowed"


def _advice(now: Situation, loops: Loops, target: int, reason: str) -> Advice:
    missing = target - now.num_devices
    recalled = min(now.draining, max(0, missing))
    return Advice(
        action="out" if missing > 0 else "in" if missing < 0 else "hold",
        target_devices=target,
        num_devices=now.num_devices,
        num_start=max(0, missing) - recalled,
        num_recall=recalled,
        num_drain=max(0, -missing),
        floor_devices=loops.floor,
        reaction_devices=loops.reaction,
        arriving=now.arriving,
        wait_s=now.wait_s,
        reason=reason,
    )
