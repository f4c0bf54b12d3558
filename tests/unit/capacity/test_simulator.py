"""The simulator against queueing theory, against its own books, and against hostile fleets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.capacity.contender import parse_contenders
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.sim_job import SimJob
from cinelet.capacity.simulation import play, simulate
from cinelet.capacity.simulator import Simulator
from cinelet.capacity.trace import Arrival
from cinelet.capacity.workload import DEFAULT_STEPS, Workload
from cinelet.errors import InvalidValueError, RequestError
from cinelet.scheduling import POLICIES, BatchLine, policy_named, promise_s
from tests.support.policy_checks import burst, played

few = settings(max_examples=40, deadline=None)


def mean_wait(services: Sequence[float], load: float, seed: int = 3) -> float:
    """Of a queue with one server and exponential gaps; the mean service is 1."""
    instants = np.cumsum(np.random.default_rng(seed).exponential(1 / load, len(services))).tolist()
    jobs = [
        SimJob(number, arrived_at=at, due_at=inf, solo_s=solo_s, step_s=solo_s, rank=1)
        for number, (at, solo_s) in enumerate(zip(instants, services, strict=True))
    ]
    tally = Simulator(policy_named("fifo"), Fleet(), jobs).run()
    return float((tally.column("latency_s") - tally.column("solo_s")).mean())


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_waits_are_those_of_theory(load: float) -> None:
    num = 60_000
    exponential = np.random.default_rng(4).exponential(1.0, num).tolist()
    assert mean_wait(exponential, load) == pytest.approx(load / (1 - load), rel=0.1)  # M/M/1
    assert mean_wait([1.0] * num, load) == pytest.approx(load / (1 - load) / 2, rel=0.1)  # M/D/1: half of it (Pollaczek, Khinchine)


def test_the_shortest_first_waits_less_than_the_first_come() -> None:
    waits = {}
    for name in ("fifo", "srpt", "srpt+preempt"):
        tally = Simulator(policy_named(name), Fleet(num_devices=4, park_s=0.0), burst()).run()
        waits[name] = float((tally.column("latency_s") - tally.column("solo_s")).mean())
    assert waits["srpt+preempt"] < waits["srpt"] < waits["fifo"]


FLEETS = st.builds(
    Fleet,
    num_devices=st.integers(1, 6),
    slots=st.integers(1, 3),
    line=st.sampled_from([BatchLine(1.0, 0.0), BatchLine(0.5, 0.5), BatchLine(0.1, 0.9)]),
    cold_start_s=st.sampled_from([0.0, 30.0]),
    mtbf_s=st.sampled_from([inf, 2000.0]),
    hit_share=st.sampled_from([0.0, 0.3]),
)


@few
@given(FLEETS, st.sampled_from(sorted(POLICIES)), st.booleans(), st.booleans(), st.integers(0, 5))
def test_everybody_ends_once_whatever_happens(fleet: Fleet, name: str, may_degrade: bool, may_refuse: bool, seed: int) -> None:
    jobs = burst(80, seed=seed, num_devices=fleet.num_devices)
    for number, job in enumerate(jobs):
        job.model = "ab"[number % 2]
    tally = played(jobs, fleet, name, may_degrade=may_degrade, may_refuse=may_refuse, seed=seed).tally
    assert sorted(tally.column("number").tolist()) == [job.number for job in jobs]
    summary = tally.summary(fleet.num_devices)
    assert 0 <= summary["slo_attainment"] <= 1
    assert summary["gpu_utilization"] <= 1
    assert may_degrade or (tally.column("offer") == 0).all()
    assert may_refuse or tally.num_refused == 0
    assert fleet.hit_share or tally.num_hits == 0
    if fleet.mtbf_s == inf and fleet.slots == 1 and not fleet.cold_start_s:
        made = (tally.column("latency_s") > 0) & (tally.column("solo_s") > 0)
        work_s = tally.column("solo_s")[made].sum() + tally.num_parks * fleet.park_s
        assert tally.busy_s == pytest.approx(work_s)


@pytest.mark.parametrize("policy", ["fifo", "edf", "priority", "srpt", "cinelet"])
def test_degrading_helps_every_policy_and_is_counted_against_what_was_asked(policy: str) -> None:
    plain, lighter = (played(burst(load=0.9), Fleet(num_devices=4), policy, may_degrade=may).tally for may in (False, True))
    before, after = plain.summary(4), lighter.summary(4)
    assert after["slo_attainment"] > before["slo_attainment"]
    assert after["full_quality_share"] < before["full_quality_share"] == 1.0
    assert set(lighter.column("asked_s").tolist()) == {8.0, 60.0, 240.0}
    assert (lighter.column("solo_s") < lighter.column("asked_s")).any()


def test_the_refused_have_no_latency_and_the_accepted_do_not_wait_for_ever() -> None:
    tally = played(burst(600, load=3.0), Fleet(num_devices=4), may_refuse=True).tally
    summary = tally.summary(4)
    assert summary["refused_share"] > 0.1
    assert summary["longest_wait"] < 30
    assert (tally.column("latency_s")[tally.column("latency_s") < 0] == -1).all()


def test_two_of_a_shape_share_a_device_at_the_pace_of_the_line() -> None:
    fleet = Fleet(slots=2, line=BatchLine(0.5, 0.5))
    jobs = [SimJob(n, arrived_at=0.0, due_at=1e6, solo_s=100.0, step_s=1.0, rank=1, shape="s") for n in range(2)]
    tally = played(jobs, fleet).tally
    assert tally.column("latency_s").tolist() == pytest.approx([150.0, 150.0], abs=2.0)
    others = [SimJob(n, arrived_at=0.0, due_at=1e6, solo_s=100.0, step_s=1.0, rank=1, shape=n) for n in range(2)]
    assert sorted(played(others, fleet).tally.column("latency_s").tolist()) == pytest.approx([100.0, 200.0])


def test_a_park_costs_its_price_and_at_most_one_step_of_waiting() -> None:
    long = SimJob(0, arrived_at=0.0, due_at=1e5, solo_s=100.0, step_s=4.0, rank=2)
    vip = SimJob(1, arrived_at=49.0, due_at=49.0 + promise_s("vip", 10.0), solo_s=10.0, step_s=1.0, rank=0)
    tally = played([long, vip], Fleet(park_s=0.5)).tally
    assert tally.column("latency_s").tolist() == pytest.approx([3.0 + 10.0, 100.0 + 10.0 + 0.5])  # it gave way at 52, a whole step
    assert tally.num_parks == 1


def latencies(decode_s: float, vip_at: float) -> list[float]:
    """Of a free clip of five steps of 4 s and a decode, and of a short one of the best tier that comes at `vip_at`."""
    long = SimJob(0, arrived_at=0.0, due_at=1e5, solo_s=20.0 + decode_s, step_s=4.0, decode_s=decode_s, rank=2)
    vip = SimJob(1, arrived_at=vip_at, due_at=vip_at, solo_s=1.0, step_s=1.0, rank=0)
    latency_s: list[float] = played([long, vip], Fleet(park_s=0.0)).tally.column("latency_s").tolist()
    return latency_s


@pytest.mark.parametrize(
    ("vip_at", "starts_at"),
    [(0.0, 4.0), (3.0, 4.0), (9.0, 12.0), (12.0, 12.0), (12.5, 30.0), (25.0, 30.0)],
)
def test_a_clip_gives_way_after_each_step_but_the_last_two_and_not_while_it_is_decoded(vip_at: float, starts_at: float) -> None:
    gives_way = starts_at < 30.0
    assert latencies(10.0, vip_at) == pytest.approx([starts_at - vip_at + 1.0, 31.0] if gives_way else [30.0, 31.0 - vip_at])


def test_the_scheduler_goes_by_what_is_predicted_and_the_device_by_what_it_takes() -> None:
    arrivals = [
        Arrival(arrival_s=0.0, service_s=1.0),
        Arrival(arrival_s=0.5, service_s=2.0, predicted_s=9.0),
        Arrival(arrival_s=0.5, service_s=8.0, predicted_s=3.0, decode_share=0.5, num_inference_steps=4),
    ]
    tally = play(Workload(arrivals=arrivals), Fleet(num_devices=1), parse_contenders("srpt")[0])
    latency_s = dict(zip(tally.column("number").tolist(), tally.column("latency_s").tolist(), strict=True))
    assert latency_s == pytest.approx({0: 1.0, 1: 10.5, 2: 8.5})
    assert tally.busy_s == pytest.approx(11.0)
    assert tally.slowdowns().tolist() == pytest.approx([0.0, 0.5 / 8.0, 8.5 / 2.0])


def test_a_lighter_clip_has_fewer_steps_and_the_same_decode() -> None:
    job = SimJob(0, arrived_at=0.0, due_at=1e5, solo_s=30.0, step_s=2.0, decode_s=10.0, rank=1)
    lighter = job.lighter(0.5, 1)
    assert (lighter.solo_s, lighter.step_s, lighter.decode_s) == (15.0, 2.0, 10.0)


@pytest.mark.parametrize("speed", [1.0, 0.25])
def test_a_dead_worker_s_job_goes_on_from_its_checkpoint(speed: float) -> None:
    job = SimJob(0, arrived_at=0.0, due_at=1e5, solo_s=1000.0 * speed, step_s=speed, rank=1, speed=speed)
    fleet = Fleet(mtbf_s=300.0, repair_s=5.0, lease_s=45.0, checkpoint_every_s=20.0)
    tally = played([job], fleet, seed=1).tally
    num = tally.num_deaths
    assert num > 0
    assert 1000 + 45 * num - 1e-6 <= tally.column("latency_s")[0] <= 1000 + (45 + 20) * num + 5 * num
    assert tally.busy_s <= 1000 + 20 * num + 1e-6


def test_a_change_of_model_costs_a_cold_start() -> None:
    jobs = [SimJob(n, arrived_at=100.0 * n, due_at=1e6, solo_s=10.0, step_s=1.0, rank=1, model="ab"[n % 2]) for n in range(4)]
    one = played(jobs, Fleet(cold_start_s=30.0)).tally
    assert one.column("latency_s").tolist() == pytest.approx([40.0] * 4)
    jobs = [SimJob(n, arrived_at=100.0 * n, due_at=1e6, solo_s=10.0, step_s=1.0, rank=1, model="ab"[n % 2]) for n in range(4)]
    two = played(jobs, Fleet(num_devices=2, cold_start_s=30.0)).tally
    assert two.column("latency_s").sum() < one.column("latency_s").sum()


def test_equal_arguments_give_equal_results() -> None:
    arrivals = [Arrival(arrival_s=float(n), tier="vip" if n % 3 else "free", service_s=20.0) for n in range(200)]
    fleet = Fleet(num_devices=5, mtbf_s=500.0, hit_share=0.2)
    contenders = parse_contenders("cinelet+degrade,srpt")
    first, second = (simulate(Workload(arrivals=arrivals), fleet, contenders, seed=7).summaries() for _ in range(2))
    assert first == second
    other = simulate(Workload(arrivals=arrivals), fleet, contenders, seed=8).summaries()
    assert other["cinelet+degrade"] != first["cinelet+degrade"]


def test_many_at_one_moment_and_a_large_fleet_are_no_trouble() -> None:
    arrivals = [Arrival(arrival_s=0.0, service_s=5.0)] * 3000
    tally = play(Workload(arrivals=arrivals), Fleet(num_devices=1000), parse_contenders("cinelet")[0])
    assert tally.ended_at == pytest.approx(15.0, abs=1.0)
    assert tally.summary(1000)["num_jobs"] == 3000


def test_an_arrival_becomes_a_job_with_its_work_and_its_promise() -> None:
    arrivals = [
        Arrival(arrival_s=1.0, tier="vip", service_s=10.0, decode_share=0.2, num_inference_steps=8),
        Arrival(arrival_s=2.0, tier="free"),
        Arrival(arrival_s=3.0, deadline_s=7.0, service_s=5.0),
        Arrival(arrival_s=4.0, service_s=10.0, predicted_s=5.0, decode_share=0.2, num_inference_steps=8),
    ]
    first, second, third, fourth = Workload(arrivals=arrivals, service_s=50.0).jobs()
    assert (first.solo_s, first.step_s, first.decode_s, first.rank) == (10.0, 1.0, 2.0, 0)
    assert first.due_at == 1.0 + promise_s("vip", 10.0)
    assert (second.solo_s, second.step_s, second.rank, second.due_at) == (50.0, 50.0 / DEFAULT_STEPS, 2, 2.0 + promise_s("free", 50.0))
    assert third.due_at == 10.0
    assert (fourth.solo_s, fourth.step_s, fourth.decode_s, fourth.speed) == (5.0, 0.5, 1.0, 0.5)
    assert fourth.due_at == 4.0 + promise_s("standard", 5.0)


def test_work_that_nobody_knows_is_refused_with_its_row() -> None:
    with pytest.raises(RequestError, match="arrival 2 does not say how long it takes"):
        Workload(arrivals=[Arrival(arrival_s=0.0, service_s=1.0), Arrival(arrival_s=0.0)])
    with pytest.raises(InvalidValueError, match="service"):
        Workload(arrivals=[], service_s=-1.0)


@pytest.mark.parametrize(("service_s", "predicted_s"), [(604_800.0, 5e-324), (1e-320, 604_800.0), (1.0, 1001.0)])
def test_a_prediction_beyond_all_error_is_refused_with_its_row(service_s: float, predicted_s: float) -> None:
    arrivals = [Arrival(arrival_s=0.0, service_s=1.0), Arrival(arrival_s=0.0, service_s=service_s, predicted_s=predicted_s)]
    with pytest.raises(InvalidValueError, match=r"arrival 2, predicted_s: .* a thousandth to a thousand times"):
        Workload(arrivals=arrivals)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("gpus", {"num_devices": 0}),
        ("slots", {"slots": 65}),
        ("batch line", {"line": BatchLine(-1.0, 2.0)}),
        ("batch line", {"line": BatchLine(0.0, 0.0)}),
        ("park", {"park_s": float("nan")}),
        ("mtbf", {"mtbf_s": 0.0}),
        ("hit share", {"hit_share": 1.5}),
        ("offers", {"offers": (0.0,)}),
    ],
)
def test_machines_that_cannot_be_are_refused(field: str, settings: dict) -> None:
    with pytest.raises(InvalidValueError, match=field):
        replace(Fleet(), **settings)


def test_a_full_device_is_as_fast_as_its_line_says() -> None:
    assert Fleet(slots=4).speedup == 1.0
    assert Fleet(slots=4, line=BatchLine(0.5, 0.5)).speedup == pytest.approx(4 / 2.5)


def test_contenders_are_named_regularly() -> None:
    names = [(one.policy.name, one.may_degrade, one.may_refuse) for one in parse_contenders("fifo, edf+preempt+degrade,cinelet+no-preempt")]
    assert names == [("fifo", False, False), ("edf+preempt", True, False), ("cinelet+no-preempt", False, False)]
    (one,) = parse_contenders("cinelet+refuse", may_preempt=False, may_degrade=True)
    assert (one.policy.name, one.may_degrade, one.may_refuse) == ("cinelet+no-preempt", True, True)
    for text in ("", "lifo", "fifo+", "fifo+degrade+degrade", "edf+preempt+no-preempt", "cinelet,", ",".join(["fifo"] * 41)):
        with pytest.raises(InvalidValueError, match="policy"):
            parse_contenders(text)
