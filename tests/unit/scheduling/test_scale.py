"""The scale decision: properties that hold for every situation, Q6's thresholds in terms of work, and a closed loop under a wave."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError
from cinelet.scheduling.scale import ScalePolicy, Situation, advise, peak_rate, recent_rate

POLICY = ScalePolicy(min_devices=1, max_devices=50)

often = settings(max_examples=60, deadline=None)
policies = st.builds(
    lambda low, more, warm, wait, cold, calm, busy, idle: ScalePolicy(
        min_devices=low,
        max_devices=max(1, low + more),
        num_warm=warm,
        target_wait_s=wait,
        cold_start_s=cold,
        calm_s=calm,
        max_utilization=busy,
        min_utilization=idle * busy,
    ),
    st.integers(0, 5),
    st.integers(0, 60),
    st.integers(0, 4),
    st.floats(1, 300),
    st.floats(0, 900),
    st.floats(0, 1200),
    st.floats(0.5, 1.0),
    st.floats(0, 0.9),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    num_waiting, num_running = draw(st.integers(0, 300)), draw(st.integers(0, 60))
    return Situation(
        num_waiting=num_waiting,
        waiting_s=draw(st.floats(0.1, 600)) * num_waiting,
        num_running=num_running,
        running_s=draw(st.floats(0, 600)) * num_running,
        ready=draw(st.integers(0, 70)),
        starting=draw(st.integers(0, 3)),
        draining=draw(st.integers(0, 3)),
        arriving=draw(st.floats(0, 60)),
        peaking=draw(st.none() | st.floats(0, 60)),
        utilization=draw(st.none() | st.floats(0, 1)),
        oldest_wait_s=draw(st.floats(0, 100)) if num_waiting else 0.0,
        since_change_s=draw(st.none() | st.floats(0, 2000)),
    )


def quiet(ready: int, arriving: float = 0.0, **others: object) -> Situation:
    """Devices without a queue; nothing changed for long."""
    return replace(Situation(num_waiting=0, waiting_s=0, num_running=0, running_s=0, ready=ready, arriving=arriving), **others)


@often
@given(situations(), policies)
def test_the_target_is_within_the_bounds_and_the_numbers_add_up(now: Situation, policy: ScalePolicy) -> None:
    advice = advise(now, policy)
    assert policy.min_devices <= advice.target_devices <= policy.max_devices
    assert advice.num_devices + advice.num_recall + advice.num_start - advice.num_drain == advice.target_devices
    assert advice.num_recall <= now.draining
    moves = {"out": advice.num_start + advice.num_recall, "in": advice.num_drain, "hold": 0}
    assert (advice.num_start + advice.num_recall + advice.num_drain) == moves[advice.action]
    assert (advice.action == "hold") == (advice.target_devices == advice.num_devices)
    assert advice.reason


@often
@given(situations(), policies, st.floats(1.0, 50.0))
def test_more_waiting_work_never_asks_for_fewer_devices(now: Situation, policy: ScalePolicy, factor: float) -> None:
    assume(now.num_waiting)
    more = replace(now, waiting_s=now.waiting_s * factor)
    assert advise(more, policy).target_devices >= advise(now, policy).target_devices


@often
@given(situations(), policies, st.floats(1.0, 50.0))
def test_more_arriving_work_never_asks_for_fewer_devices(now: Situation, policy: ScalePolicy, factor: float) -> None:
    measured = replace(now, utilization=0.5)  # as it is measured, apart from what is forecast
    assert advise(replace(measured, arriving=now.arriving * factor), policy).target_devices >= advise(measured, policy).target_devices


@often
@given(situations(), policies)
def test_nothing_is_drained_while_work_waits_beyond_the_target(now: Situation, policy: ScalePolicy) -> None:
    assume(now.num_devices <= policy.max_devices)
    if now.wait_s > policy.target_wait_s or now.oldest_wait_s > policy.target_wait_s:
        assert advise(now, policy).action != "in"


@often
@given(situations(), policies)
def test_what_stays_is_the_floor_the_warm_pool_and_enough_for_the_queue(now: Situation, policy: ScalePolicy) -> None:
    assume(now.num_devices <= policy.max_devices)
    advice = advise(now, policy)
    if advice.action == "in":
        assert advice.target_devices * policy.max_utilization >= min(now.arriving, policy.max_devices * policy.max_utilization) - 1e-6
        assert advice.target_devices >= min(math.ceil(now.arriving - 1e-6) + policy.num_warm, policy.max_devices)
        after = replace(now, ready=advice.target_devices)
        assert after.wait_s <= policy.target_wait_s or advice.target_devices >= now.num_waiting + now.num_running


@often
@given(situations(), policies)
def test_nothing_is_drained_before_the_calm_time_is_over(now: Situation, policy: ScalePolicy) -> None:
    assume(now.num_devices <= policy.max_devices)
    assume(policy.calm_s > 0)
    assert advise(replace(now, since_change_s=policy.calm_s * 0.99), policy).action != "in"


@often
@given(situations(), policies)
def test_under_a_constant_load_it_settles_and_stays(now: Situation, policy: ScalePolicy) -> None:
    """Followed for as long as it takes, the advice comes to rest, and never turns around."""
    actions = []
    for _ in range(100):
        advice = advise(now, policy)
        actions.append(advice.action)
        now = replace(now, ready=advice.target_devices, starting=0, draining=0, since_change_s=policy.calm_s)
    assert actions[-1] == "hold"
    moves = [action for action in actions[1:] if action != "hold"]
    assert len(set(moves)) <= 1
    if "hold" in actions[1:]:
        settled = actions[1:].index("hold") + 1
        assert set(actions[settled:]) == {"hold"}


def test_it_counts_work_and_not_jobs() -> None:
    previews = replace(quiet(1), num_waiting=100, waiting_s=400.0)
    films = replace(quiet(1), num_waiting=10, waiting_s=6000.0)
    assert advise(previews, POLICY).target_devices < advise(films, POLICY).target_devices == 10


def test_a_device_more_than_jobs_is_never_asked_for_because_of_the_queue() -> None:
    assert advise(replace(quiet(0), num_waiting=1, waiting_s=6000.0), replace(POLICY, min_devices=0)).target_devices == 1


def test_a_queue_that_is_cleared_before_a_new_device_is_there_asks_for_none() -> None:
    now = replace(quiet(2), num_waiting=20, waiting_s=80.0, oldest_wait_s=40.0)
    assert advise(now, replace(POLICY, cold_start_s=60.0)).action == "hold"
    assert advise(now, replace(POLICY, cold_start_s=5.0)).action == "out"


def test_above_four_fifths_busy_more_devices_come() -> None:
    assert advise(quiet(10, arriving=8.0), POLICY).action == "hold"
    assert advise(quiet(10, arriving=8.1), POLICY).target_devices == 11


def test_below_three_tenths_busy_all_that_is_too_much_goes() -> None:
    advice = advise(quiet(10, arriving=1.0, utilization=0.25), POLICY)
    assert (advice.action, advice.target_devices, advice.num_drain) == ("in", 2, 8)


def test_between_the_thresholds_one_goes_at_a_time() -> None:
    assert advise(quiet(10, arriving=4.0, utilization=0.4), POLICY).target_devices == 9
    assert advise(quiet(8, arriving=4.0, utilization=0.5), POLICY).action == "hold"


def test_the_peak_of_the_calm_time_keeps_its_devices() -> None:
    assert advise(quiet(10, arriving=1.0, peaking=5.4), POLICY).action == "hold"


def test_a_job_that_waits_for_long_keeps_the_devices_though_there_is_little_work() -> None:
    """It may wait for what only some of them can do."""
    stuck = replace(quiet(10, utilization=0.0), num_waiting=1, waiting_s=4.0, oldest_wait_s=31.0)
    assert advise(stuck, POLICY).action == "hold"
    assert advise(replace(stuck, oldest_wait_s=1.0), POLICY).action == "in"


def test_the_warm_pool_stands_beside_what_the_forecast_needs() -> None:
    assert advise(quiet(1), replace(POLICY, num_warm=3)).target_devices == 3
    assert advise(quiet(9, utilization=0.0), replace(POLICY, num_warm=3, min_devices=0)).target_devices == 3


def test_devices_that_drain_are_taken_back_before_new_ones_start() -> None:
    advice = advise(quiet(4, arriving=8.0, draining=2), POLICY)
    assert (advice.target_devices, advice.num_recall, advice.num_start) == (10, 2, 4)


def test_devices_that_start_are_counted_and_not_asked_for_twice() -> None:
    assert advise(quiet(4, arriving=8.0, starting=6), POLICY).action == "hold"


def test_an_idle_service_may_go_to_nothing_and_comes_back_for_one_job() -> None:
    policy = replace(POLICY, min_devices=0)
    assert advise(quiet(1), policy).target_devices == 0
    woken = advise(replace(quiet(0), num_waiting=1, waiting_s=4.0), policy)
    assert (woken.action, woken.num_start, woken.wait_s) == ("out", 1, math.inf)


def test_more_than_allowed_is_drained_at_once() -> None:
    advice = advise(quiet(60, arriving=60.0, since_change_s=0.0), POLICY)
    assert (advice.action, advice.target_devices) == ("in", 50)


@pytest.mark.parametrize(
    "change",
    [
        {"min_devices": 5, "max_devices": 4},
        {"max_devices": 0},
        {"target_wait_s": 0.0},
        {"target_wait_s": math.nan},
        {"max_utilization": 1.1},
        {"min_utilization": 0.9},
        {"calm_s": -1.0},
        {"num_warm": True},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(change: dict) -> None:
    with pytest.raises(InvalidValueError):
        ScalePolicy(**change)


@pytest.mark.parametrize(
    "change", [{"waiting_s": -1.0}, {"arriving": math.inf}, {"ready": -1}, {"utilization": 2.0}, {"running_s": math.nan}]
)
def test_a_situation_that_cannot_be_is_refused(change: dict) -> None:
    with pytest.raises(InvalidValueError):
        quiet(**{"ready": 1, **change})


def test_a_constant_rate_has_no_headroom_and_a_rising_one_has() -> None:
    assert recent_rate([600.0] * 12, bucket_s=300) == pytest.approx(2.0)
    assert recent_rate([0, 100, 200, 300], bucket_s=100) > 3.0
    assert recent_rate([], bucket_s=300) == 0.0
    assert peak_rate([900.0, 0, 300.0, 0], bucket_s=300, calm_s=600) == pytest.approx(1.0)
    assert peak_rate([], bucket_s=300, calm_s=600) == 0.0


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50))
def test_the_upper_estimate_is_not_below_the_mean_and_not_above_twice_the_largest(work: list[float]) -> None:
    rate = recent_rate(work, bucket_s=1.0)
    assert 0.0 <= rate <= 2 * max(work) + 1e-6
    assert rate >= recent_rate(work, bucket_s=1.0, quantile=0.0) - 1e-6


def test_work_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidValueError):
        recent_rate([1.0, math.nan], bucket_s=60)


class Fleet:
    """Devices that take `cold_s` to start, one job at a time each, first come first served; drained ones finish what they hold."""

    def __init__(self, policy: ScalePolicy, ready: int) -> None:
        self.policy = policy
        self.free_at = [0.0] * ready
        self.starting: list[float] = []
        self.waiting: list[tuple[float, float]] = []
        self.waits: list[float] = []
        self.history: list[float] = []
        self.changed_at = -math.inf
        self.sizes: list[int] = []
        self.turns = 0
        self.last_move = ""
        self.device_s = 0.0

    def tick(self, at: float, step_s: float, jobs: list[float]) -> None:
        self.free_at += [at for ready_at in self.starting if ready_at <= at]
        self.starting = [ready_at for ready_at in self.starting if ready_at > at]
        self.waiting += [(at, work) for work in jobs]
        self.history.append(sum(jobs))
        for device, free_at in enumerate(self.free_at):
            if free_at <= at and self.waiting:
                came_at, work = self.waiting.pop(0)
                self.waits.append(at - came_at)
                self.free_at[device] = at + work
        self.device_s += step_s * (len(self.free_at) + len(self.starting))
        self.sizes.append(len(self.free_at) + len(self.starting))

    def follow(self, at: float, step_s: float) -> None:
        num = round(300 / step_s)
        past = [sum(self.history[max(0, end - num) : end]) for end in range(len(self.history), 0, -num)][::-1][-36:]
        busy = [free_at - at for free_at in self.free_at if free_at > at]
        advice = advise(
            Situation(
                num_waiting=len(self.waiting),
                waiting_s=sum(work for _, work in self.waiting),
                num_running=len(busy),
                running_s=sum(busy),
                ready=len(self.free_at),
                starting=len(self.starting),
                arriving=recent_rate(past, bucket_s=300),
                peaking=peak_rate(past, bucket_s=300, calm_s=self.policy.calm_s),
                utilization=len(busy) / max(1, len(self.free_at)),
                oldest_wait_s=at - self.waiting[0][0] if self.waiting else 0.0,
                since_change_s=min(1e9, at - self.changed_at),
            ),
            self.policy,
        )
        self.starting += [at + self.policy.cold_start_s] * advice.num_start
        for _ in range(advice.num_drain):
            self.free_at.remove(min(self.free_at))  # an idle one, or the one that is finished first
        if advice.action != "hold":
            self.turns += self.last_move not in ("", advice.action)
            self.last_move, self.changed_at = advice.action, at


def simulate(rate_of, hours: float, seed: int, policy: ScalePolicy, ready: int) -> Fleet:
    rng, step_s = np.random.default_rng(seed), 5.0
    fleet = Fleet(policy, ready)
    for at in np.arange(0, hours * 3600, step_s):
        jobs = rng.choice([8.0, 60.0, 240.0], rng.poisson(rate_of(at) * step_s), p=[0.25, 0.6, 0.15]).tolist()
        fleet.tick(float(at), step_s, jobs)
        fleet.follow(float(at), step_s)
    return fleet


def wave(at: float) -> float:
    """Jobs a second of 74 s each: 2 devices' work at night, 14 at the height of each six-hour day, and a crowd for ten minutes."""
    return (8 - 6 * math.cos(2 * math.pi * at / 21600)) / 74 * (3 if 36000 <= at < 36600 else 1)


