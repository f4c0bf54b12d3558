"""The workers' side on every database: claims, fencing by token, attempts, the three ends, money."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cinelet.errors import CineletError
from cinelet.jobs import Beat, Lease, LeaseLostError, Tenant
from cinelet.jobs.leases import MAX_ATTEMPTS, MAX_CLAIM, RETRY_DELAYS_S
from cinelet.jobs.schema import charges, jobs
from cinelet.scheduling.order import ALONE_FROM_ATTEMPT
from tests.support.world import BROKEN, PLAN, World

LONG_S = 1000.0
"""Longer than any lease or delay."""


def rescue_after_silence(world: World) -> int:
    """Let the lease run out, take the jobs back, and let the delay before the next attempt pass."""
    world.clock.advance(LONG_S)
    rescued = world.store.leases.rescue()
    world.clock.advance(LONG_S)
    return rescued


def test_candidates_are_all_that_may_run_oldest_first(world: World) -> None:
    old = world.submit(tier="free").job.id
    world.clock.advance(1)
    young = world.submit(tier="vip").job.id
    world.claim(world.submit(tier="vip").job.id)
    assert [candidate.id for candidate in world.store.leases.candidates(["pocket"])] == [old, young]
    assert world.store.leases.candidates(["another model"]) == []


def test_of_a_long_line_candidates_are_those_that_any_order_could_want(world: World) -> None:
    """The oldest, the earliest due of those that can be in time, the shortest, and each tenant's first."""
    now = world.clock()
    oldest = world.submit(work_s=100.0).job.id
    world.clock.advance(1)
    for _ in range(20):
        world.submit(work_s=50.0, due_at=now + 10)  # lost already
    hopeful = world.submit(work_s=50.0, due_at=now + 60).job.id
    world.submit(work_s=50.0, due_at=now + 70)
    shortest = world.submit(work_s=40.0, due_at=now + 10).job.id
    lonely = world.submit(tenant="bob", work_s=50.0, due_at=now + 80).job.id
    found = {candidate.id for candidate in world.store.leases.candidates(["pocket"], limit=1)}
    assert {oldest, hopeful, shortest} <= found
    assert lonely in {candidate.id for candidate in world.store.leases.candidates(["pocket"], limit=2)}


def test_what_is_left_follows_the_beats_and_falls_back_to_the_checkpoint(world: World) -> None:
    lease = world.claim(world.submit(work_s=10.0).job.id)
    world.store.leases.checkpoint(lease, "key", 4)
    world.store.leases.beat([Beat(job_id=lease.job.id, token=lease.token, stage="denoise_high", step=9, left_s=1.0)])
    assert world.find(lease.job.id).left_s == 1.0
    world.store.leases.release(lease)
    assert world.find(lease.job.id).left_s == pytest.approx(6.0)
    again = world.claim(lease.job.id)
    world.store.leases.beat([Beat(job_id=lease.job.id, token=again.token, stage="denoise_high", step=9, left_s=1.0)])
    rescue_after_silence(world)
    assert world.find(lease.job.id).left_s == pytest.approx(6.0)


