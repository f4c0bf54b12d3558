from __future__ import annotations

from pathlib import Path

import pytest

from cinelet.errors import InvalidValueError
from cinelet.storage import blob_key, open_blobs

KEY = blob_key("video_local_01JD0000000000000000000000", "0123456789abcdef", "video.mp4")


@pytest.mark.parametrize("form", ["{}/a/b", "file://{}/a/b", "file://{}/a%2Fb"])
def test_a_folder_is_opened_by_path_and_by_url_and_made_where_it_is_missing(tmp_path: Path, form: str) -> None:
    open_blobs(form.format(tmp_path)).put_bytes(KEY, b"hello", "video/mp4")
    assert (tmp_path / "a" / "b" / KEY).read_bytes() == b"hello"


def test_a_relative_folder_stays_where_it_was_when_the_process_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_blobs("blobs")
    monkeypatch.chdir("/")
    store.put_bytes(KEY, b"hello", "video/mp4")
    assert (tmp_path / "blobs" / KEY).exists()


def test_each_memory_is_new() -> None:
    open_blobs("memory://").put_bytes(KEY, b"hello", "video/mp4")
    assert open_blobs("memory://").find(KEY) is None


@pytest.mark.parametrize(
    "url",
    ["s3://clips", "s3://clips/eu/one", "s3://clips?region=eu-west-1", "s3://clips/?endpoint=http://127.0.0.1:9000&region=local"],
)
def test_a_bucket_is_opened_without_asking_it(url: str) -> None:
    open_blobs(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "a\0b",
        "ftp://host/blobs",
        "s3:/clips",
        "s3://",
        "s3://UPPER",
        "s3://c",
        "s3://clips/../other",
        "s3://clips/a//b",
        "s3://clips/%2e%2e",
        "s3://clips?endpoint=",
        "s3://clips?endpoint=ftp://host",
        "s3://clips?endpoint=http://host/path",
        "s3://clips?region=",
        "s3://clips?acl=public",
        "s3://clips#part",
        "s3://[clips",
        "file://host/blobs",
        "file://",
        "file:///blobs?x=1",
        "file:///a%00b",
        "memory://name",
    ],
)
def test_a_url_that_says_nothing_clear_is_refused(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidValueError, match=r"^blobs: "):
        open_blobs(url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["s3://id:topsecret@clips", "s3://clips?endpoint=http://id:topsecret@host", "s3://clips?endpoint=http://topsecret%40host"]
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidValueError, match="credentials") as refused:
        open_blobs(url)
    assert "topsecret" not in str(refused.value)


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidValueError, match="must be a folder"):
        open_blobs(str(tmp_path / "file"))
    with pytest.raises(InvalidValueError, match="must be a folder"):
        open_blobs(str(tmp_path / "file" / "below"))
