"""What one worker asks the scheduler: joins only where that pays, gathers only for that, serves parked clips from the same line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinelet.jobs import Candidate, Job, Lease
from cinelet.scheduling import Cost, policy_named
from cinelet.scheduling.batch import GATHER_S
from cinelet.worker.dispatcher import Dispatcher
from cinelet.worker.run import Run
from tests.support.world import PLAN

NOW = 1000.0
COST = Cost(0.0, 1.0, 0.0, 10)


def candidate(number: int, **fields: object) -> Candidate:
    plain = Candidate(
        id=f"c{number}", tenant="ann", tier="standard", state="available", created_at=NOW, due_at=NOW + 100, work_s=10.0, left_s=10.0,
        attempt=0, shape=PLAN.shape,
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


def run(number: int, *, step: int = 5, parked: bool = False, **fields: object) -> Run:
    job = Job(id=f"r{number}", tenant="ann", tier="free", state="running", plan=PLAN, created_at=NOW - 5, due_at=NOW + 500, attempt=1)
    run = Run(lease=Lease(job=replace(job, **fields), token="t"), cost=COST, step=step, began_at=0.0)  # type: ignore[arg-type]
    run.parked_at = 1.0 if parked else None
    return run


@pytest.fixture
def pair() -> Dispatcher:
    return Dispatcher(policy_named("cinelet"), 2)


def learn(dispatcher: Dispatcher, seconds_of_two: float) -> None:
    one, other = run(1), run(2)
    for _ in range(3):
        dispatcher.stepped([one], 1.0)
        dispatcher.stepped([one, other], seconds_of_two)


def test_a_free_device_takes_the_first(pair: Dispatcher) -> None:
    decision = pair.decide([candidate(1, due_at=NOW + 50), candidate(2, due_at=NOW + 20)], [], NOW)
    assert decision is not None
    assert (decision.start.id, decision.park) == ("c2", None)


def test_a_second_clip_joins_where_it_pays_and_waits_where_it_does_not(pair: Dispatcher) -> None:
    learn(pair, 1.2)
    assert pair.decide([candidate(1)], [run(1, tier="standard")], NOW) is not None
    dear = Dispatcher(policy_named("cinelet"), 2)
    learn(dear, 2.0)
    assert dear.decide([candidate(1)], [run(1, tier="standard")], NOW) is None


def test_clips_of_two_shapes_are_not_stepped_together(pair: Dispatcher) -> None:
    learn(pair, 1.2)
    assert pair.decide([candidate(1, shape="8x8x1")], [run(1, tier="standard")], NOW) is None


def test_the_best_tier_makes_a_free_clip_give_way_and_the_parked_one_comes_back() -> None:
    dispatcher = Dispatcher(policy_named("cinelet"), 1)
    slow = run(1)
    decision = dispatcher.decide([candidate(1, tier="vip", due_at=NOW + 15)], [slow], NOW)
    assert decision is not None
    assert (decision.start.id, decision.park) == ("c1", slow)
    slow.parked_at = 1.0
    back = dispatcher.decide([], [slow], NOW)
    assert back is not None
    assert back.start is slow


def test_an_overdue_clip_gets_its_share_against_the_best_tier() -> None:
    dispatcher = Dispatcher(policy_named("cinelet"), 1)
    overdue = candidate(1, tier="free", created_at=NOW - 200, due_at=NOW - 100)
    first = dispatcher.decide([overdue, candidate(2, tier="vip", due_at=NOW + 15)], [], NOW)
    assert first is not None
    assert first.start.id == "c2"
    vip = run(2, tier="vip")
    dispatcher.begins(vip, NOW)
    dispatcher.ends(vip, NOW + 10)
    second = dispatcher.decide([overdue, candidate(3, tier="vip", due_at=NOW + 25)], [], NOW + 10)
    assert second is not None
    assert second.start.id == "c1"


def test_a_clip_that_has_not_taken_a_step_of_its_turn_is_left_alone() -> None:
    dispatcher = Dispatcher(policy_named("cinelet"), 1)
    fresh = run(1)
    fresh.turn_step = fresh.step
    assert dispatcher.decide([candidate(1, tier="vip", due_at=NOW + 15)], [fresh], NOW) is None


def test_a_device_gathers_only_where_joining_is_known_to_pay(pair: Dispatcher) -> None:
    assert pair.gathers_s([candidate(1)], [], NOW) == 0.0
    learn(pair, 1.2)
    assert pair.gathers_s([candidate(1)], [], NOW) == pytest.approx(GATHER_S)
    assert pair.gathers_s([candidate(1)], [], NOW + 1) == 0.0
    assert pair.gathers_s([candidate(1), candidate(2)], [], NOW) == 0.0
    assert pair.gathers_s([candidate(1)], [run(1)], NOW) == 0.0
