"""What a clip begins with: the start image of its job, checked and made ready, or a clear reason why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cinelet.errors import ConflictError, NotFoundError
from cinelet.jobs import START_IMAGE
from cinelet.media import StartImage
from cinelet.scheduling import Cost
from cinelet.storage import BlobStore, blob_key, open_blobs
from cinelet.video import Plan
from cinelet.worker import FakeEngine
from cinelet.worker.keeper import Keeper
from cinelet.worker.run import Run
from tests.support.world import PLAN, World, open_world

IMAGE = StartImage(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


class Witness(FakeEngine):
    """Keeps the pixels it was given."""

    image_HWC: NDArray[np.uint8] | None = None

    def admit(self, name: str, plan: Plan, image_HWC: NDArray[np.uint8] | None = None) -> None:
        super().admit(name, plan, image_HWC)
        self.image_HWC = image_HWC


@pytest.fixture
def world() -> Iterator[World]:
    world = open_world("sqlite://")
    yield world
    world.store.close()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return open_blobs(str(tmp_path))


def begin(world: World, blobs: BlobStore, plan: Plan, kept: StartImage | None) -> Witness:
    """The engine after a job of `plan` has begun."""
    engine = Witness()
    lease = world.claim(world.submit(plan=plan).job.id)
    if kept is not None:
        blobs.put_bytes(blob_key(lease.job.id, IMAGE.digest, START_IMAGE), kept.to_png(), "image/png")
    Keeper(world.store, blobs, engine).admit(Run(lease=lease, cost=Cost(0.0, 1.0, 0.0, 10), step=0, began_at=0.0))
    return engine


def test_the_engine_gets_the_pixels_that_the_plan_names(world: World, blobs: BlobStore) -> None:
    np.testing.assert_array_equal(begin(world, blobs, replace(PLAN, image=IMAGE.digest), IMAGE).image_HWC, IMAGE.pixels_HWC)


def test_a_clip_that_was_made_smaller_by_permission_begins_with_a_smaller_image(world: World, blobs: BlobStore) -> None:
    engine = begin(world, blobs, replace(PLAN, image=IMAGE.digest, width=32, height=48), IMAGE)
    assert engine.image_HWC is not None
    assert engine.image_HWC.shape == (48, 32, 3)


def test_a_clip_without_an_image_needs_none(world: World, blobs: BlobStore) -> None:
    assert begin(world, blobs, PLAN, None).image_HWC is None


def test_an_image_that_is_gone_is_missed(world: World, blobs: BlobStore) -> None:
    with pytest.raises(NotFoundError):
        begin(world, blobs, replace(PLAN, image=IMAGE.digest), None)


def test_another_image_in_its_place_is_not_taken(world: World, blobs: BlobStore) -> None:
    with pytest.raises(ConflictError, match="is another image"):
        begin(world, blobs, replace(PLAN, image=IMAGE.digest), StartImage(255 - IMAGE.pixels_HWC))
