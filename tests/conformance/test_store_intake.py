"""Accepting work: keys, repetitions, room and quota, on every database."""

from __future__ import annotations

import pytest

from cinelet.errors import KeyReusedError, QuotaError, RateLimitedError
from cinelet.jobs import Accepted, Tenant
from cinelet.jobs.intake import REPEAT_WINDOW_S
from cinelet.jobs.schema import idempotency_keys, jobs
from tests.support.world import World


def test_an_accepted_job_reads_back_as_it_was_submitted(world: World) -> None:
    fields = {"request": {"prompt": "风筝 \"'"}, "deadline_at": 2e9 + 0.25, "callback_url": "https://example.org/x", "work_s": 1.5}
    accepted = world.submit(**fields)
    assert accepted.kind == "new"
    assert world.find(accepted.job.id) == accepted.job


def test_one_round_answers_many_submissions_in_their_order(world: World) -> None:
    submissions = [world.submission() for _ in range(20)]
    answers = world.accept(*submissions)
    assert [answer.job.id for answer in answers] == [submission.job.id for submission in submissions]
    assert len(world.rows(jobs)) == 20


def test_an_empty_round_is_no_work(world: World) -> None:
    assert world.accept() == []


def test_the_same_key_and_body_lead_to_the_first_job(world: World) -> None:
    first = world.submit(key="k", body_digest="a")
    again = world.submit(key="k", body_digest="a")
    assert (again.kind, again.job.id) == ("repeat", first.job.id)
    assert len(world.rows(jobs)) == 1


def test_a_repetition_sees_the_job_as_it_is_now(world: World) -> None:
    job = world.submit(key="k", body_digest="a").job
    world.succeed(world.claim(job.id))
    assert world.submit(key="k", body_digest="a").job.state == "succeeded"


def test_the_same_key_with_another_body_is_refused_and_queues_nothing(world: World) -> None:
    world.submit(key="k", body_digest="a")
    with pytest.raises(KeyReusedError):
        world.submit(key="k", body_digest="b")
    assert len(world.rows(jobs)) == 1


def test_a_refused_body_does_not_take_the_key_from_its_owner(world: World) -> None:
    first = world.submit(key="k", body_digest="a")
    with pytest.raises(KeyReusedError):
        world.submit(key="k", body_digest="b")
    assert world.submit(key="k", body_digest="a").job.id == first.job.id


def test_two_tenants_may_use_the_same_key(world: World) -> None:
    ann = world.submit(key="k", body_digest="a", tenant="ann")
    bob = world.submit(key="k", body_digest="b", tenant="bob")
    assert (ann.kind, bob.kind) == ("new", "new")


def test_equal_keys_in_one_round_make_one_job(world: World) -> None:
    answers = world.accept(*(world.submission(key="k", body_digest="a") for _ in range(3)))
    assert [answer.kind for answer in answers] == ["new", "repeat", "repeat"]
    assert {answer.job.id for answer in answers} == {world.rows(jobs)[0].id}


def test_a_round_of_two_thousand_keys_is_taken(world: World) -> None:
    answers = world.accept(*(world.submission(key=f"k{i}", body_digest="a") for i in range(2000)))
    assert all(answer.kind == "new" for answer in answers)


def test_an_equal_body_that_says_it_is_a_repetition_is_one_for_ten_minutes(world: World) -> None:
    first = world.submit(body_digest="a")
    world.clock.advance(REPEAT_WINDOW_S - 1)
    assert world.submit(body_digest="a", is_repeat=True).job.id == first.job.id
    world.clock.advance(2)
    assert world.submit(body_digest="a", is_repeat=True).kind == "new"


def test_an_equal_body_that_does_not_say_so_is_new_work(world: World) -> None:
    world.submit(body_digest="a")
    assert world.submit(body_digest="a").kind == "new"


