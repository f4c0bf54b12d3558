"""The heat guard: what it allows, what it makes of a sensor that fails, and a worker that pauses under it and loses nothing."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from cinelet.cli.house import make_guard
from cinelet.errors import InvalidValueError
from cinelet.scheduling import Architecture, Pricer
from cinelet.settings import Settings
from cinelet.storage import open_blobs
from cinelet.telemetry import Metrics
from cinelet.worker import FakeEngine, Pace, Worker
from cinelet.worker.guard import COOLING_C, Band, Guard, Limits, limits_from
from cinelet.worker.thermal import FakeThermometer, KernelThermometer, Reading
from tests.support.world import PLAN, World, open_world

LIMITS = limits_from(warm_c=70.0, hot_c=80.0, power_w=300.0)
HEAT_ONLY = limits_from(warm_c=70.0, hot_c=80.0, power_w=0.0)
LIES = [None, math.nan, math.inf, -math.inf, 0.0, 200.0, -273.0]
PATIENCE_S = 30.0
LEASE_S = 45.0

degrees = st.one_of(st.floats(20.0, 120.0), st.sampled_from(LIES))
watts = st.one_of(st.floats(1.0, 500.0), st.sampled_from([None, math.nan, 0.0, 1e9]))


@given(st.lists(st.tuples(degrees, watts, st.floats(0.1, 30.0)), min_size=1, max_size=60), st.integers(1, 8))
def test_no_readings_hold_a_device_up_for_longer_than_the_longest_pause(looks: list[tuple[float, float, float]], slots: int) -> None:
    state, now, stepped_at = LIMITS.start(slots), 0.0, 0.0
    for celsius, power, pause in looks:
        now += pause
        state = LIMITS.next(state, Reading(celsius, power), slots, now)
        assert 0 <= state.slots <= slots
        if state.slots:
            stepped_at = now
        assert now - stepped_at <= LIMITS.max_pause_s + 2 * 30.0


@given(st.lists(degrees, max_size=30), st.integers(1, 8))
def test_below_the_warm_mark_everything_is_allowed_whatever_was_before(past: list[float], slots: int) -> None:
    state = HEAT_ONLY.start(slots)
    for i, celsius in enumerate([*past, 70.0 - COOLING_C - 0.1]):
        state = HEAT_ONLY.next(state, Reading(celsius), slots, float(i))
    assert state == HEAT_ONLY.start(slots)


@given(st.floats(20.0, 79.9), st.floats(20.0, 120.0), st.integers(1, 8))
def test_a_hotter_device_is_never_allowed_more(cooler: float, hotter: float, slots: int) -> None:
    cooler, hotter = min(cooler, hotter), max(cooler, hotter)
    band = Band(warm=70.0, hot=80.0, slack=COOLING_C)
    assert band.allowed(hotter, slots) <= band.allowed(cooler, slots)
    for former in range(slots + 1):
        assert band.settle(former, hotter, slots) <= band.settle(former, cooler, slots)


@given(st.lists(st.floats(0.0, COOLING_C - 0.01), min_size=2, max_size=30), st.floats(60.0, 85.0), st.integers(1, 8))
def test_readings_that_tremble_change_nothing_after_the_first_hottest(trembling: list[float], base: float, slots: int) -> None:
    band = Band(warm=70.0, hot=80.0, slack=COOLING_C)
    level = slots
    for part in [max(trembling), *trembling]:
        level = band.settle(level, base + part, slots)
    first = band.settle(slots, base + max(trembling), slots)
    assert level == first


def test_between_warm_and_hot_fewer_clips_run_and_the_last_one_longest() -> None:
    band = Band(warm=70.0, hot=80.0, slack=COOLING_C)
    assert [band.allowed(celsius, 4) for celsius in (69.9, 70.0, 72.6, 75.1, 79.9, 80.0)] == [4, 4, 3, 2, 1, 0]


def test_a_hot_device_pauses_until_it_is_cooler_by_the_hysteresis() -> None:
    state, seen = HEAT_ONLY.start(1), []
    for i, celsius in enumerate((79.0, 81.0, 79.0, 77.1, 76.9, 79.0)):
        state = HEAT_ONLY.next(state, Reading(celsius), 1, float(i))
        seen.append(state.slots)
    assert seen == [1, 0, 0, 0, 1, 1]


def test_a_power_limit_works_as_a_temperature_does() -> None:
    limits = limits_from(warm_c=0.0, hot_c=0.0, power_w=300.0)
    state, seen = limits.start(2), []
    for i, power in enumerate((200.0, 290.0, 301.0, 290.0, 280.0, 200.0)):
        state = limits.next(state, Reading(None, power), 2, float(i))
        seen.append(state.slots)
    assert seen == [2, 1, 0, 0, 1, 2]


@pytest.mark.parametrize("lie", LIES)
def test_a_sensor_that_falls_silent_ends_its_pause_with_one_clip_at_a_time(lie: float | None) -> None:
    state = HEAT_ONLY.next(HEAT_ONLY.start(4), Reading(90.0), 4, 0.0)
    during = HEAT_ONLY.next(state, Reading(lie), 4, 59.0)
    after = HEAT_ONLY.next(during, Reading(lie), 4, 61.0)
    later = HEAT_ONLY.next(after, Reading(lie), 4, 62.0)
    assert [state.slots, during.slots, after.slots, later.slots] == [0, 0, 1, 1]
    assert HEAT_ONLY.next(later, Reading(50.0), 4, 63.0).slots == 4


def test_a_sensor_that_says_hot_for_ever_gets_one_step_a_pause() -> None:
    now = [0.0]
    guard = Guard(slots=4, limits=HEAT_ONLY, thermometer=FakeThermometer(95.0), clock=lambda: now[0])
    steps = []
    for tick in range(1850):
        now[0] = tick / 10
        steps += [now[0]] * guard.look().slots
    assert steps == [60.0, 120.0, 180.0]


def test_a_guard_reads_at_most_once_a_second_and_not_at_all_where_nothing_is_set() -> None:
    sensor, now = FakeThermometer(50.0), [0.0]
    guard = Guard(slots=1, limits=HEAT_ONLY, thermometer=sensor, clock=lambda: now[0])
    for tick in range(50):
        now[0] = tick / 10
        guard.look()
    assert sensor.num_reads == 5
    assert make_guard(Settings(device="cpu")).thermometer is None


def test_a_sensor_that_raises_is_treated_as_absent() -> None:
    sensor = FakeThermometer()
    sensor.error = OSError("the bus is gone")
    guard = Guard(slots=4, limits=HEAT_ONLY, thermometer=sensor, read_every_s=0.0)
    assert guard.look().slots == 1
    sensor.error, sensor.reading = None, Reading(50.0)
    assert guard.look().slots == 4


@pytest.mark.parametrize("settings", [{"thermal_warm_c": 70}, {"thermal_warm_c": 80, "thermal_hot_c": 80}])
def test_contradictory_marks_are_refused_at_the_start(settings: dict[str, float]) -> None:
    with pytest.raises(InvalidValueError, match="thermal_"):
        make_guard(Settings(device="cpu", **settings))  # type: ignore[arg-type]


def test_the_kernels_hottest_sensor_counts_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    files = {
        "thermal/thermal_zone0/temp": "45500", "thermal/thermal_zone1/temp": "-274000", "hwmon/hwmon0/temp1_input": "61000",
        "hwmon/hwmon0/temp2_input": "broken", "hwmon/hwmon1/power1_input": "18500000", "hwmon/hwmon1/power2_average": "0",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert KernelThermometer(tmp_path).read() == Reading(61.0, 18.5)
    assert KernelThermometer(tmp_path / "nowhere").read() == Reading(None, None)


class HeatingEngine(FakeEngine):
    """Makes its sensor hot at a step of its own, so that no test depends on time."""

    def __init__(self, sensor: FakeThermometer) -> None:
        super().__init__()
        self.sensor = sensor
        self.heats_at = 0
        self.num_steps = 0
        self.largest_group = 0

    def step(self, names: Sequence[str], timeout_s: float | None = None) -> dict[str, int]:
        self.num_steps += 1
        self.largest_group = max(self.largest_group, len(names))
        if self.num_steps == self.heats_at:
            self.sensor.reading = Reading(95.0)
        return super().step(names, timeout_s)


class Bench:
    """A worker on a fake engine in a thread, under a guard that reads at every look."""

    def __init__(self, world: World, blobs: Path, celsius: float) -> None:
        self.world = world
        self.sensor = FakeThermometer(celsius)
        self.engine = HeatingEngine(self.sensor)
        self.registry = CollectorRegistry()
        self.rang = threading.Event()
        self.silence = world.store.bell.listen(lambda _: self.rang.set())
        self.worker = Worker(
            f"w{celsius:g}",
            ["pocket"],
            world.store,
            open_blobs(str(blobs)),
            engine=self.engine,
            pricers={"pocket": Pricer(Architecture(256, 6, 1024), (4, 8))},
            metrics=Metrics(self.registry, version="test"),
            pace=Pace(slots=2, beat_every_s=0.01, grace_s=0.0),
            guard=Guard(slots=2, limits=Limits(heat=HEAT_ONLY.heat, max_pause_s=3600.0), thermometer=self.sensor, read_every_s=0.0),
        )
        self.thread = threading.Thread(target=self.worker.run)
        self.thread.start()

    def wait_until(self, is_met: Callable[[], bool]) -> None:
        """Woken by the store's bell; looks by itself too, because sensors and metrics ring none."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_met():
            assert time.monotonic() < deadline, "it did not come that far"
            self.rang.wait(0.02)
            self.rang.clear()

    def metric(self, name: str) -> float:
        return self.registry.get_sample_value(f"cinelet_{name}") or 0.0

    def is_cooling(self) -> bool:
        return self.metric("cooling_pauses_total") == 1 and self.metric("device_slots") == 0

    def lease_ends_at(self, job_id: str) -> float:
        return self.world.find(job_id).leased_until or 0.0

    def close(self) -> None:
        self.worker.stop()
        self.thread.join(PATIENCE_S)
        self.silence()
        assert not self.thread.is_alive()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[[float], Bench]]:
    world = open_world("sqlite://", lease_s=LEASE_S)
    made: list[Bench] = []

    def make(celsius: float) -> Bench:
        made.append(Bench(world, tmp_path / "blobs", celsius))
        return made[-1]

    yield make
    for one in made:
        one.close()
    world.store.close()


