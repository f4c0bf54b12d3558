"""What time does to jobs, on every database: schedules, deadlines, files and rows whose days are over."""

from __future__ import annotations

from dataclasses import replace

from cinelet.jobs.janitor import KEY_LIFE_S, RETRY_LIFE_S
from cinelet.jobs.schema import idempotency_keys, jobs
from tests.support.world import BROKEN, PLAN, World

DAY_S = 86400.0


def test_a_scheduled_job_waits_for_its_time(world: World) -> None:
    job = world.submit(state="scheduled", available_at=world.clock() + 60).job
    assert world.store.janitor.wake_scheduled() == 0
    assert world.store.leases.claim([job.id], "w1") == []
    world.clock.advance(60)
    assert world.store.janitor.wake_scheduled() == 1
    assert world.claim().job.id == job.id


def test_waiting_jobs_expire_when_their_deadline_has_passed(world: World) -> None:
    late = world.submit(deadline_at=world.clock() + 10, reserved_s=4.0).job.id
    scheduled = world.submit(state="scheduled", available_at=world.clock() + 99, deadline_at=world.clock() + 10).job.id
    patient = world.submit().job.id
    running = world.claim(world.submit(deadline_at=world.clock() + 10).job.id).job.id
    world.clock.advance(10)
    assert world.store.janitor.expire() == 0
    world.clock.advance(0.001)
    assert world.store.janitor.expire() == 2
    assert [world.state(job_id) for job_id in (late, scheduled, patient, running)] == ["expired", "expired", "available", "running"]
    failure = world.find(late).failure
    assert failure is not None
    assert failure.code == "expired"
    assert world.balance() == (0.0, 0.0)


def test_a_job_given_back_after_its_deadline_expires(world: World) -> None:
    lease = world.claim(world.submit(deadline_at=world.clock() + 10).job.id)
    world.clock.advance(11)
    world.store.leases.release(lease)
    world.store.janitor.expire()
    assert world.state(lease.job.id) == "expired"


def test_files_of_deleted_expired_and_failed_jobs_are_left_over(world: World) -> None:
    kept, deleted, failed, cancelled = (world.submit().job.id for _ in range(4))
    world.succeed(world.claim(kept))
    world.succeed(world.claim(deleted))
    world.store.register.delete(deleted, "ann")
    world.store.leases.fail(world.claim(failed), BROKEN, may_retry=False)
    world.store.register.cancel(cancelled, "ann")
    world.claim(world.submit().job.id)
    world.submit()
    assert set(world.store.janitor.leftovers()) == {deleted, failed, cancelled}
    world.clock.advance(8 * DAY_S)
    assert set(world.store.janitor.leftovers()) == {kept, deleted, failed, cancelled}


def test_purged_jobs_are_left_over_no_more(world: World) -> None:
    job = world.submit().job
    world.store.register.cancel(job.id, "ann")
    world.store.janitor.purged(job.id)
    assert world.store.janitor.leftovers() == []


def test_shared_files_stay_as_long_as_any_living_job_needs_them(world: World) -> None:
    original = world.submit(digest="d").job.id
    follower = world.submit(digest="d").job.id
    world.succeed(world.claim(original))
    hit = world.submit(digest="d").job.id
    world.store.register.delete(original, "ann")
    assert world.store.janitor.leftovers() == []
    world.store.register.delete(follower, "ann")
    assert original not in world.store.janitor.leftovers()
    world.store.register.delete(hit, "ann")
    assert set(world.store.janitor.leftovers()) == {original, follower, hit}


def test_shared_files_go_when_all_their_days_are_over(world: World) -> None:
    original = world.submit(digest="d").job.id
    world.succeed(world.claim(original))
    world.clock.advance(3 * DAY_S)
    hit = world.submit(digest="d").job.id
    world.clock.advance(5 * DAY_S)
    assert set(world.store.janitor.leftovers()) == {original, hit}