def test_a_draft_is_shown_until_the_lease_is_lost(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.store.leases.draft(lease, {"key": "a/b/draft.mp4"})
    assert world.find(lease.job.id).draft == {"key": "a/b/draft.mp4"}
    world.store.leases.release(lease)
    with pytest.raises(LeaseLostError):
        world.store.leases.draft(lease, {"key": "later"})


def test_a_claim_tells_who_works_on_what_and_until_when(world: World) -> None:
    job = world.submit().job
    lease = world.claim(job.id, worker="w7")
    stored = world.find(job.id)
    assert (stored.state, stored.worker, stored.lease_token, stored.attempt) == ("running", "w7", lease.token, 1)
    assert stored.leased_until == world.clock() + world.store.leases.lease_s
    assert lease.job == stored


def test_a_claim_gives_what_is_free_in_the_order_that_was_asked(world: World) -> None:
    a, b, c = (world.submit().job.id for _ in range(3))
    world.claim(b)
    leases = world.store.leases.claim([c, b, a, c, "video_local_unknown"], "w2")
    assert [lease.job.id for lease in leases] == [c, a]
    assert len({lease.token for lease in leases}) == 2


def test_a_claim_is_bounded(world: World) -> None:
    with pytest.raises(ValueError, match="at most"):
        world.store.leases.claim(["x"] * (MAX_CLAIM + 1), "w1")


def test_no_ids_are_no_claim(world: World) -> None:
    assert world.store.leases.claim([], "w1") == []


def test_started_at_is_the_first_attempts(world: World) -> None:
    job = world.submit().job
    first = world.claim(job.id).job.started_at
    rescue_after_silence(world)
    assert world.claim(job.id).job.started_at == first


def test_a_beat_renews_the_lease_and_tells_progress(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.clock.advance(20)
    assert world.store.leases.beat([Beat(job_id=lease.job.id, token=lease.token, stage="denoise_high", step=4, left_s=1.0)]) == set()
    stored = world.find(lease.job.id)
    assert (stored.stage, stored.step, stored.leased_until) == ("denoise_high", 4, world.clock() + world.store.leases.lease_s)
    world.clock.advance(20)
    assert world.store.leases.rescue() == 0


def test_one_beat_speaks_for_many_jobs_and_names_the_lost_ones(world: World) -> None:
    kept, lost = (world.claim(world.submit().job.id) for _ in range(2))
    world.store.register.cancel(lost.job.id, "ann")
    beats = [Beat(job_id=lease.job.id, token=lease.token, stage="denoise_high", step=1, left_s=1.0) for lease in (kept, lost)]
    assert world.store.leases.beat(beats) == {lost.job.id}
    assert world.store.leases.beat([]) == set()


def test_an_attempt_is_counted_when_it_begins(world: World) -> None:
    job = world.submit().job
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert world.claim(job.id).job.attempt == attempt
        rescue_after_silence(world)


def test_a_released_job_waits_again_and_spent_no_attempt(world: World) -> None:
    job = world.submit().job
    for _ in range(2 * MAX_ATTEMPTS):
        lease = world.claim(job.id)
        world.store.leases.checkpoint(lease, f"{job.id}/{lease.token}/checkpoint.safetensors", 4)
        world.store.leases.release(lease)
    stored = world.find(job.id)
    assert (stored.state, stored.attempt, stored.worker, stored.leased_until) == ("available", 0, None, None)
    assert world.claim(job.id).job.checkpoint_step == 4


def test_the_next_attempt_starts_at_the_checkpoint_and_shown_progress_never_goes_back(world: World) -> None:
    job = world.submit().job
    lease = world.claim(job.id)
    world.store.leases.checkpoint(lease, "key", 6)
    world.store.leases.beat([Beat(job_id=job.id, token=lease.token, stage="denoise_low", step=8, left_s=1.0)])
    rescue_after_silence(world)
    again = world.claim(job.id)
    assert (again.job.checkpoint, again.job.checkpoint_step, again.job.step, again.job.stage) == ("key", 6, 8, None)
    world.store.leases.beat([Beat(job_id=job.id, token=again.token, stage="denoise_low", step=7, left_s=1.0)])
    assert world.find(job.id).step == 8


def test_a_preview_is_remembered(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.store.leases.preview(lease, "key", 3)
    assert (world.find(lease.job.id).preview, world.find(lease.job.id).preview_step) == ("key", 3)


def test_a_silent_worker_loses_its_job_to_others_and_after_three_attempts_the_job_is_dead(world: World) -> None:
    job = world.submit(reserved_s=4.0).job
    for attempt in range(1, MAX_ATTEMPTS):
        world.claim(job.id)
        assert rescue_after_silence(world) == 1
        assert (world.state(job.id), world.find(job.id).attempt) == ("available", attempt)
    assert world.find(job.id).attempt >= ALONE_FROM_ATTEMPT  # from now on it runs alone
    world.claim(job.id)
    assert rescue_after_silence(world) == 1
    stored = world.find(job.id)
    assert stored.state == "failed"
    assert stored.failure is not None
    assert stored.failure.code == "attempts_exhausted"
    assert rescue_after_silence(world) == 0


def test_a_lease_is_not_taken_back_before_its_time(world: World) -> None:
    world.claim(world.submit().job.id)
    world.clock.advance(world.store.leases.lease_s)
    assert world.store.leases.rescue() == 0
    world.clock.advance(0.001)
    assert world.store.leases.rescue() == 1


def test_a_rescue_is_bounded_and_goes_on_where_it_stopped(world: World) -> None:
    world.store.leases.claim([world.submit().job.id for _ in range(5)], "w1")
    world.clock.advance(LONG_S)
    assert [world.store.leases.rescue(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_failed_attempts_wait_longer_each_time(world: World) -> None:
    job = world.submit().job
    for delay in RETRY_DELAYS_S:
        assert world.store.leases.fail(world.claim(job.id), BROKEN, may_retry=True) == "available"
        assert world.store.leases.candidates(["pocket"]) == []
        assert world.store.leases.claim([job.id], "w1") == []
        world.clock.advance(delay)
        assert len(world.store.leases.candidates(["pocket"])) == 1
    assert world.store.leases.fail(world.claim(job.id), BROKEN, may_retry=True) == "failed"


def test_a_failure_that_no_retry_can_help_is_final_at_once(world: World) -> None:
    job = world.submit(reserved_s=4.0).job
    assert world.store.leases.fail(world.claim(job.id), BROKEN, may_retry=False) == "failed"
    stored = world.find(job.id)
    assert (stored.failure, stored.finished_at, stored.leased_until) == (BROKEN, world.clock(), None)


def test_success_publishes_charges_and_sets_the_days_of_the_result(world: World) -> None:
    job = world.submit(reserved_s=8.0).job
    lease = world.claim(job.id)
    world.store.leases.succeed(lease, {"video": {"key": "k"}}, {"worker": "w1"}, 3.0)
    stored = world.find(job.id)
    assert (stored.state, stored.result, stored.report) == ("succeeded", {"video": {"key": "k"}}, {"worker": "w1"})
    assert (stored.step, stored.finished_at) == (PLAN.num_inference_steps, world.clock())
    assert stored.expires_at == world.clock() + 7 * 86400
    assert [(row.job_id, row.seconds) for row in world.rows(charges)] == [(job.id, 3.0)]
    assert world.balance() == (0.0, 3.0)


def test_success_told_twice_under_one_token_happens_once(world: World) -> None:
    job = world.submit(reserved_s=8.0).job
    lease = world.claim(job.id)
    for _ in range(3):
        world.succeed(lease, spent_s=3.0)
    assert len(world.rows(charges)) == 1
    assert world.balance() == (0.0, 3.0)
    assert world.events().count((job.id, "video.completed")) == 1


STALE_CALLS: dict[str, Callable[[World, Lease], object]] = {
    "succeed": lambda world, lease: world.succeed(lease),
    "fail": lambda world, lease: world.store.leases.fail(lease, BROKEN, may_retry=False),
    "retry": lambda world, lease: world.store.leases.fail(lease, BROKEN, may_retry=True),
    "release": lambda world, lease: world.store.leases.release(lease),
    "checkpoint": lambda world, lease: world.store.leases.checkpoint(lease, "stale", 9),
    "preview": lambda world, lease: world.store.leases.preview(lease, "stale", 9),
}

LOSSES: dict[str, Callable[[World, Lease], object]] = {
    "rescued": lambda world, lease: rescue_after_silence(world),
    "claimed by another": lambda world, lease: (rescue_after_silence(world), world.claim(lease.job.id, worker="w2")),
    "published by another": lambda world, lease: (rescue_after_silence(world), world.succeed(world.claim(lease.job.id, worker="w2"))),
    "released": lambda world, lease: world.store.leases.release(lease),
    "cancelled": lambda world, lease: world.store.register.cancel(lease.job.id, "ann"),
    "deleted": lambda world, lease: world.store.register.delete(lease.job.id, "ann"),
    "failed": lambda world, lease: world.store.leases.fail(lease, BROKEN, may_retry=False),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_worker_that_lost_its_lease_changes_nothing(world: World, loss: str) -> None:
    lease = world.claim(world.submit(reserved_s=8.0).job.id)
    LOSSES[loss](world, lease)
    before = world.rows(jobs), world.rows(charges), world.events(), world.balance()
    for call in STALE_CALLS.values():
        with pytest.raises(LeaseLostError):
            call(world, lease)
    assert world.store.leases.beat([Beat(job_id=lease.job.id, token=lease.token, stage="upload", step=9, left_s=1.0)]) == {lease.job.id}
    assert (world.rows(jobs), world.rows(charges), world.events(), world.balance()) == before


@pytest.mark.parametrize("call", STALE_CALLS)
def test_a_guessed_token_changes_nothing(world: World, call: str) -> None:
    lease = world.claim(world.submit().job.id)
    before = world.rows(jobs)
    with pytest.raises(LeaseLostError):
        STALE_CALLS[call](world, Lease(job=lease.job, token="0" * 32))
    assert world.rows(jobs) == before


def test_a_late_worker_that_is_still_the_holder_may_publish(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.clock.advance(LONG_S)
    world.succeed(lease)
    assert world.store.leases.rescue() == 0


def test_a_final_state_never_changes(world: World) -> None:
    finals = {}
    for end in ("succeeded", "failed", "cancelled", "expired"):
        job = world.submit(deadline_at=world.clock() + 10 if end == "expired" else None).job
        finals[job.id] = end
        if end == "succeeded":
            world.succeed(world.claim(job.id))
        elif end == "failed":
            world.store.leases.fail(world.claim(job.id), BROKEN, may_retry=False)
        elif end == "cancelled":
            world.store.register.cancel(job.id, "ann")
    world.clock.advance(11)
    world.store.janitor.expire()
    assert {job_id: world.state(job_id) for job_id in finals} == finals
    before = world.rows(jobs)
    for job_id in finals:
        world.store.register.cancel(job_id, "ann")
        assert world.store.leases.claim([job_id], "w1") == []
    rescue_after_silence(world)
    world.store.janitor.expire()
    world.store.janitor.wake_scheduled()
    assert world.rows(jobs) == before


def test_what_was_reserved_is_consumed_or_released_whatever_the_end(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=100))

    def start() -> Lease:
        return world.claim(world.submit(reserved_s=10.0, work_s=10.0).job.id)

    world.succeed(start(), spent_s=7.0)
    world.store.leases.fail(start(), BROKEN, may_retry=False)
    halfway = start()
    world.store.leases.beat([Beat(job_id=halfway.job.id, token=halfway.token, stage="denoise_high", step=5, left_s=1.0)])
    world.store.register.cancel(halfway.job.id, "ann")
    world.store.register.cancel(world.submit(reserved_s=10.0).job.id, "ann")
    world.submit(reserved_s=10.0, deadline_at=world.clock() - 1)
    world.store.janitor.expire()
    assert world.balance() == (0.0, 7.0 + 5.0)
    assert world.store.tenants.usage_s("ann", 0.0) == 12.0


def test_a_retry_keeps_the_reservation(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", quota_s=10))
    job = world.submit(reserved_s=10.0).job
    world.store.leases.fail(world.claim(job.id), BROKEN, may_retry=True)
    assert world.balance() == (10.0, 0.0)


def test_errors_name_the_job(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.store.leases.release(lease)
    with pytest.raises(CineletError, match=lease.job.id):
        world.store.leases.release(lease)