def test_a_hot_worker_keeps_its_lease_pauses_between_steps_and_finishes_when_it_is_cool(bench: Callable[[float], Bench]) -> None:
    one = bench(50.0)
    one.engine.heats_at = 4
    job = one.world.submit().job
    one.wait_until(one.is_cooling)
    for _ in range(3):
        one.world.clock.advance(0.8 * LEASE_S)
        one.wait_until(lambda: one.lease_ends_at(job.id) >= one.world.clock() + LEASE_S)
        one.world.store.leases.rescue()
    assert (one.world.find(job.id).state, one.engine.num_steps) == ("running", 4)
    one.sensor.reading = Reading(50.0)
    one.wait_until(lambda: one.world.state(job.id) == "succeeded")
    assert (one.world.find(job.id).attempt, one.engine.num_steps) == (1, PLAN.num_inference_steps)
    assert one.metric("cooling_pauses_total") == 1


def test_a_cancellation_is_heard_during_a_pause(bench: Callable[[float], Bench]) -> None:
    one = bench(50.0)
    one.engine.heats_at = 2
    job = one.world.submit().job
    one.wait_until(one.is_cooling)
    one.world.store.register.cancel(job.id, "ann")
    one.wait_until(lambda: not one.worker._runs)
    assert (one.world.state(job.id), one.engine.num_steps) == ("cancelled", 2)