def test_rows_are_forgotten_when_their_files_are_gone_and_their_days_are_over(world: World) -> None:
    done, purged, waiting = (world.submit().job.id for _ in range(3))
    world.succeed(world.claim(done))
    world.store.register.cancel(purged, "ann")
    world.store.janitor.purged(purged)
    world.clock.advance(29 * DAY_S)
    assert world.store.janitor.forget() == 0
    world.clock.advance(2 * DAY_S)
    assert world.store.janitor.forget() == 1
    assert [row.id for row in world.rows(jobs)] == [done, waiting]


def test_idempotency_keys_protect_for_a_day(world: World) -> None:
    first = world.submit(key="k", body_digest="a").job
    world.clock.advance(KEY_LIFE_S)
    world.store.janitor.forget()
    assert world.submit(key="k", body_digest="a").job.id == first.id
    world.clock.advance(1)
    world.store.janitor.forget()
    assert world.rows(idempotency_keys) == []
    assert world.submit(key="k", body_digest="a").kind == "new"


def test_a_key_does_not_outlive_its_job(world: World) -> None:
    """Where rows are kept for less than a day, a key must not lead to a job that is no more."""
    world.store.janitor._retention_s = 60.0
    first = world.submit(key="k", body_digest="a").job
    world.store.register.cancel(first.id, "ann")
    world.store.janitor.purged(first.id)
    world.clock.advance(61)
    assert world.store.janitor.forget() == 1
    assert world.submit(key="k", body_digest="a").kind == "new"


def test_files_live_as_long_as_they_may_be_needed(world: World) -> None:
    job = world.submit().job
    first = world.claim(job.id)
    is_live = world.store.janitor.is_live
    assert is_live(job.id, first.token)
    world.store.leases.checkpoint(first, f"{job.id}/{first.token}/checkpoint.safetensors", 3)
    world.clock.advance(1000)
    world.store.leases.rescue()
    world.clock.advance(1000)
    second = world.claim(job.id)
    assert is_live(job.id, first.token), "its checkpoint is where the second attempt goes on"
    assert is_live(job.id, second.token)
    world.succeed(second)
    assert not is_live(job.id, first.token)
    assert is_live(job.id, second.token)
    world.store.janitor.purged(job.id)
    assert not is_live(job.id, second.token)
    assert not is_live("video_local_unknown", second.token)


def test_a_start_image_lives_as_long_as_the_jobs_files(world: World) -> None:
    """Under its digest, in the place of a lease token: until it ran, while it runs, and for a remix of it."""
    job = world.submit(plan=replace(PLAN, image="ab" * 32)).job
    is_live = world.store.janitor.is_live
    assert is_live(job.id, "ab" * 32)
    world.succeed(world.claim(job.id))
    assert is_live(job.id, "ab" * 32)
    assert not is_live(job.id, "cd" * 32)
    world.store.janitor.purged(job.id)
    assert not is_live(job.id, "ab" * 32)


def test_a_failed_job_keeps_its_start_image_for_a_retry(world: World) -> None:
    with_image, plain, deleted = (world.submit(plan=replace(PLAN, image=image)).job.id for image in ("ab" * 32, None, "cd" * 32))
    for job_id in (with_image, plain, deleted):
        world.store.leases.fail(world.claim(job_id), BROKEN, may_retry=False)
    world.store.register.delete(deleted, "ann")
    assert set(world.store.janitor.leftovers()) == {plain, deleted}
    world.clock.advance(RETRY_LIFE_S + 1)
    assert set(world.store.janitor.leftovers()) == {with_image, plain, deleted}


def test_a_draft_that_can_still_be_looked_at_is_alive(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.store.leases.draft(lease, {"key": f"{lease.job.id}/{lease.token}/draft.mp4"})
    world.store.leases.release(lease)
    again = world.claim(lease.job.id)
    assert world.store.janitor.is_live(lease.job.id, lease.token)
    world.succeed(again)
    assert world.store.janitor.is_live(lease.job.id, lease.token)
