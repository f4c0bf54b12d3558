"""What becomes of a finished clip when the lease is gone, and when the deliverer itself is at fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cinelet.cli.house import make_metrics
from cinelet.jobs import Lease
from cinelet.storage import BlobStore, blob_key, open_blobs
from cinelet.worker import FakeEngine
from cinelet.worker import delivery as delivery_module
from cinelet.worker.delivery import Delivery
from cinelet.worker.frame_stream import FrameStream
from cinelet.worker.tally import Tally
from tests.support.world import World, open_world


@pytest.fixture
def world() -> Iterator[World]:
    world = open_world("sqlite://")
    yield world
    world.store.close()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return open_blobs(str(tmp_path))


def clip_of(lease: Lease) -> FrameStream:
    engine = FakeEngine()
    engine.admit("one", lease.job.plan)
    stream = FrameStream()
    stream.close(engine.finish("one", lease.job.plan, stream.put))
    return stream


def test_a_lost_lease_publishes_nothing_and_leaves_the_checkpoint_to_the_next_attempt(world: World, blobs: BlobStore) -> None:
    job = world.submit().job
    stale = world.claim(job.id)
    checkpoint = blob_key(job.id, stale.token, "checkpoint.safetensors")
    blobs.put_bytes(checkpoint, b"a trajectory", "application/octet-stream")
    world.store.leases.checkpoint(stale, checkpoint, 5)
    world.clock.advance(1000.0)
    world.store.leases.rescue()
    assert Delivery(world.store, blobs, "w1", Tally(make_metrics())).deliver(stale, clip_of(stale)) == "lost"
    assert world.find(job.id).result is None
    assert blobs.find(checkpoint) is not None


def test_a_fault_of_the_deliverer_sends_the_job_back_and_does_not_reach_the_worker(
    world: World, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(delivery_module, "poster", broken)
    lease = world.claim(world.submit().job.id)
    assert Delivery(world.store, blobs, "w1", Tally(make_metrics())).deliver(lease, clip_of(lease)) == "available"
    assert world.find(lease.job.id).attempt == 1