def test_a_hot_worker_leaves_what_waits_to_a_cooler_one(bench: Callable[[float], Bench]) -> None:
    hot = bench(95.0)
    hot.wait_until(hot.is_cooling)
    clips = [hot.world.submit().job for _ in range(3)]
    cool = bench(50.0)
    cool.wait_until(lambda: all(cool.world.state(job.id) == "succeeded" for job in clips))
    assert hot.engine.num_steps == 0


def test_a_stop_during_a_pause_gives_the_clip_back_without_an_attempt(bench: Callable[[float], Bench]) -> None:
    one = bench(50.0)
    one.engine.heats_at = 3
    job = one.world.submit().job
    one.wait_until(one.is_cooling)
    one.close()
    assert (one.world.state(job.id), one.world.find(job.id).attempt, one.world.find(job.id).checkpoint_step) == ("available", 0, 3)


def test_a_cooling_worker_is_seen_in_the_roster(bench: Callable[[float], Bench]) -> None:
    one = bench(95.0)
    one.wait_until(lambda: [worker.slots for worker in one.world.store.roster.present()] == [0])


def test_a_warm_worker_steps_fewer_clips_together(bench: Callable[[float], Bench]) -> None:
    one = bench(78.0)
    clips = [one.world.submit().job for _ in range(3)]
    one.wait_until(lambda: all(one.world.state(job.id) == "succeeded" for job in clips))
    assert one.engine.largest_group == 1