def test_another_tenants_equal_body_is_no_repetition(world: World) -> None:
    world.submit(body_digest="a", tenant="ann")
    assert world.submit(body_digest="a", tenant="bob", is_repeat=True).kind == "new"


def test_a_deleted_job_is_not_what_a_repetition_means(world: World) -> None:
    job = world.submit(body_digest="a").job
    world.store.register.delete(job.id, "ann")
    assert world.submit(body_digest="a", is_repeat=True).kind == "new"


def test_waiting_jobs_are_bounded(world: World) -> None:
    for _ in range(2):
        world.submit(max_waiting=2)
    with pytest.raises(RateLimitedError) as refused:
        world.submit(max_waiting=2)
    assert refused.value.retry_after_s is not None
    world.claim()
    assert world.submit(max_waiting=2).kind == "new"


def test_the_bound_on_waiting_jobs_holds_within_one_round(world: World) -> None:
    answers = world.accept(*(world.submission(max_waiting=2) for _ in range(4)))
    assert [isinstance(answer, RateLimitedError) for answer in answers] == [False, False, True, True]


def test_a_bound_of_none_waiting_refuses_everything(world: World) -> None:
    with pytest.raises(RateLimitedError):
        world.submit(max_waiting=0)


def test_new_work_is_reserved_against_the_quota(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=10))
    world.submit(reserved_s=6.0)
    with pytest.raises(QuotaError):
        world.submit(reserved_s=6.0)
    assert world.submit(reserved_s=4.0).kind == "new"
    assert world.balance() == (10.0, 0.0)


def test_a_quota_of_three_tenths_has_room_for_three_tenths(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=0.3))
    for _ in range(3):
        world.submit(reserved_s=0.1)
    with pytest.raises(QuotaError):
        world.submit(reserved_s=0.1)


def test_nobody_follows_who_came_later_in_the_same_round(world: World) -> None:
    later = {"digest": "d", "state": "scheduled", "available_at": world.clock() + 20}
    first, second, at_once = (world.submission(**what) for what in (later, later, {"digest": "d"}))
    answers = [answer for answer in world.accept(first, second, at_once) if isinstance(answer, Accepted)]
    assert [answer.kind for answer in answers] == ["new", "follower", "new"]
    assert answers[1].job.leader_id == first.job.id


def test_equal_ones_that_start_at_other_times_take_the_quota_in_the_order_they_came(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=20))
    later = world.submission(digest="d", state="scheduled", available_at=world.clock() + 20, reserved_s=10.0)
    answers = world.accept(later, world.submission(digest="d", reserved_s=10.0), world.submission(reserved_s=10.0))
    assert [isinstance(answer, QuotaError) for answer in answers] == [False, False, True]


def test_a_round_takes_as_much_as_the_quota_has_room_for(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=25))
    answers = world.accept(*(world.submission(reserved_s=10.0) for _ in range(4)))
    assert [isinstance(answer, QuotaError) for answer in answers] == [False, False, True, True]


def test_a_refused_submission_gives_its_key_back(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=1))
    with pytest.raises(QuotaError):
        world.submit(key="k", body_digest="a", reserved_s=5.0)
    assert world.rows(idempotency_keys) == []
    world.store.tenants.put(Tenant(id="ann", quota_s=10))
    assert world.submit(key="k", body_digest="a", reserved_s=5.0).kind == "new"


def test_a_repetition_of_a_submission_refused_in_the_same_round_is_refused_too(world: World) -> None:
    answers = world.accept(*(world.submission(key="k", body_digest="a", max_waiting=0) for _ in range(2)))
    assert all(isinstance(answer, RateLimitedError) for answer in answers)
    assert world.rows(jobs) == []


def test_one_refusal_in_a_round_does_not_touch_the_others(world: World) -> None:
    world.submit(key="k", body_digest="a")
    answers = world.accept(world.submission(), world.submission(key="k", body_digest="b"), world.submission(tenant="bob"))
    assert [type(answer) for answer in answers] == [Accepted, KeyReusedError, Accepted]
