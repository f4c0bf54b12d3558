"""Start images of requests: read where they came, never fetched, kept beside their job and found again."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cinelet.errors import GoneError, InvalidValueError, UnsupportedMediaError
from cinelet.gateway.form import Upload
from cinelet.gateway.start_image import StartImages, linked, read_reference
from cinelet.storage import BlobStore, open_blobs
from tests.support.world import PLAN, open_world


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return open_blobs(str(tmp_path))


def drawn(kind: str = "PNG", size: tuple[int, int] = (12, 8)) -> bytes:
    file = BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, format=kind)
    return file.getvalue()


def upload(data: bytes) -> Upload:
    return Upload(filename="../../evil.svg", content_type="image/svg+xml", data=data)


def test_a_file_is_kept_as_bare_pixels_of_the_clips_size() -> None:
    image = read_reference(upload(drawn() + b"<script>alert(1)</script>"), 32, 48)
    assert b"<script>" not in image.png
    with Image.open(BytesIO(image.png)) as kept:
        assert (kept.format, kept.mode, kept.size) == ("PNG", "RGB", (32, 48))


def test_one_picture_is_one_digest_whatever_it_came_in() -> None:
    url = f"data:image/png;base64,{base64.b64encode(drawn()).decode()}"
    digests = {read_reference(reference, 32, 48).digest for reference in (upload(drawn()), {"image_url": url})}
    assert len(digests) == 1
    assert digests != {read_reference(upload(drawn()), 48, 32).digest}
    assert digests != {read_reference(upload(drawn(size=(12, 9))), 32, 48).digest}


def test_a_picture_may_come_as_a_data_url() -> None:
    for head in ("data:image/png;base64", "DATA:;BASE64"):
        assert linked({"image_url": f"{head},{base64.b64encode(b'bytes').decode()}"}) == b"bytes"


def test_base64_with_anything_between_is_broken() -> None:
    payload = base64.b64encode(drawn()).decode()
    with pytest.raises(InvalidValueError, match="base64 is broken"):
        linked({"image_url": f"data:image/png;base64,{payload[:8]}@{payload[8:]}"})


@pytest.mark.parametrize(
    "reference",
    [
        {"image_url": "https://example.com/a.png"},
        {"image_url": "http://169.254.169.254/"},
        {"image_url": "file:///etc/passwd"},
        {"image_url": "data:image/png,x"},
        {"image_url": "data:image/png;base64,é"},
        {"image_url": "data:image/png;base64,abc"},
        {"image_url": 7},
        {"file_id": "file_1"},
        {},
    ],
)
def test_pictures_are_never_fetched_and_ids_lead_nowhere(reference: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError) as caught:
        read_reference(reference, 32, 32)
    assert caught.value.field == "input_reference"


def test_errors_name_the_field_of_the_request(blobs: BlobStore) -> None:
    with pytest.raises(UnsupportedMediaError) as caught:
        asyncio.run(StartImages(blobs).read(upload(b"GIF89a"), 32, 32))
    assert caught.value.field == "input_reference"


def test_what_is_kept_for_a_job_is_found_for_the_next_until_its_files_go(blobs: BlobStore) -> None:
    world = open_world("sqlite://")
    images, image = StartImages(blobs), read_reference(upload(drawn()), 32, 48)
    job = world.job(plan=replace(PLAN, image=image.digest))
    images.keep(job.id, image)
    assert images.find(job) == image
    assert images.find(world.job()) is None
    blobs.delete_prefix(job.id)
    with pytest.raises(GoneError, match="is no longer kept"):
        images.find(job)
    world.store.close()


def test_what_was_not_accepted_leaves_nothing(blobs: BlobStore) -> None:
    images, image = StartImages(blobs), read_reference(upload(drawn()), 32, 48)
    job_id = f"video_local_{1:026d}"
    images.keep(job_id, image)
    images.drop(job_id, image)
    assert list(blobs.list()) == []
    images.drop(job_id, image)
