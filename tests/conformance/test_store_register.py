"""The clients' side on every database: look up, list, cancel, delete, and what waits before a job."""

from __future__ import annotations

import pytest

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.jobs import Beat
from cinelet.jobs.register import MAX_PAGE
from tests.support.world import World

NEVER = "video_local_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


def test_the_owner_gets_the_job(world: World) -> None:
    job = world.submit().job
    assert world.store.register.get(job.id, "ann") == job


@pytest.mark.parametrize("verb", ["get", "cancel", "delete"])
def test_another_tenants_job_is_as_unknown_as_one_that_never_was(world: World, verb: str) -> None:
    job = world.submit(tenant="ann").job
    call = getattr(world.store.register, verb)
    with pytest.raises(NotFoundError) as foreign:
        call(job.id, "bob")
    with pytest.raises(NotFoundError) as unknown:
        call(NEVER, "bob")
    assert foreign.value.message.replace(job.id, "ID") == unknown.value.message.replace(NEVER, "ID")
    assert type(foreign.value) is type(unknown.value)
    assert world.find(job.id) == job


@pytest.mark.parametrize("text", ["", "video_local_1", "../etc/passwd", "video_local_" + "0" * 26 + "\n", "x" * 10_000, "\x00"])
def test_what_is_no_id_is_unknown(world: World, text: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        world.store.register.get(text, "ann")
    assert len(refused.value.message) < 1000


def test_find_is_for_the_house_and_sees_deleted_jobs_too(world: World) -> None:
    job = world.submit().job
    world.store.register.delete(job.id, "ann")
    assert world.find(job.id).deleted_at == world.clock()
    assert world.store.register.find(NEVER) is None
    assert set(world.store.register.find_many([job.id, NEVER])) == {job.id}


def test_a_cancelled_job_keeps_its_record(world: World) -> None:
    job = world.submit().job
    cancelled = world.store.register.cancel(job.id, "ann")
    assert (cancelled.state, cancelled.finished_at) == ("cancelled", world.clock())
    assert world.store.register.cancel(job.id, "ann") == cancelled


def test_a_finished_job_stays_finished_when_it_is_cancelled(world: World) -> None:
    job = world.submit().job
    world.succeed(world.claim(job.id))
    assert world.store.register.cancel(job.id, "ann").state == "succeeded"


def test_a_scheduled_job_can_be_cancelled(world: World) -> None:
    job = world.submit(state="scheduled", available_at=world.clock() + 60).job
    assert world.store.register.cancel(job.id, "ann").state == "cancelled"


def test_a_deleted_job_is_unknown_to_its_owner(world: World) -> None:
    job = world.submit().job
    world.store.register.delete(job.id, "ann")
    for verb in ("get", "cancel", "delete"):
        with pytest.raises(NotFoundError):
            getattr(world.store.register, verb)(job.id, "ann")
    assert world.store.register.list("ann").jobs == []


def test_deleting_a_running_job_stops_it(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.store.register.delete(lease.job.id, "ann")
    assert world.state(lease.job.id) == "cancelled"


def list_all(world: World, order: str, limit: int) -> list[str]:
    """Walk all pages."""
    found: list[str] = []
    for _ in range(20):
        page = world.store.register.list("ann", after=found[-1] if found else None, limit=limit, order=order)
        assert len(page.jobs) <= limit
        found += [job.id for job in page.jobs]
        if not page.has_more:
            return found
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_tell_each_job_once_also_where_many_came_at_one_instant(world: World, limit: int) -> None:
    ids = []
    for _ in range(3):
        ids += [answer.job.id for answer in world.accept(*(world.submission() for _ in range(3)))]
        world.clock.advance(1)
    world.submit(tenant="bob")
    assert list_all(world, "asc", limit) == ids
    assert list_all(world, "desc", limit) == ids[::-1]


def test_newest_come_first_unless_asked_otherwise(world: World) -> None:
    ids = [world.submit().job.id for _ in range(3)]
    assert [job.id for job in world.store.register.list("ann").jobs] == ids[::-1]


def test_a_page_goes_on_after_a_job_that_was_deleted_meanwhile(world: World) -> None:
    ids = [world.submit().job.id for _ in range(3)]
    world.store.register.delete(ids[1], "ann")
    assert [job.id for job in world.store.register.list("ann", after=ids[1], order="asc").jobs] == [ids[2]]


def test_an_empty_page_may_be_asked_for(world: World) -> None:
    world.submit()
    page = world.store.register.list("ann", limit=0)
    assert (page.jobs, page.has_more) == ([], True)


@pytest.mark.parametrize("limit", [-1, MAX_PAGE + 1])
def test_a_page_is_bounded(world: World, limit: int) -> None:
    with pytest.raises(InvalidValueError):
        world.store.register.list("ann", limit=limit)


def test_a_page_after_another_tenants_job_is_as_wrong_as_after_none(world: World) -> None:
    job = world.submit(tenant="bob").job
    for after in (job.id, NEVER, "nonsense"):
        with pytest.raises(InvalidValueError) as refused:
            world.store.register.list("ann", after=after)
        assert refused.value.field == "after"


def test_running_tells_what_the_devices_are_at(world: World) -> None:
    lease = world.claim(world.submit(work_s=10.0, tier="free").job.id)
    world.submit(work_s=1.0)
    world.store.leases.beat([Beat(job_id=lease.job.id, token=lease.token, stage="denoise_high", step=5, left_s=4.0)])
    [running] = world.store.register.running()
    left_s = world.store.register.left_s
    assert (running.id, running.tier, running.step, left_s(running)) == (lease.job.id, "free", 5, pytest.approx(4.0))
    load = world.store.register.load()
    assert (load.running_s, load.waiting_s) == (4.0, 1.0)
    world.clock.advance(1.5)
    assert left_s(running) == pytest.approx(2.5), "the device went on since"
    world.clock.advance(60)
    assert left_s(running) == 0.0


def test_of_a_waiting_job_all_is_left_that_it_came_with(world: World) -> None:
    job = world.submit(work_s=10.0).job
    world.clock.advance(60)
    assert world.store.register.left_s(world.find(job.id)) == 10.0


def test_running_tells_the_last_begun_first(world: World) -> None:
    begun = []
    for _ in range(3):
        begun.append(world.claim(world.submit().job.id).job.id)
        world.clock.advance(1)
    assert [running.id for running in world.store.register.running()] == begun[::-1]


def test_nothing_waits_in_an_empty_house(world: World) -> None:
    load = world.store.register.load()
    assert (load.waiting, load.waiting_s, load.running, load.running_s, load.oldest_at) == ({}, 0, 0, 0, None)


def test_load_tells_what_waits_and_what_runs(world: World) -> None:
    oldest = world.clock()
    world.submit(work_s=1.0, tier="free")
    world.clock.advance(5)
    world.submit(work_s=2.0, tier="vip")
    world.claim(world.submit(work_s=4.0, tier="vip").job.id)
    load = world.store.register.load()
    assert (load.waiting, load.waiting_s, load.running, load.running_s) == ({"free": 1, "vip": 1}, 3.0, 1, 4.0)
    assert load.oldest_at == oldest
