"""What must hold of the policy and the simulator, each as one function that raises AssertionError: ordinary tests call them on our code,
and the tests of planted faults call them on broken code."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cinelet.capacity import REFERENCE_MIX, bursty, mixed
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.sim_job import SimJob
from cinelet.capacity.simulator import Simulator
from cinelet.capacity.workload import Workload
from cinelet.scheduling import Ledger, policy_named, wait_of
from cinelet.scheduling.line import KeyLine
from cinelet.scheduling.policy import KeyPolicy, Policy
from tests.support.works import Job, slow_first

CINELET = "cinelet"
MAX_TICKS = 10_000


def burst(num: int = 400, *, seed: int = 1, load: float = 0.7, num_devices: int = 4) -> list[SimJob]:
    """Three classes and three tiers in bursts."""
    rng = np.random.default_rng(seed)
    rate = load * num_devices / 74
    arrivals = mixed(bursty(rate, num / rate, rng, dispersion=20, window_s=60.0), REFERENCE_MIX, rng)
    return list(Workload(arrivals=arrivals).jobs())


def played(jobs: list[SimJob], fleet: Fleet, policy: str | Policy = CINELET, **settings: object) -> Simulator:
    """A finished run, looked at after each tick."""
    chosen = policy_named(policy) if isinstance(policy, str) else policy
    simulator = Simulator(chosen, fleet, jobs, **settings)
    ticks = 0
    while simulator.has_more:
        simulator.tick()
        running = Counter(job.number for device in simulator.devices for job in device.runs)
        assert max(running.values(), default=0) <= 1, "a job runs in two places"
        assert all(len(device.runs) <= fleet.slots for device in simulator.devices), "more jobs than places"
        if fleet.slots == 1 and len(simulator.waiting):
            assert not any(device.has_room for device in simulator.devices), "somebody waits beside a free device"
        ticks += 1
        assert ticks < MAX_TICKS, "the run does not end"
    simulator.tally.close(simulator.now, sum(device.busy_s for device in simulator.devices))
    return simulator


def everybody_ends_once_and_no_work_is_lost() -> None:
    jobs = burst()
    fleet = Fleet(num_devices=4)
    tally = played(jobs, fleet).tally
    assert sorted(tally.column("number").tolist()) == list(range(len(jobs)))
    work_s = sum(job.solo_s for job in jobs) + tally.num_parks * fleet.park_s
    assert tally.num_parks > 10
    assert tally.busy_s == pytest.approx(work_s), "device time is not the work that was asked for"


def the_line_is_in_the_order_of_the_words() -> None:
    """Two hopeful, one lost, one pressing, one overdue, at one moment; see `slow_first`."""
    now = 1000.0
    late = Job(arrived_at=now - 100, due_at=now, solo_s=60)
    shorter_late = Job(arrived_at=now - 100, due_at=now - 10, solo_s=30)
    hopeful = Job(arrived_at=now, due_at=now + 500)
    sooner = Job(arrived_at=now, due_at=now + 400)
    pressing = Job(arrived_at=now, due_at=now + 90, rank=0)
    overdue = Job(arrived_at=0.0, due_at=200.0, solo_s=60)
    waiting = [late, shorter_late, hopeful, sooner, pressing, overdue]
    line = policy_named(CINELET).line(Ledger())
    for job in waiting:
        line.push(job, now)
    order = [line.pop(now) for _ in range(len(waiting))]
    expected = []
    while waiting:
        first = slow_first(waiting, now)
        waiting.remove(first)
        expected.append(first)
    assert order == expected == [pressing, overdue, sooner, hopeful, shorter_late, late]


def the_best_tier_does_not_wait_for_others() -> None:
    """Each vip job begins within one step while others keep all devices busy, most of them with earlier deadlines."""
    jobs = [SimJob(n, arrived_at=24.0 * n, due_at=24.0 * n + 150, solo_s=50.0, step_s=2.0, rank=2) for n in range(60)]
    jobs += [SimJob(100 + n, arrived_at=200.0 + 90 * n, due_at=265.0 + 90 * n, solo_s=60.0, step_s=2.0, rank=0) for n in range(10)]
    tally = played(sorted(jobs, key=lambda job: job.arrived_at), Fleet(num_devices=2)).tally
    latency = tally.column("latency_s")[tally.column("rank") == 0]
    assert len(latency) == 10
    assert latency.max() <= 62.1, "a vip waited longer than one step"


def nobody_starves() -> None:
    """Late jobs under a stream that could always be in time: served before twenty times their work, though not by right."""
    lost = [SimJob(n, arrived_at=0.0, due_at=1.0, solo_s=20.0, step_s=1.0, rank=2) for n in range(3)]
    stream = [SimJob(10 + n, arrived_at=n * 20.0, due_at=n * 20.0 + 100, solo_s=20.0, step_s=1.0, rank=1) for n in range(100)]
    tally = played([*lost, *stream], Fleet()).tally
    waits = tally.slowdowns()[tally.column("number") < 10]
    assert waits.max() < 20, "a late job waited without end"


def the_late_step_aside() -> None:
    """A burst that cannot be served in time, and a stream that can: the stream is."""
    lost = [SimJob(n, arrived_at=0.0, due_at=10.0, solo_s=60.0, step_s=1.0, rank=1) for n in range(8)]
    stream = [SimJob(10 + n, arrived_at=1.0 + n * 65.0, due_at=1.0 + n * 65.0 + 180, solo_s=60.0, step_s=1.0, rank=1) for n in range(8)]
    tally = played([*lost, *stream], Fleet()).tally
    assert tally.column("is_met")[tally.column("number") >= 10].all(), "the lost were served before the living"


def nobody_is_parked_into_lateness_for_nothing() -> None:
    """A running job without slack stays, whoever of its size and tier comes."""
    now = 100.0
    tight = Job(since=0.0, solo_s=200.0, left_s=200.0, due_at=205.0)
    urgent = Job(arrived_at=now, solo_s=150.0, due_at=now + 160.0)
    policy = policy_named(CINELET)
    assert policy.victim(urgent, [tight], Ledger(), now) is None
    spare = Job(since=0.0, solo_s=200.0, left_s=200.0, due_at=2000.0)
    assert policy.victim(urgent, [tight, spare], Ledger(), now) is spare


def quotes_are_right_first_come_first_served() -> None:
    """On one device and in a fixed order the quoted wait is the wait, to the millisecond."""
    policy, ledger, quotes = policy_named("fifo"), Ledger(), {}
    looked_at: list[Simulator] = []

    class QuotingLine(KeyLine):
        def push(self, work: SimJob, now: float) -> None:
            running = [job for device in looked_at[0].devices for job in device.runs]
            quotes[work.number] = wait_of(
                work, self.ahead_of(work, now), running, num_places=1, policy=policy, ledger=ledger, now=now
            )  # fmt: skip
            super().push(work, now)

    class Quoting(KeyPolicy):
        def line(self, ledger: Ledger) -> KeyLine:
            return QuotingLine(lambda work: work.arrived_at)

    rng = np.random.default_rng(1)
    instants, solos = np.cumsum(rng.exponential(20.0, 60)).tolist(), rng.uniform(5, 30, 60).tolist()
    jobs = [
        SimJob(number, arrived_at=at, due_at=1e9, solo_s=solo_s, step_s=1.0, rank=1)
        for number, (at, solo_s) in enumerate(zip(instants, solos, strict=True))
    ]
    looked_at.append(Simulator(Quoting("fifo", policy.key_at), Fleet(), jobs))
    tally = looked_at[0].run()
    waits = dict(zip(tally.column("number").tolist(), (tally.column("latency_s") - tally.column("solo_s")).tolist(), strict=True))
    assert max(waits.values()) > 20
    assert quotes == pytest.approx(waits, abs=1e-3)


def tenants_share() -> None:
    """A tenant that floods the line with the same kind of jobs does not keep another's waiting."""
    flood = [SimJob(n, arrived_at=0.0, due_at=1e6 + n, solo_s=30.0, step_s=1.0, rank=1, tenant="flood") for n in range(60)]
    other = [SimJob(100 + n, arrived_at=200.0 + 120 * n, due_at=2e6, solo_s=30.0, step_s=1.0, rank=1, tenant="other") for n in range(10)]
    tally = played([*flood, *other], Fleet()).tally
    waits = tally.slowdowns()[tally.column("number") >= 100]
    assert waits.max() <= 3, "a flooding tenant kept another one waiting"


def overdue_jobs_get_their_share() -> None:
    """Under best-tier jobs that would fill the device for ever, overdue ones still have about a tenth of it."""
    lost = [SimJob(n, arrived_at=0.0, due_at=1.0, solo_s=10.0, step_s=1.0, rank=2) for n in range(30)]
    endless = [SimJob(100 + n, arrived_at=n * 10.0, due_at=n * 10.0 + 15.0, solo_s=10.0, step_s=1.0, rank=0) for n in range(200)]
    tally = played([*lost, *endless], Fleet()).tally
    ended_at = (tally.column("arrived_at") + tally.column("latency_s"))[tally.column("number") < 100]
    done_by = (ended_at < 2000.0).sum() * 10.0 / (2000.0 - 110.0)
    assert done_by >= 0.05, "overdue jobs had nothing while the best tier ran"


CHECKS = [
    everybody_ends_once_and_no_work_is_lost,
    the_line_is_in_the_order_of_the_words,
    the_best_tier_does_not_wait_for_others,
    nobody_starves,
    the_late_step_aside,
    nobody_is_parked_into_lateness_for_nothing,
    quotes_are_right_first_come_first_served,
    tenants_share,
    overdue_jobs_get_their_share,
]
