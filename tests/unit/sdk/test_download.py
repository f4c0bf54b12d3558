"""Bytes that come in pieces, from a service that hangs up, changes its mind or sends something else."""

from __future__ import annotations

import pytest

from cinelet.errors import UnavailableError
from cinelet.video import VideoRequest
from tests.support.fake_service import CLIP

CAR = VideoRequest(prompt="a red car", seed=3)


@pytest.fixture
def job_id(client) -> str:
    job_id = client.submit(CAR).id
    client.wait(job_id)
    return job_id


def test_a_broken_transfer_goes_on_where_it_stopped(client, service, job_id) -> None:
    service.trouble("GET", "/content$", times=3, cut=30_000)
    assert client.content(job_id) == CLIP
    ranges = [call.headers.get("range") for call in service.calls("GET", "/content$")]
    assert ranges == [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"]


def test_without_a_version_a_broken_transfer_starts_anew(client, service, job_id) -> None:
    for etag in ("", 'W/"weak"'):
        service.etag = etag
        service.trouble("GET", "/content$", cut=30_000)
        assert client.content(job_id) == CLIP
    assert not [call for call in service.calls("GET", "/content$") if "range" in call.headers]


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changed_in_between_is_never_stitched(heeds_if_range: bool, client, service, job_id) -> None:
    service.heeds_if_range = heeds_if_range
    service.etag = '"one"'
    service.trouble("GET", "/content$", cut=30_000)
    changed = bytes(reversed(CLIP))

    def change(seconds: float) -> None:
        service.clip, service.etag = changed, '"two"'

    client._transport._sleep = change
    assert client.content(job_id) == changed


def test_bytes_that_are_not_the_announced_ones_are_refused(client, service, job_id, tmp_path) -> None:
    service.etag = f'"{"0" * 64}"'
    with pytest.raises(UnavailableError, match="not the ones"):
        client.download(job_id, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_stays_until_the_new_one_is_whole(client, service, job_id, tmp_path) -> None:
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"older")
    service.trouble("GET", "/content$", times=99, status=500)
    with pytest.raises(UnavailableError):
        client.download(job_id, target)
    assert target.read_bytes() == b"older"
    service.troubles.clear()
    assert client.download(job_id, target).read_bytes() == CLIP
    assert list(tmp_path.iterdir()) == [target]


def test_a_transfer_that_never_moves_ends(client, service, job_id, clock) -> None:
    clock.pauses.clear()
    service.trouble("GET", "/content$", times=99, cut=0)
    with pytest.raises(UnavailableError):
        client.content(job_id)
    assert clock.pauses == [0.5, 1, 2, 4]


def test_an_empty_file_is_a_file(client, service, job_id) -> None:
    service.clip = b""
    assert client.content(job_id) == b""
