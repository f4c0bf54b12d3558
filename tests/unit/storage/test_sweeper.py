from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError
from cinelet.storage import BlobInfo, blob_key, open_blobs, orphans, parse_key, sweep

NOW = 1_800_000_000.0
HOUR_S = 3600.0
JOBS = [f"video_local_01JD000000000000000000000{digit}" for digit in range(4)]
TOKENS = [f"{digit}" * 16 for digit in range(3)]

INFOS = st.lists(
    st.builds(
        BlobInfo,
        key=st.builds(blob_key, st.sampled_from(JOBS), st.sampled_from(TOKENS), st.sampled_from(["video.mp4", "preview.webp"])),
        size_bytes=st.integers(0, 100),
        last_modified_at=st.floats(NOW - 3 * HOUR_S, NOW + HOUR_S),
        etag=st.just('"1"'),
    ),
    max_size=20,
)
LIVE = st.sets(st.tuples(st.sampled_from(JOBS), st.sampled_from(TOKENS)))


def prefix_of(info: BlobInfo) -> str:
    return parse_key(info.key).prefix


@given(INFOS, LIVE)
def test_exactly_the_old_blobs_of_dead_attempts_are_orphans(infos: list[BlobInfo], live: set[tuple[str, str]]) -> None:
    found = orphans(infos, lambda job_id, token: (job_id, token) in live, NOW)
    young = {prefix_of(info) for info in infos if NOW - info.last_modified_at < HOUR_S}
    alive = {f"{job_id}/{token}" for job_id, token in live}
    assert set(found) == {prefix_of(info) for info in infos} - young - alive
    assert found == sorted(set(found))


@given(INFOS)
def test_each_attempt_is_asked_about_once_and_young_ones_never(infos: list[BlobInfo]) -> None:
    asked: Counter[str] = Counter()

    def is_live(job_id: str, token: str) -> bool:
        asked[f"{job_id}/{token}"] += 1
        return False

    found = orphans(infos, is_live, NOW)
    assert asked == Counter(found)


@given(INFOS, st.randoms())
def test_the_order_of_the_list_does_not_matter(infos: list[BlobInfo], random: object) -> None:
    mixed = list(infos)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert orphans(mixed, lambda *_: False, NOW) == orphans(infos, lambda *_: False, NOW)


def test_a_blob_is_old_enough_at_the_very_end_of_the_hour() -> None:
    key = blob_key(JOBS[0], TOKENS[0], "video.mp4")
    assert orphans([BlobInfo(key, 1, NOW - HOUR_S, "")], lambda *_: False, NOW) == [prefix_of(BlobInfo(key, 1, 0, ""))]
    assert orphans([BlobInfo(key, 1, NOW - HOUR_S + 1, "")], lambda *_: False, NOW) == []


def test_a_negative_age_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="min_age_s"):
        orphans([], lambda *_: False, NOW, -1)


def test_a_sweep_removes_the_dead_and_keeps_the_living() -> None:
    store = open_blobs("memory://")
    for token in TOKENS:
        for name in ("video.mp4", "preview.webp"):
            store.put_bytes(blob_key(JOBS[0], token, name), b"x", "video/mp4")
    written_at = max(info.last_modified_at for info in store.list())
    assert sweep(store, lambda job_id, token: token == TOKENS[1], written_at + HOUR_S - 1) == 0
    assert sweep(store, lambda job_id, token: token == TOKENS[1], written_at + HOUR_S) == 4
    assert {parse_key(info.key).token for info in store.list()} == {TOKENS[1]}
