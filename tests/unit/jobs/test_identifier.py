"""Ids: their form, their region, their order."""

from __future__ import annotations

import pytest

from cinelet.errors import InvalidValueError
from cinelet.jobs import is_id, new_id, region_of

ULID = "01J9ZZZZZZZZZZZZZZZZZZZZZZ"


def test_a_new_id_has_the_form_and_names_its_region() -> None:
    job_id = new_id("eu1", 1_790_000_000.0)
    assert is_id(job_id)
    assert region_of(job_id) == "eu1"


def test_ids_of_one_region_sort_by_age() -> None:
    ids = [new_id("local", 1_790_000_000.0 + second) for second in range(50)]
    assert ids == sorted(ids)


def test_ids_of_one_instant_differ() -> None:
    assert len({new_id("local", 1_790_000_000.0) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("region", ["", "EU", "a-b", "a_b", "x" * 13, "é", "a\n"])
def test_a_malformed_region_is_refused(region: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        new_id(region, 1_790_000_000.0)
    assert refused.value.field == "region"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "video",
        f"video_{ULID}",
        f"video__{ULID}",
        f"video_local_{ULID[:-1]}",
        f"video_local_{ULID}0",
        f"video_local_{ULID.lower()}",
        f"video_local_{ULID[:-1]}I",
        f"video_local_{ULID}\n",
        f" video_local_{ULID}",
        f"video_LOCAL_{ULID}",
        f"video_{'a' * 13}_{ULID}",
        f"video_local_{ULID}/../x",
        "video_local_" + "٠" * 26,
    ],
)
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert not is_id(text)
    assert region_of(text) is None