def test_a_wave_with_cold_starts_is_ridden_without_collapse_and_without_flapping() -> None:
    fleet = simulate(wave, 12, 1, ScalePolicy(min_devices=1, max_devices=60, num_warm=1, cold_start_s=60.0), ready=3)
    waits = np.array(fleet.waits)
    assert np.mean(waits <= 30) >= 0.95
    assert waits.max() <= 120, "nobody waits longer than two cold starts"
    assert fleet.turns <= 10, "two days and a crowd are five turns; a fleet that flaps has hundreds"
    as_for_the_crowd = max(fleet.sizes) * 12 * 3600
    assert fleet.device_s < 0.6 * as_for_the_crowd


def test_a_constant_load_in_random_order_moves_the_fleet_hardly_at_all() -> None:
    fleet = simulate(lambda _: 8 / 74, 8, 2, ScalePolicy(min_devices=1, max_devices=60, cold_start_s=60.0), ready=10)
    assert fleet.turns <= 8
    assert np.mean(np.array(fleet.waits) <= 30) >= 0.95
    assert np.mean(fleet.sizes) < 20


def test_following_the_queue_alone_collapses_where_the_floor_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the floor is for: with a cold start of five minutes, reacting to the queue comes too late."""
    policy = ScalePolicy(max_devices=60, cold_start_s=300.0)
    with_floor = np.mean(np.array(simulate(wave, 12, 1, policy, ready=3).waits) <= 30)
    monkeypatch.setattr("cinelet.scheduling.scale.floor_devices", lambda *_: 0)
    without = np.mean(np.array(simulate(wave, 12, 1, policy, ready=3).waits) <= 30)
    assert with_floor >= 0.9
    assert without < with_floor - 0.05
