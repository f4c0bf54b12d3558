"""What was accepted when, on every database."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cinelet.errors import InvalidValueError
from tests.support.world import World


def come(world: World, ago_s: float, work_s: float = 0.0, **fields: Any) -> str:
    """A job that came so long ago; its id."""
    return world.submit(created_at=world.clock() - ago_s, work_s=work_s, **fields).job.id


def test_jobs_and_their_work_are_counted_a_bucket_the_newest_last(world: World) -> None:
    for ago_s, work_s in ((5, 1.5), (59, 2.0), (61, 4.0), (179, 8.0), (181, 16.0)):
        come(world, ago_s, work_s)
    past = world.store.history.accepted(bucket_s=60, num_buckets=3)
    assert list(past.num_jobs) == [1, 1, 2]
    assert list(past.work_s) == pytest.approx([8.0, 4.0, 3.5])
    assert past.end_s == world.clock()


def test_an_instant_in_the_second_half_of_a_bucket_is_not_rounded_into_the_next(world: World) -> None:
    come(world, 100)
    assert list(world.store.history.accepted(bucket_s=60, num_buckets=2).num_jobs) == [1, 0]


def test_all_tenants_count(world: World) -> None:
    come(world, 10, tenant="ann")
    come(world, 10, tenant="bob")
    assert sum(world.store.history.accepted(bucket_s=60, num_buckets=1).num_jobs) == 2


def test_followers_and_hits_need_no_device_and_do_not_count(world: World) -> None:
    leader = come(world, 10, work_s=3.0, digest="d" * 64)
    assert world.submit(work_s=3.0, digest="d" * 64).kind == "follower"
    world.succeed(world.claim(leader))
    assert world.submit(work_s=3.0, digest="d" * 64).kind == "hit"
    world.clock.advance(1.0)
    past = world.store.history.accepted(bucket_s=60, num_buckets=1)
    assert (list(past.num_jobs), list(past.work_s)) == ([1], [3.0])


def test_a_deleted_job_was_accepted_all_the_same(world: World) -> None:
    world.store.register.delete(come(world, 10, work_s=3.0), "ann")
    assert list(world.store.history.accepted(bucket_s=60, num_buckets=1).num_jobs) == [1]


def test_an_empty_past_is_all_zeros(world: World) -> None:
    past = world.store.history.accepted(bucket_s=300, num_buckets=36)
    assert list(past.work_s) == [0.0] * 36


@pytest.mark.parametrize(("bucket_s", "num_buckets"), [(0.5, 1), (60, 0), (60, 5001), (86_400, 400), (math.nan, 1)])
def test_how_far_back_is_bounded(world: World, bucket_s: float, num_buckets: int) -> None:
    with pytest.raises(InvalidValueError):
        world.store.history.accepted(bucket_s=bucket_s, num_buckets=num_buckets)
