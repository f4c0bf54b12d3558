from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError
from cinelet.storage.key import blob_key, check_prefix, is_key, parse_key

JOB = "video_local_01JD0000000000000000000000"
TOKEN = "0123456789abcdef"  # noqa: S105 - a lease token of a test


def test_a_key_is_made_of_its_parts_and_gives_them_back() -> None:
    key = blob_key(JOB, TOKEN, "video.mp4")
    assert key == f"{JOB}/{TOKEN}/video.mp4"
    assert parse_key(key) == (JOB, TOKEN, "video.mp4")
    assert parse_key(key).prefix == f"{JOB}/{TOKEN}"


@pytest.mark.parametrize(
    ("job_id", "token", "name"),
    [
        ("..", TOKEN, "video.mp4"),
        ("video_local_01JD000000000000000000000", TOKEN, "video.mp4"),
        ("video_local_01JD000000000000000000000I", TOKEN, "video.mp4"),
        ("video_thirteenchars_01JD0000000000000000000000", TOKEN, "video.mp4"),
        (JOB.lower(), TOKEN, "video.mp4"),
        (JOB, "", "video.mp4"),
        (JOB, TOKEN[:15], "video.mp4"),
        (JOB, "a" * 65, "video.mp4"),
        (JOB, TOKEN.upper(), "video.mp4"),
        (JOB, "..", "video.mp4"),
        (JOB, TOKEN, ""),
        (JOB, TOKEN, "."),
        (JOB, TOKEN, ".."),
        (JOB, TOKEN, ".cinelet-0.tmp"),
        (JOB, TOKEN, "a" * 65),
        (JOB, TOKEN, "Video.mp4"),
        (JOB, TOKEN, "video mp4"),
        (JOB, TOKEN, "video%2emp4"),
        (JOB, TOKEN, "video.mp4\n"),
        (JOB, TOKEN, "video.mp4\0"),
        (JOB, TOKEN, "../video.mp4"),
        (JOB, TOKEN, "a\\..\\video.mp4"),
        (JOB, TOKEN, "vidéo.mp4"),
        (JOB, TOKEN, "\ud800"),
    ],
)
def test_a_part_of_another_form_is_refused(job_id: str, token: str, name: str) -> None:
    with pytest.raises(InvalidValueError, match=r"^key: .* is not allowed"):
        blob_key(job_id, token, name)


@pytest.mark.parametrize("key", [f"/{JOB}/{TOKEN}/a", f"{JOB}/{TOKEN}/a/", f"{JOB}//{TOKEN}/a", f"{JOB}/{TOKEN}/./a", f"{JOB}/{TOKEN}", ""])
def test_only_three_parts_make_a_key(key: str) -> None:
    assert not is_key(key)


PIECES = st.sampled_from([JOB, TOKEN, "..", ".", "/", "//", "\\", "\0", "%2e", "a", "video.mp4", "\n"])


@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.lists(PIECES, min_size=3, max_size=3).map("/".join), st.text()))
def test_whatever_passes_for_a_key_is_a_file_three_levels_below_the_root(key: str) -> None:
    if is_key(key):
        root = Path("/root-of-blobs")
        parts = (root / key).resolve().relative_to(root).parts
        assert parts == tuple(key.split("/"))
        assert len(parts) == 3


@pytest.mark.parametrize("prefix", [JOB, f"{JOB}/", f"{JOB}/{TOKEN}", f"{JOB}/{TOKEN}/"])
def test_a_prefix_names_a_job_or_an_attempt(prefix: str) -> None:
    assert check_prefix(prefix) == prefix.rstrip("/")


@pytest.mark.parametrize("prefix", ["", "/", "..", f"{JOB}//", f"{JOB}/{TOKEN[:5]}", f"{JOB}/..", f"{JOB}/{TOKEN}/video.mp4", JOB[:-1]])
def test_a_prefix_never_names_more_than_a_job_or_a_part_of_a_name(prefix: str) -> None:
    with pytest.raises(InvalidValueError, match=r"^prefix: "):
        check_prefix(prefix)
