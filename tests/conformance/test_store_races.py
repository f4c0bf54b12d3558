"""Many threads at one instant, on every database: keys, quota, claims, ends, and leaders that end while others begin to follow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from cinelet.errors import CineletError, ConflictError, QuotaError, UnavailableError
from cinelet.jobs import Accepted, Lease, LeaseLostError, Tenant
from cinelet.jobs.original import find_originals
from cinelet.jobs.schema import charges, idempotency_keys, jobs
from tests.support.world import BROKEN, World, at_once

PATIENCE = 50
"""Tries of a client whose call found all connections busy. The store sheds load; it must not lose or double anything by it."""


def insist(call: Callable[[], object]) -> object:
    """Call until the store has a connection to spare."""
    for _ in range(PATIENCE):
        try:
            return call()
        except UnavailableError:
            continue
    raise AssertionError("never served")


def submit(world: World, **what: object) -> Accepted | CineletError:
    """As a client does: the answer or the refusal."""
    submission = world.submission(**what)
    return insist(lambda: world.accept(submission)[0])


def test_a_hundred_equal_keys_at_once_make_one_job(world: World) -> None:
    answers = at_once(100, lambda _: submit(world, key="k", body_digest="a"))
    assert len({answer.job.id for answer in answers}) == 1
    assert sorted(answer.kind for answer in answers) == ["new"] + ["repeat"] * 99
    assert len(world.rows(jobs)) == 1


def test_rounds_that_claim_the_same_keys_in_opposite_order_all_succeed(world: World) -> None:
    keys = [f"k{i}" for i in range(30)]

    def round_of(number: int) -> list[Accepted | CineletError]:
        order = keys if number % 2 else keys[::-1]
        submissions = [world.submission(key=key, body_digest="a", tenant=tenant) for key in order for tenant in ("ann", "bob")]
        return insist(lambda: world.accept(*submissions))

    answers = [answer for answers in at_once(8, round_of) for answer in answers]
    assert all(isinstance(answer, Accepted) for answer in answers)
    assert len(world.rows(jobs)) == len(world.rows(idempotency_keys)) == 60


def test_two_hundred_at_once_with_room_for_ten_are_ten(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=100.0))
    answers = at_once(200, lambda _: submit(world, reserved_s=10.0))
    assert sum(isinstance(answer, Accepted) for answer in answers) == 10
    assert sum(isinstance(answer, QuotaError) for answer in answers) == 190
    assert world.balance() == (100.0, 0.0)
    assert len(world.rows(jobs)) == 10


def test_equal_work_at_once_is_done_once(world: World) -> None:
    answers = at_once(40, lambda _: submit(world, digest="d"))
    assert sorted(answer.kind for answer in answers) == ["follower"] * 39 + ["new"]


def test_eight_workers_never_hold_the_same_job(world: World) -> None:
    ids = [answer.job.id for answer in world.accept(*(world.submission() for _ in range(120)))]

    def work(number: int) -> list[Lease]:
        leases: list[Lease] = []
        while candidates := world.store.leases.candidates(["pocket"], limit=16):
            leases += world.store.leases.claim([candidate.id for candidate in candidates], f"w{number}")
        return leases

    held = [lease.job.id for leases in at_once(8, work) for lease in leases]
    assert sorted(held) == ids
    assert {world.find(job_id).attempt for job_id in ids} == {1}


def test_of_many_ends_told_at_once_one_happens(world: World) -> None:
    for _ in range(10):
        lease = world.claim(world.submit(reserved_s=8.0, work_s=8.0).job.id)

        def end(number: int, lease: Lease = lease) -> str:
            try:
                if number % 4 == 0:
                    world.succeed(lease)
                elif number % 4 == 1:
                    world.store.leases.fail(lease, BROKEN, may_retry=False)
                elif number % 4 == 2:
                    world.store.register.cancel(lease.job.id, "ann")
                else:
                    world.store.leases.release(lease)
            except LeaseLostError:
                return "lost"
            return "told"

        at_once(8, end)
        job = world.find(lease.job.id)
        finals = [event for event in world.events() if event[0] == job.id and event[1] in {"video.completed", "video.failed"}]
        assert len(finals) == job.is_final
        if not job.is_final:
            world.store.register.cancel(job.id, "ann")
    reserved_s, used_s = world.balance()
    assert reserved_s == 0.0
    assert used_s == sum(row.seconds for row in world.rows(charges))


ENDS: dict[str, Callable[[World, Lease], object]] = {
    "succeeds": lambda world, lease: world.succeed(lease),
    "fails": lambda world, lease: world.store.leases.fail(lease, BROKEN, may_retry=False),
    "is cancelled": lambda world, lease: world.store.register.cancel(lease.job.id, "ann"),
    "is deleted": lambda world, lease: world.store.register.delete(lease.job.id, "ann"),
}


@pytest.mark.parametrize("end", ENDS)
def test_nobody_follows_a_leader_that_has_ended(world: World, end: str) -> None:
    """A follower of an ended job would wait for ever: accepted and lost."""
    for number in range(12):
        digest = f"d{number}"
        lease = world.claim(world.submit(digest=digest).job.id)
        at_once(6, lambda i, lease=lease, digest=digest: ENDS[end](world, lease) if i == 0 else submit(world, digest=digest))
        assert_no_orphans(world)


def test_a_follower_that_ends_while_it_is_promoted_takes_nobody_with_it(world: World) -> None:
    for number in range(12):
        leader, *followers = (world.submit(digest=f"d{number}").job.id for _ in range(5))
        at_once(3, lambda i, ids=(leader, *followers): world.store.register.cancel(ids[i], "ann"))
        assert_no_orphans(world)
        assert sum(row.leader_id is None for row in world.rows(jobs) if row.id in followers[2:]) == 1


def assert_no_orphans(world: World) -> None:
    """Every follower's leader is open and leads."""
    rows = {row.id: row for row in world.rows(jobs)}
    for row in rows.values():
        if row.state in {"scheduled", "available"} and row.leader_id is not None:
            leader = rows[row.leader_id]
            assert leader.state in {"available", "running"}, f"{row.id} follows {leader.id}, which is {leader.state}"
            assert leader.leader_id is None


