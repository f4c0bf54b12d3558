"""Work that was done is reused, and work under way is followed, on every database."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from cinelet.errors import QuotaError
from cinelet.jobs import Tenant
from cinelet.jobs.leases import MAX_ATTEMPTS
from cinelet.jobs.schema import jobs
from tests.support.world import BROKEN, World


def test_a_finished_job_of_the_same_digest_answers_at_once(world: World) -> None:
    first = world.submit(digest="d").job
    world.succeed(world.claim(first.id))
    hit = world.submit(digest="d", work_s=9.0)
    assert (hit.kind, hit.job.state, hit.job.is_cached) == ("hit", "succeeded", True)
    stored, original = world.find(hit.job.id), world.find(first.id)
    assert (stored.result, stored.result_of, stored.expires_at) == (original.result, first.id, original.expires_at)
    assert (stored.reserved_s, stored.attempt) == (0.0, 0)


def test_every_hit_names_the_job_that_holds_the_files(world: World) -> None:
    first = world.submit(digest="d").job
    follower = world.submit(digest="d").job
    world.succeed(world.claim(first.id))
    hits = [world.submit(digest="d").job for _ in range(3)]
    assert {world.find(job.id).result_of for job in (follower, *hits)} == {first.id}


def test_when_the_original_is_deleted_its_hits_keep_their_files_and_the_next_is_made_anew(world: World) -> None:
    first = world.submit(digest="d").job
    follower = world.submit(digest="d").job
    world.succeed(world.claim(first.id))
    hit = world.submit(digest="d").job
    world.store.register.delete(first.id, "ann")
    assert world.submit(digest="d").kind == "new"
    assert [world.state(job.id) for job in (follower, hit)] == ["succeeded", "succeeded"]
    assert world.store.janitor.leftovers() == []


def test_a_hit_costs_nothing(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=5))
    first = world.submit(digest="d", reserved_s=5.0).job
    world.succeed(world.claim(first.id), spent_s=5.0)
    assert world.submit(digest="d", reserved_s=5.0).kind == "hit"
    assert world.balance() == (0.0, 5.0)


@pytest.mark.parametrize("end", ["delete", "expire", "fail", "cancel"])
def test_what_is_gone_or_came_to_nothing_is_no_hit(world: World, end: str) -> None:
    job = world.submit(digest="d").job
    lease = world.claim(job.id)
    if end == "fail":
        world.store.leases.fail(lease, BROKEN, may_retry=False)
    elif end == "cancel":
        world.store.register.cancel(job.id, "ann")
    else:
        world.succeed(lease)
    if end == "delete":
        world.store.register.delete(job.id, "ann")
    if end == "expire":
        world.clock.now = world.find(job.id).expires_at
    assert world.submit(digest="d").kind == "new"


def test_who_may_not_reuse_makes_anew(world: World) -> None:
    world.succeed(world.claim(world.submit(digest="d").job.id))
    submission = world.submission(digest="d")
    [answer] = world.accept(type(submission)(job=submission.job, may_reuse=False))
    assert answer.kind == "new"


def test_a_job_without_digest_is_never_reused(world: World) -> None:
    world.succeed(world.claim(world.submit().job.id))
    assert world.submit().kind == "new"


def test_a_running_job_is_followed_and_its_followers_finish_with_it(world: World) -> None:
    leader = world.submit(digest="d").job
    before = world.submit(digest="d")
    lease = world.claim(leader.id)
    during = world.submit(digest="d")
    assert [before.kind, during.kind] == ["follower", "follower"]
    assert world.store.leases.candidates(["pocket"]) == []
    world.succeed(lease)
    for follower in (world.find(before.job.id), world.find(during.job.id)):
        assert (follower.state, follower.result_of, follower.leader_id) == ("succeeded", leader.id, None)
        assert follower.result == world.find(leader.id).result
        assert follower.expires_at == world.find(leader.id).expires_at


def test_equal_submissions_of_one_round_make_one_leader(world: World) -> None:
    answers = world.accept(*(world.submission(digest="d") for _ in range(4)))
    assert [answer.kind for answer in answers] == ["new", "follower", "follower", "follower"]
    assert {world.find(answer.job.id).leader_id for answer in answers[1:]} == {answers[0].job.id}


def test_a_follower_cannot_be_claimed_by_its_id(world: World) -> None:
    world.submit(digest="d")
    follower = world.submit(digest="d").job
    assert world.store.leases.claim([follower.id], "w1") == []


def end_leader(world: World, leader_id: str, end: str) -> None:
    """Bring a leader to an end without a result."""
    if end == "fail":
        world.store.leases.fail(world.claim(leader_id), BROKEN, may_retry=False)
    elif end == "cancel":
        world.store.register.cancel(leader_id, "ann")
    elif end == "cancel running":
        world.claim(leader_id)
        world.store.register.cancel(leader_id, "ann")
    elif end == "delete":
        world.store.register.delete(leader_id, "ann")
    elif end == "expire":
        world.clock.advance(101)
        world.store.janitor.expire()
    else:
        for _ in range(MAX_ATTEMPTS):
            world.claim(leader_id)
            world.clock.advance(1000)
            world.store.leases.rescue()
            world.clock.advance(1000)


@pytest.mark.parametrize("end", ["fail", "cancel", "cancel running", "delete", "expire", "die"])
def test_when_a_leader_ends_without_result_the_oldest_follower_leads_the_others(world: World, end: str) -> None:
    leader = world.submit(digest="d", deadline_at=world.clock() + 100 if end == "expire" else None).job
    first, second, third = (world.submit(digest="d").job for _ in range(3))
    end_leader(world, leader.id, end)
    assert world.find(leader.id).is_final
    assert [candidate.id for candidate in world.store.leases.candidates(["pocket"])] == [first.id]
    assert [world.find(job.id).leader_id for job in (first, second, third)] == [None, first.id, first.id]
    world.succeed(world.claim(first.id))
    assert [world.state(job.id) for job in (second, third)] == ["succeeded", "succeeded"]


def test_an_ended_follower_is_not_promoted(world: World) -> None:
    leader = world.submit(digest="d").job
    first, second = (world.submit(digest="d").job for _ in range(2))
    world.store.register.cancel(first.id, "ann")
    world.store.register.cancel(leader.id, "ann")
    assert world.find(second.id).leader_id is None
    world.succeed(world.claim(second.id))
    assert world.state(first.id) == "cancelled"


def test_a_leader_that_tries_again_keeps_its_followers(world: World) -> None:
    leader = world.submit(digest="d").job
    follower = world.submit(digest="d").job
    world.store.leases.fail(world.claim(leader.id), BROKEN, may_retry=True)
    assert world.find(follower.id).leader_id == leader.id


def test_new_work_does_not_follow_a_job_of_a_later_day(world: World) -> None:
    tomorrow = world.clock() + 86400
    world.submit(digest="d", state="scheduled", available_at=tomorrow)
    assert world.submit(digest="d").kind == "new"


def test_a_job_of_a_later_day_may_follow_one_of_today(world: World) -> None:
    leader = world.submit(digest="d").job
    follower = world.submit(digest="d", state="scheduled", available_at=world.clock() + 86400)
    assert follower.kind == "follower"
    world.succeed(world.claim(leader.id))
    assert world.state(follower.job.id) == "succeeded"


def test_new_work_follows_a_job_that_waits_for_its_second_attempt(world: World) -> None:
    leader = world.submit(digest="d").job
    world.store.leases.fail(world.claim(leader.id), BROKEN, may_retry=True)
    assert world.submit(digest="d").kind == "follower"


def test_in_one_round_today_does_not_follow_tomorrow(world: World) -> None:
    later = world.submission(digest="d", state="scheduled", available_at=world.clock() + 86400)
    answers = world.accept(later, world.submission(digest="d"))
    assert [answer.kind for answer in answers] == ["new", "new"]


def test_following_takes_nothing_from_the_quota_and_gives_nothing_back(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=10))
    leader = world.submit(digest="d", reserved_s=6.0).job
    follower = world.submit(digest="d", reserved_s=6.0)
    assert follower.kind == "follower"
    assert world.balance() == (6.0, 0.0)
    world.succeed(world.claim(leader.id), spent_s=4.0)
    assert world.balance() == (0.0, 4.0)


def test_a_promoted_follower_takes_over_what_was_reserved_for_its_leader(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=10))
    leader, first, second = (world.submit(digest="d", reserved_s=6.0).job for _ in range(3))
    for ended, heir in ((leader, first), (first, second)):
        world.store.register.cancel(ended.id, "ann")
        assert world.find(heir.id).reserved_s == 6.0
        assert world.balance() == (6.0, 0.0)
        with pytest.raises(QuotaError):
            world.submit(reserved_s=6.0)
    world.succeed(world.claim(second.id), spent_s=4.0)
    assert world.balance() == (0.0, 4.0)


def test_a_cancelled_follower_gives_nothing_back(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=10))
    world.submit(digest="d", reserved_s=6.0)
    follower = world.submit(digest="d", reserved_s=6.0).job
    world.store.register.cancel(follower.id, "ann")
    assert world.balance() == (6.0, 0.0)


def test_followers_of_one_round_leave_a_balanced_account(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=10))
    leader, follower = (answer.job for answer in world.accept(*(world.submission(digest="d", reserved_s=4.0) for _ in range(2))))
    assert world.balance()[0] == world.find(leader.id).reserved_s + world.find(follower.id).reserved_s
    world.succeed(world.claim(leader.id), spent_s=4.0)
    assert world.balance() == (0.0, 4.0)


def test_followers_of_a_refused_leader_are_refused_with_it(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=1))
    answers = world.accept(*(world.submission(digest="d", reserved_s=4.0) for _ in range(2)))
    assert all(isinstance(answer, QuotaError) for answer in answers)
    assert world.rows(jobs) == []


def test_a_thousand_hits_do_not_make_the_next_one_read_them_all(world: World) -> None:
    world.succeed(world.claim(world.submit(digest="d").job.id))
    world.accept(*(world.submission(digest="d") for _ in range(30)))
    found = select(func.count()).where(jobs.c.digest == "d")
    assert world.store.database.read(lambda connection: connection.execute(found).scalar()) == 1


def test_a_round_of_hits_looks_once_however_many_digests_it_has(world: World) -> None:
    digests = [f"d{i}" for i in range(20)]
    for digest in digests:
        world.succeed(world.claim(world.submit(digest=digest).job.id))
    looks: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement.lstrip().startswith("SELECT") and "FROM jobs" in statement:
            looks.append(statement)

    event.listen(world.store.database._writer, "before_cursor_execute", count)
    answers = world.accept(*(world.submission(digest=digest) for digest in digests * 2))
    assert [answer.kind for answer in answers] == ["hit"] * 40
    assert len(looks) == 1


def test_originals_are_looked_up_by_their_digest_and_by_nothing_else(world: World) -> None:
    """Planners without statistics took the indexes of the states too, and read all jobs that wait."""
    world.succeed(world.claim(world.submit(digest="d").job.id))
    looks: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *rest: object) -> None:
        if "jobs.digest IN" in statement:
            looks.append((statement, parameters))

    event.listen(world.store.database._writer, "before_cursor_execute", note)
    world.accept(*(world.submission(digest=digest) for digest in "defghijk"))
    event.remove(world.store.database._writer, "before_cursor_execute", note)
    is_sqlite = world.store.database.is_sqlite

    def plan(connection: Connection) -> str:
        if not is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # a table of two rows is read whole
        explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
        return " ".join(str(row) for look in looks for row in connection.exec_driver_sql(explain + look[0], look[1]))

    assert looks
    assert set(re.findall("jobs_by_[a-z]+", world.store.database.write(plan))) == {"jobs_by_digest"}


def test_one_round_knows_finished_running_and_new_work_apart(world: World) -> None:
    done, running = (world.submit(digest=digest).job for digest in ("done", "running"))
    world.succeed(world.claim(done.id))
    answers = world.accept(*(world.submission(digest=digest) for digest in ("new", "running", "done", "new", "done")))
    assert [answer.kind for answer in answers] == ["new", "follower", "hit", "follower", "hit"]
    assert answers[1].job.leader_id == running.id
    assert answers[3].job.leader_id == answers[0].job.id
    assert {world.find(answers[i].job.id).result_of for i in (2, 4)} == {done.id}


def test_a_finished_job_is_better_than_one_that_is_made_again(world: World) -> None:
    first = world.submit(digest="d").job
    submission = world.submission(digest="d")
    world.accept(type(submission)(job=submission.job, may_reuse=False))
    world.succeed(world.claim(first.id))
    assert world.submit(digest="d").kind == "hit"
