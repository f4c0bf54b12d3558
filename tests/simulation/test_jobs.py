"""Simulation: hundreds of short histories of a job store, each step held against the model, and planted bugs that must be caught.

A green run proves something only if a broken store turns it red: every bug below breaks one promise on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import and_, bindparam, delete, func, select, update

from cinelet.jobs import intake, leases, register
from cinelet.jobs.janitor import Janitor
from cinelet.jobs.leases import Leases
from cinelet.jobs.rows import to_job
from cinelet.jobs.schema import jobs
from cinelet.jobs.states import TRANSITIONS
from tests.simulation.machine import JobsMachine
from tests.support.world import World, open_world

COMMON = settings(deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))
ON_SQLITE = settings(COMMON, max_examples=100, stateful_step_count=50)
ON_POSTGRESQL = settings(COMMON, max_examples=10, stateful_step_count=40)
HUNT = settings(COMMON, max_examples=200, stateful_step_count=50, derandomize=True, phases=[Phase.generate])
"""Finds a planted bug and does not shrink it; always the same histories, so that no bug slips through by luck."""


@pytest.fixture
def small_world() -> Iterator[World]:
    """SQLite in memory."""
    world = open_world("sqlite://")
    yield world
    world.store.close()


def machine_on(world: World) -> type[JobsMachine]:
    """The state machine, standing on one open store."""
    return type("JobsMachine", (JobsMachine,), {"world": world})


def test_whatever_happens_in_whatever_order_every_promise_holds(small_world: World) -> None:
    run_state_machine_as_test(machine_on(small_world), settings=ON_SQLITE)


def test_every_promise_holds_on_postgresql_too(postgres_url: str) -> None:
    world = open_world(postgres_url)
    run_state_machine_as_test(machine_on(world), settings=ON_POSTGRESQL)
    world.store.close()


Patch = pytest.MonkeyPatch


def no_token_check(patch: Patch) -> None:
    patch.setattr(leases, "_is_held", lambda job_id, token: and_(jobs.c.id == job_id, jobs.c.state == "running"))


def attempts_not_counted(patch: Patch) -> None:
    claim = Leases.claim

    def broken(self: Leases, ids: Any, worker: str) -> Any:
        found = claim(self, ids, worker)
        self._database.write(lambda c: c.execute(update(jobs).where(jobs.c.id.in_(ids), jobs.c.attempt > 0).values(attempt=0)))
        return found

    patch.setattr(Leases, "claim", broken)


def repeated_success_is_charged_again(patch: Patch) -> None:
    def broken(self: Leases, connection: Any, lease: Any) -> None:
        row = connection.execute(select(jobs).where(jobs.c.id == lease.job.id, jobs.c.lease_token == lease.token)).mappings().first()
        if row is None or row["state"] != "succeeded":
            raise leases.LeaseLostError("lost")
        leases.give_back(connection, {**row, "reserved_s": 0.0}, used_s=1.0)

    patch.setattr(Leases, "_require_own_success", broken)


def stale_success_is_swallowed(patch: Patch) -> None:
    patch.setattr(Leases, "_require_own_success", lambda self, connection, lease: None)


def key_check_skipped(patch: Patch) -> None:
    patch.setattr(intake._Round, "_settle_keys", lambda self, submissions: None)


def refused_keys_are_kept(patch: Patch) -> None:
    patch.setattr(intake._Round, "_give_back_keys", lambda self, submissions: None)


def cross_tenant_get(patch: Patch) -> None:
    patch.setattr(register, "_OWNED", select(jobs).where(jobs.c.id == bindparam("job_id"), jobs.c.deleted_at.is_(None)))


def followers_are_not_promoted(patch: Patch) -> None:
    patch.setattr(leases, "promote", lambda connection, leader: [])


def promoted_jobs_run_without_a_reservation(patch: Patch) -> None:
    promote = leases.promote
    patch.setattr(leases, "promote", lambda connection, leader: promote(connection, {**leader, "reserved_s": 0.0}))


def followers_do_not_finish(patch: Patch) -> None:
    patch.setattr(Leases, "_finish_followers", lambda self, connection, row, now: [])


def reservations_are_not_given_back(patch: Patch) -> None:
    patch.setattr(leases, "give_back", lambda connection, row, used_s=0.0: None)


def no_final_event(patch: Patch) -> None:
    announce = leases.announce
    patch.setattr(leases, "announce", lambda c, rows, state, now: None if state == "succeeded" else announce(c, rows, state, now))


def final_states_change(patch: Patch) -> None:
    patch.setattr(register.Job, "is_final", False)
    patch.setattr(register, "FINAL", ())
    patch.setattr(leases, "sources_of", lambda target: tuple(TRANSITIONS))


def acknowledged_before_it_is_written(patch: Patch) -> None:
    accept = intake.Intake.accept

    def broken(self: intake.Intake, submissions: Any) -> Any:
        answers = accept(self, submissions)
        lost = [submission.job.id for submission in submissions if submission.job.id.endswith("3")]
        self._database.write(lambda c: c.execute(delete(jobs).where(jobs.c.id.in_(lost))))
        return answers

    patch.setattr(intake.Intake, "accept", broken)


def released_jobs_lose_an_attempt(patch: Patch) -> None:
    release = Leases.release

    def broken(self: Leases, lease: Any) -> None:
        release(self, lease)
        self._database.write(lambda c: c.execute(update(jobs).where(jobs.c.id == lease.job.id).values(attempt=jobs.c.attempt + 1)))

    patch.setattr(Leases, "release", broken)


def dead_jobs_live_on(patch: Patch) -> None:
    patch.setattr(leases, "MAX_ATTEMPTS", 99)


def quota_is_not_checked(patch: Patch) -> None:
    patch.setattr(intake, "DUST_S", 1e9)


def shared_files_are_swept(patch: Patch) -> None:
    def broken(self: Janitor) -> list[str]:
        query = select(jobs.c.id).where(jobs.c.state == "succeeded", jobs.c.deleted_at.is_not(None))
        return self._database.read(lambda connection: list(connection.execute(query).scalars()))

    patch.setattr(Janitor, "leftovers", broken)


def deleted_work_is_a_hit(patch: Patch) -> None:
    find = intake.find_originals

    def broken(connection: Any, digests: Any, now: float) -> Any:
        query = select(jobs).where(jobs.c.digest.in_(digests), jobs.c.state == "succeeded")
        rows = connection.execute(query).mappings().all()
        return find(connection, digests, now) | {row["digest"]: to_job(row) for row in rows}

    patch.setattr(intake, "find_originals", broken)


def one_tenants_work_answers_anothers(patch: Patch) -> None:
    """The digest is compared without its tenant."""
    find = intake.find_originals

    def broken(connection: Any, digests: Any, now: float) -> Any:
        c = jobs.c
        found = dict(find(connection, digests, now))
        for digest in digests:
            query = select(jobs).where(func.substr(c.digest, 5) == digest[4:], c.state == "succeeded", c.deleted_at.is_(None)).limit(1)
            if row := connection.execute(query).mappings().first():
                found[digest] = to_job(row)
        return found

    patch.setattr(intake, "find_originals", broken)


def followers_can_be_claimed(patch: Patch) -> None:
    """A promoted or new follower forgets whom it follows."""
    settle = intake._Round._settle_reuse

    def broken(self: Any, asking: Any) -> None:
        settle(self, asking)
        self._connection.execute(update(jobs).values(leader_id=None))

    patch.setattr(intake._Round, "_settle_reuse", broken)


BUGS: dict[Callable[[Patch], None], str] = {
    no_token_check: "DID NOT RAISE|I1|I2|I4",
    attempts_not_counted: "I1",
    repeated_success_is_charged_again: "I6",
    stale_success_is_swallowed: "DID NOT RAISE",
    key_check_skipped: "I1|I3",
    refused_keys_are_kept: "a key leads to a job that is no more",
    cross_tenant_get: "DID NOT RAISE|I1|I7",
    followers_are_not_promoted: "I1",
    promoted_jobs_run_without_a_reservation: "I6",
    followers_do_not_finish: "I1",
    reservations_are_not_given_back: "I6",
    no_final_event: "I2",
    final_states_change: "I1|I2|I6",
    acknowledged_before_it_is_written: "I1",
    released_jobs_lose_an_attempt: "I1",
    dead_jobs_live_on: "I1",
    quota_is_not_checked: "I1|I3",
    shared_files_are_swept: "I4",
    deleted_work_is_a_hit: "I1|I3",
    one_tenants_work_answers_anothers: "I1|I3",
    followers_can_be_claimed: "I1",
}
"""Each bug, and how the machine names it (a pattern)."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught(small_world: World, monkeypatch: pytest.MonkeyPatch, bug: Callable[[Patch], None]) -> None:
    bug(monkeypatch)
    with pytest.raises((Exception, pytest.fail.Exception), match=BUGS[bug]):
        run_state_machine_as_test(machine_on(small_world), settings=HUNT)