def test_a_follower_waits_for_the_end_of_a_leader_that_is_being_ended(world: World) -> None:
    """The race above in slow motion: the leader's end is written and not committed while an equal request comes."""
    if world.store.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    lease = world.claim(world.submit(digest="d").job.id)
    is_written, may_commit = threading.Event(), threading.Event()
    finish_followers = world.store.leases._finish_followers

    def hold_up(*arguments: Any) -> list[str]:
        done = finish_followers(*arguments)
        is_written.set()
        assert may_commit.wait(30)
        return done

    world.store.leases._finish_followers = hold_up
    with ThreadPoolExecutor(2) as pool:
        end = pool.submit(world.succeed, lease)
        assert is_written.wait(30)
        answer = pool.submit(world.submit, digest="d")
        while not answer.done() and not someone_waits(world):
            pass
        may_commit.set()
        end.result(30)
        assert answer.result(30).kind == "hit"


def test_hits_of_a_popular_clip_do_not_wait_for_each_other(world: World) -> None:
    """One round holds its originals and does not commit; an equal request is answered meanwhile."""
    if world.store.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    world.succeed(world.claim(world.submit(digest="d").job.id))
    is_found, may_commit = threading.Event(), threading.Event()

    def hold(connection: Any) -> None:
        find_originals(connection, {"d"}, world.clock())
        is_found.set()
        assert may_commit.wait(30)

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(world.store.database.write, hold)
        assert is_found.wait(30)
        try:
            assert pool.submit(world.submit, digest="d").result(30).kind == "hit"
        finally:
            may_commit.set()
        slow.result(30)


def test_files_are_not_given_up_while_a_hit_on_them_is_being_written(world: World) -> None:
    """Deleted in between, the original would be swept and the hit be left without its clip."""
    if world.store.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    original = world.submit(digest="d").job
    world.succeed(world.claim(original.id))
    is_found, may_commit = threading.Event(), threading.Event()

    def hold(connection: Any) -> None:
        assert find_originals(connection, {"d"}, world.clock())
        is_found.set()
        assert may_commit.wait(30)

    with ThreadPoolExecutor(2) as pool:
        round_of_hits = pool.submit(world.store.database.write, hold)
        assert is_found.wait(30)
        deletion = pool.submit(world.store.register.delete, original.id, "ann")
        while not deletion.done() and not someone_waits(world):
            pass
        assert not deletion.done()
        may_commit.set()
        round_of_hits.result(30)
        deletion.result(30)


def test_rounds_that_name_the_same_new_digests_in_opposite_order_all_succeed(world: World) -> None:
    digests = [f"d{i}" for i in range(20)]

    def round_of(number: int) -> list[Accepted | CineletError]:
        order = digests if number % 2 else digests[::-1]
        submissions = [world.submission(digest=digest) for digest in order]
        return insist(lambda: world.accept(*submissions))

    kinds = [answer.kind for answers in at_once(6, round_of) for answer in answers]
    assert sorted(kinds) == ["follower"] * 100 + ["new"] * 20
    assert_no_orphans(world)


def someone_waits(world: World) -> bool:
    """Whether a transaction stands before a lock."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    return world.store.database.read(lambda connection: connection.execute(waiting).scalar()) > 0


def test_endings_and_rescues_at_once_leave_balanced_accounts(world: World) -> None:
    """Rows are locked in different orders; the database may break a deadlock, and the store must run the loser again."""
    for number in range(6):
        leader, *followers = (world.submit(digest=f"d{number}", reserved_s=2.0).job.id for _ in range(4))
        world.claim(leader)
        world.clock.advance(1000)
        calls = [
            world.store.leases.rescue,
            lambda ids=followers: world.store.register.cancel(ids[0], "ann"),
            lambda ids=followers: world.store.register.cancel(ids[1], "ann"),
            lambda ids=(leader,): world.store.register.cancel(ids[0], "ann"),
        ]
        at_once(4, lambda i, calls=calls: insist(calls[i]))
        assert_no_orphans(world)
    for row in world.rows(jobs):
        world.store.register.cancel(row.id, "ann")
    assert world.balance() == (0.0, 0.0)


def test_one_process_opens_a_sqlite_file_once(world: World) -> None:
    if world.store.database.url.database and world.store.database.is_sqlite:
        with pytest.raises(ConflictError):
            type(world.store)(f"sqlite:///{world.store.database.url.database}")
