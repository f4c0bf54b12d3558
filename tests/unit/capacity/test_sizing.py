"""How many devices a goal needs, and what they cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.capacity.contender import parse_contenders
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.sizing import Goal, Sizing, fewest
from cinelet.capacity.trace import Arrival
from cinelet.capacity.workload import Workload
from cinelet.errors import InvalidValueError

EVEN = Workload(arrivals=[Arrival(arrival_s=10.0 * n, service_s=25.0, deadline_s=40.0) for n in range(200)])
"""2.5 devices' work: on three nobody ever waits."""


def sizing(workload: Workload = EVEN) -> Sizing:
    return Sizing(workload, Fleet(), parse_contenders("cinelet")[0], price_an_hour=3.6)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_the_search_finds_the_smallest_number_that_is_enough(answer: int, first: int, most: int) -> None:
    asked = []

    def is_enough(num: int) -> bool:
        asked.append(num)
        return num >= answer

    found = fewest(is_enough, first=min(first, most), most=most)
    assert found == (answer if answer <= most else None)
    assert len(asked) <= 25
    assert max(asked) <= most


def test_the_fewest_devices_that_meet_a_goal_and_one_fewer_do_not() -> None:
    one = sizing()
    assert one.fewest(Goal(slo_attainment=1.0), max_devices=64) == 3
    assert one.bill(2).slo_attainment < 1.0
    assert sizing().fewest(Goal(p95_s=25.0), max_devices=64) == 3


def test_a_goal_out_of_reach_has_no_answer() -> None:
    assert sizing().fewest(Goal(p95_s=20.0), max_devices=16) is None


def test_a_bill_counts_what_is_paid_whether_it_worked_or_not() -> None:
    bill = sizing().bill(5).to_json()
    assert bill["gpu_seconds_per_clip"] == pytest.approx(25.0)
    paid_s = 5 * (199 * 10.0 + 25.0) / 200
    assert bill["paid_gpu_seconds_per_clip"] == pytest.approx(paid_s, rel=1e-3)
    assert bill["money_per_clip"] == pytest.approx(paid_s * 3.6 / 3600, rel=1e-3)
    assert bill["money_per_1000_calls"] == pytest.approx(1000 * bill["money_per_clip"], rel=1e-3)
    assert bill["money_per_hour"] == 18.0
    assert bill["mean_wait_s"] == 0.0


def test_a_curve_costs_more_and_waits_less_with_every_device() -> None:
    bills = sizing().curve(3, max_devices=64)
    assert [bill.num_devices for bill in bills] == sorted({bill.num_devices for bill in bills})
    waits = [bill.mean_wait_s for bill in bills]
    assert waits == sorted(waits, reverse=True)


@pytest.mark.parametrize("goal", [{}, {"slo_attainment": 0.9, "p95_s": 10.0}, {"slo_attainment": 1.5}, {"p95_s": 0.0}])
def test_a_goal_is_one_number_within_reason(goal: dict) -> None:
    with pytest.raises(InvalidValueError):
        Goal(**goal)
