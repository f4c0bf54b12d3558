"""The waiting line at a glance says what the line itself would say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.scheduling import Ledger, Outlook, policy_named
from cinelet.scheduling import outlook as outlook_module
from cinelet.scheduling.admission import wait_in
from cinelet.scheduling.foresight import play_forward


@dataclass(frozen=True)
class Job:
    id: str
    rank: int
    arrived_at: float
    due_at: float
    solo_s: float
    tenant: str = "ann"
    is_running: bool = False

    @property
    def step_s(self) -> float:
        return self.solo_s / 10

    def left_at(self, now: float) -> float:
        return self.solo_s

    def can_park(self, now: float) -> bool:
        return self.is_running


def jobs(prefix: str, *, running: bool = False) -> st.SearchStrategy[list[Job]]:
    fields = st.tuples(st.integers(0, 2), st.floats(0, 100), st.floats(0, 300), st.floats(0.1, 50))
    return st.lists(fields, max_size=12).map(
        lambda rows: [Job(f"{prefix}{i}", rank, at, at + due, solo, is_running=running) for i, (rank, at, due, solo) in enumerate(rows)]
    )


@given(jobs("w"), jobs("r", running=True), jobs("c"), st.sampled_from(["cinelet", "fifo", "edf", "srpt"]))
def test_in_a_long_line_it_waits_as_long_as_admission_computes_from_the_line(
    waiting: list[Job], running: list[Job], asking: list[Job], name: str
) -> None:
    policy, now, places = policy_named(name), 100.0, 3
    line = policy.line(Ledger())
    for job in waiting:
        line.push(job, now)
    outlook = Outlook(waiting, running[:places], num_places=places, policy=policy, now=now)
    for job in asking:
        turns = {policy.turn(job, now, is_late=is_late) for is_late in (False, True)}
        if turns & {policy.turn(other, now) for other in waiting}:
            continue  # equal ones go by arrival, which the glance does not keep
        ahead = [other for other in waiting if policy.turn(other, now) < policy.turn(job, now)]
        assert outlook.ahead_of(job)[0] == len(ahead)
        expected = wait_in(line, job, running[:places], num_places=places, policy=policy, ledger=Ledger(), now=now)
        assert abs(outlook.wait_in_place_s(job) - expected) < 1e-6
        with mock.patch.object(outlook_module, "FORESEEN", -1):
            assert outlook.wait_s(job) == outlook.wait_in_place_s(job)


@given(jobs("w"), jobs("r", running=True), jobs("c"), st.sampled_from(["cinelet", "cinelet+no-preempt", "fifo", "edf", "srpt"]))
def test_in_a_short_line_it_waits_as_long_as_the_line_served_to_its_end_makes_it(
    waiting: list[Job], running: list[Job], asking: list[Job], name: str
) -> None:
    outlook = Outlook(waiting, running[:3], num_places=3, policy=policy_named(name), now=100.0)
    for job in asking:
        wait_s = outlook.wait_s(job)
        assert 0.0 <= wait_s <= sum(other.solo_s for other in (*waiting, *running[:3])) + 1e-6
        if not waiting and len(running) < 3:
            assert wait_s == 0.0


@given(jobs("w"), jobs("r", running=True), st.sampled_from(["cinelet", "cinelet+no-preempt", "fifo", "edf", "srpt"]))
def test_all_who_wait_are_told_their_first_start_by_one_playing(waiting: list[Job], running: list[Job], name: str) -> None:
    policy = policy_named(name)
    starts = list(play_forward(waiting, running, num_places=2, policy=policy, now=100.0))
    outlook = Outlook(waiting, running, num_places=2, policy=policy, now=100.0)
    with mock.patch.object(outlook_module, "play_forward", wraps=play_forward) as playing:
        for job in waiting:
            assert outlook.wait_s(job) == next(start_s for other, start_s in starts if other is job)
    assert playing.call_count == min(1, len(waiting))


def test_one_that_was_begun_between_the_two_readings_of_the_line_counts_once() -> None:
    begun, other = Job("a", 1, 0.0, 500.0, 10.0, is_running=True), Job("b", 1, 1.0, 500.0, 5.0)
    outlook = Outlook([begun, other], [begun], num_places=1, policy=policy_named("fifo"), now=100.0)
    assert outlook.wait_s(begun) == 0.0
    assert outlook.wait_s(other) == 10.0
    assert outlook.ahead_of(other) == (0, 0.0)


def test_a_parked_clip_is_work_that_waits_and_not_a_second_device() -> None:
    policy = policy_named("fifo")
    running = [Job("a", 1, 0.0, 500.0, 10.0, is_running=True), Job("b", 1, 1.0, 500.0, 20.0, is_running=True)]
    outlook = Outlook([], running, num_places=1, policy=policy, now=100.0)
    assert outlook.wait_s(Job("c", 1, 100.0, 500.0, 5.0)) == 30.0


def test_who_is_on_the_device_is_told_by_their_order_and_not_by_the_policy() -> None:
    """The parked one would go first by its deadline, and would make room for a short clip; the other is decoded, and does not."""
    on_it, parked = Job("a", 1, 0.0, 900.0, 10.0), Job("b", 1, 1.0, 500.0, 20.0, is_running=True)
    outlook = Outlook([], [on_it, parked], num_places=1, policy=policy_named("cinelet"), now=100.0)
    assert outlook.wait_s(Job("c", 1, 100.0, 130.0, 5.0)) == 10.0


def test_it_knows_that_those_before_it_will_step_aside() -> None:
    """Both before it cannot both be in time: the second becomes late while the first is served, and the asking one goes first."""
    policy = policy_named("cinelet+no-preempt")
    first, second = Job("a", 1, 0.0, 110.0, 10.0), Job("b", 1, 0.0, 112.0, 10.0)
    asking = Job("c", 1, 100.0, 130.0, 5.0)
    outlook = Outlook([first, second], [], num_places=1, policy=policy, now=100.0)
    assert outlook.ahead_of(asking) == (2, 20.0)
    assert outlook.wait_s(asking) == 10.0


def test_who_joined_stands_before_those_who_ask_next() -> None:
    outlook = Outlook([], [], num_places=1, policy=policy_named("fifo"), now=10.0)
    first, second = Job("a", 1, 10.0, 50.0, 4.0), Job("b", 1, 11.0, 50.0, 4.0)
    assert outlook.wait_s(first) == 0.0
    outlook.add(first)
    assert (outlook.ahead_of(second), outlook.wait_s(second)) == ((1, 4.0), 4.0)


def test_one_who_came_after_the_line_was_read_has_not_begun_before_it_came() -> None:
    outlook = Outlook([], [], num_places=1, policy=policy_named("cinelet"), now=10.0)
    outlook.add(Job("a", 0, 10.4, 60.0, 2.0))
    asking = Job("b", 0, 10.5, 60.0, 2.0)
    assert outlook.wait_s(asking) == pytest.approx(2.4)
    assert outlook.expected_wait_s(asking, 10.5) == pytest.approx(1.9)


def test_who_came_to_a_free_device_has_begun_before_a_better_one_comes() -> None:
    outlook = Outlook([], [], num_places=1, policy=policy_named("cinelet"), now=10.0)
    outlook.add(Job("a", 2, 10.1, 60.0, 2.0))
    asking = Job("b", 1, 10.2, 16.2, 2.0)
    assert outlook.wait_s(asking) == pytest.approx(2.1), "a has no step behind it, and b is in time all the same"


def test_who_has_begun_since_the_line_was_read_makes_room_as_others_do() -> None:
    outlook = Outlook([], [], num_places=1, policy=policy_named("cinelet"), now=10.0)
    outlook.add(Job("a", 2, 10.1, 600.0, 20.0, is_running=True))
    pressing = Job("b", 0, 10.2, 13.2, 2.0)
    assert outlook.wait_s(pressing) == pytest.approx(0.2 + 1.0), "half a step is left of the one under way"
    outlook.add(pressing)
    assert outlook.wait_s(Job("c", 0, 10.3, 16.0, 2.0)) == pytest.approx(2.2 + 1.0), "b first, then c; a waits for both"


def test_a_device_that_gets_free_before_one_comes_is_free_for_it() -> None:
    outlook = Outlook([], [Job("a", 1, 9.0, 60.0, 0.5)], num_places=1, policy=policy_named("cinelet"), now=10.0)
    asking = Job("b", 1, 11.0, 60.0, 2.0)
    assert outlook.expected_wait_s(asking, 11.0) == 0.0


def test_what_passes_between_two_clips_counts_once_for_each_that_goes_before() -> None:
    running = [Job("a", 0, 0.0, 60.0, 2.0, is_running=True)]
    waiting = [Job("b", 0, 1.0, 60.0, 2.0), Job("c", 0, 2.0, 60.0, 2.0)]
    outlook = Outlook(waiting, running, num_places=1, policy=policy_named("fifo"), now=10.0, between_s=0.25)
    assert outlook.wait_s(Job("d", 0, 10.0, 60.0, 2.0)) == pytest.approx(6.75)


def test_one_who_is_there_is_not_added_again_and_one_who_did_not_join_is_gone() -> None:
    policy = policy_named("fifo")
    first, second, asking = (Job(name, 1, 10.0 + at, 50.0, 4.0) for at, name in enumerate("abz"))
    outlook = Outlook([first], [], num_places=1, policy=policy, now=20.0)
    outlook.add(first)
    outlook.add(second)
    assert (outlook.ahead_of(asking), outlook.wait_s(asking)) == ((2, 8.0), 8.0)
    outlook.remove(second)
    outlook.remove(second)
    assert (outlook.ahead_of(asking), outlook.wait_s(asking)) == ((1, 4.0), 4.0)


@given(jobs("w"), jobs("n"), jobs("c"), st.data(), st.sampled_from(["cinelet", "fifo", "edf", "srpt"]))
def test_a_line_that_was_joined_and_left_is_the_line_of_those_who_stayed(
    waiting: list[Job], joining: list[Job], asking: list[Job], data: st.DataObject, name: str
) -> None:
    policy = policy_named(name)
    outlook = Outlook(waiting, [], num_places=2, policy=policy, now=100.0)
    for job in joining:
        outlook.add(job)
    leaving = data.draw(st.sets(st.sampled_from([*waiting, *joining])) if waiting or joining else st.just(set()))
    for job in leaving:
        outlook.remove(job)
    fresh = Outlook([job for job in (*waiting, *joining) if job not in leaving], [], num_places=2, policy=policy, now=100.0)
    for job in asking:
        num, seconds = fresh.ahead_of(job)
        assert outlook.ahead_of(job)[0] == num
        assert abs(outlook.ahead_of(job)[1] - seconds) < 1e-6


def test_many_may_ask_while_one_adds() -> None:
    outlook = Outlook([], [], num_places=1, policy=policy_named("fifo"), now=10.0)
    last = Job("z", 2, 1e6, 2e6, 1.0)

    def ask(_: int) -> tuple[int, float]:
        return outlook.ahead_of(last)

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(ask, range(4000))
        for number in range(400):
            outlook.add(Job(str(number), 1, float(number), 50.0, 2.0))
    assert all(seconds == 2.0 * count for count, seconds in answers)


def test_those_beyond_the_list_stand_last() -> None:
    policy = policy_named("fifo")
    outlook = Outlook([Job("a", 1, 10.0, 50.0, 4.0)], [], num_places=1, policy=policy, now=20.0, beyond=(5, 20.0))
    assert outlook.ahead_of(Job("early", 1, 1.0, 50.0, 4.0)) == (0, 0.0)
    assert outlook.ahead_of(Job("late", 1, 15.0, 50.0, 4.0)) == (6, 24.0)
