"""One suite for every `BlobStore`: a folder, memory, and S3 as moto speaks it in a child process.

moto answers like S3; it says nothing about S3's durability, its rights or its behaviour under load.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path, PosixPath

import pytest

from cinelet.errors import InvalidValueError, NotFoundError, UnavailableError
from cinelet.storage import CHUNK_BYTES, MAX_URL_LIFETIME_S, Artifact, BlobStore, blob_key, open_blobs, sweep

JOB = "video_local_01JD0000000000000000000000"
OTHER_JOB = "video_local_01JD0000000000000000000001"
TOKEN = "0123456789abcdef"  # noqa: S105 - a lease token of a test
OTHER_TOKEN = "fedcba9876543210"  # noqa: S105
KEY = blob_key(JOB, TOKEN, "video.mp4")
MP4 = "video/mp4"
PART_AND_MORE = (8 << 20) + (3 << 20) + 17
"""Takes two parts in a bucket, and no round number of chunks."""

MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""
"""Prints its address, and ends when its standard input does: with the test, however that ends."""


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    if find_spec("moto") is None:
        message = "moto is not installed: pip install 'moto[server]'"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    command = [sys.executable, "-c", MOTO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        address = child.stdout.readline().strip()
        assert address, "moto did not start"
        yield address


def request(method: str, url: str, headers: dict[str, str] | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers or {}), timeout=30) as answer:  # noqa: S310 - the test's own server
        return bytes(answer.read())


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and another client's object in it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    bucket = f"clips-{os.urandom(6).hex()}"
    request("PUT", f"{s3_endpoint}/{bucket}")
    return f"s3://{bucket}/some/where?endpoint={s3_endpoint}&region=us-east-1"


@pytest.fixture
def s3(s3_url: str) -> BlobStore:
    return open_blobs(s3_url)


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "s3":
        opened: BlobStore = request.getfixturevalue("s3")
        return opened
    return open_blobs("memory://" if request.param == "memory" else str(tmp_path / "blobs"))


def noise(num_bytes: int) -> bytes:
    return random.Random(7).randbytes(num_bytes)


def content(store: BlobStore, key: str = KEY) -> bytes:
    return store.get_bytes(key, 64 << 20)


def keys(store: BlobStore, prefix: str = "") -> list[str]:
    return sorted(info.key for info in store.list(prefix))


@pytest.mark.parametrize("num_bytes", [0, 1, CHUNK_BYTES, 8 << 20, PART_AND_MORE])
def test_a_file_is_stored_whole_with_its_length_and_digest(store: BlobStore, tmp_path: Path, num_bytes: int) -> None:
    data = noise(num_bytes)
    (tmp_path / "clip.mp4").write_bytes(data)
    artifact = store.put_file(KEY, tmp_path / "clip.mp4", MP4)
    assert artifact == Artifact(KEY, MP4, num_bytes, hashlib.sha256(data).hexdigest())
    assert content(store) == data
    store.get_file(KEY, tmp_path / "back.mp4", sha256=artifact.sha256)
    assert (tmp_path / "back.mp4").read_bytes() == data


@pytest.mark.parametrize("num_bytes", [0, 5, PART_AND_MORE])
def test_bytes_are_stored_whole_with_their_length_and_digest(store: BlobStore, num_bytes: int) -> None:
    data = noise(num_bytes)
    assert store.put_bytes(KEY, data, MP4) == Artifact(KEY, MP4, num_bytes, hashlib.sha256(data).hexdigest())
    assert content(store) == data


def test_what_is_found_is_what_was_put(store: BlobStore) -> None:
    assert store.find(KEY) is None
    store.put_bytes(KEY, b"hello", MP4)
    info = store.find(KEY)
    assert info is not None
    assert (info.key, info.size_bytes) == (KEY, 5)
    assert abs(info.last_modified_at - time.time()) < 3600
    assert info.etag.startswith('"')
    assert list(store.list()) == [info]


def test_a_second_put_replaces_the_first_and_changes_the_tag(store: BlobStore) -> None:
    store.put_bytes(KEY, b"first", MP4)
    before = store.find(KEY)
    store.put_bytes(KEY, b"other", MP4)
    after = store.find(KEY)
    assert content(store) == b"other"
    assert before is not None
    assert after is not None
    assert before.etag != after.etag


class CutFile(PosixPath):
    """A file that ends in an error of the disk after so many bytes."""

    def open(self, *_: object, **__: object) -> CutStream:  # type: ignore[override] # only what is asked of it here
        return CutStream(PART_AND_MORE)


class CutStream:
    def __init__(self, num_bytes: int) -> None:
        self._left = num_bytes

    def __enter__(self) -> CutStream:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read(self, num_bytes: int) -> bytes:
        if self._left <= 0:
            raise OSError(5, "Input/output error")
        self._left -= num_bytes
        return bytes(num_bytes)


def test_a_cut_upload_leaves_nothing_to_see(store: BlobStore) -> None:
    with pytest.raises(InvalidValueError, match=r"^path: .*Input/output error"):
        store.put_file(KEY, CutFile("clip.mp4"), MP4)
    assert store.find(KEY) is None
    assert keys(store) == []


def test_a_cut_upload_keeps_what_was_there(store: BlobStore) -> None:
    store.put_bytes(KEY, b"hello", MP4)
    with pytest.raises(InvalidValueError):
        store.put_file(KEY, CutFile("clip.mp4"), MP4)
    assert content(store) == b"hello"


def test_a_source_that_is_missing_is_the_callers_fault(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="No such file"):
        store.put_file(KEY, tmp_path / "missing.mp4", MP4)
    assert keys(store) == []


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (0, 0),
        (0, 1),
        (0, CHUNK_BYTES),
        (0, CHUNK_BYTES + 1),
        (CHUNK_BYTES - 1, 2),
        (CHUNK_BYTES, CHUNK_BYTES),
        (0, 2 * CHUNK_BYTES + 3),
        (1, 2 * CHUNK_BYTES + 2),
        (2 * CHUNK_BYTES + 2, 1),
        (2 * CHUNK_BYTES + 3, 0),
    ],
)
def test_a_range_gives_exactly_its_bytes_in_bounded_pieces(store: BlobStore, start: int, length: int) -> None:
    data = noise(2 * CHUNK_BYTES + 3)
    store.put_bytes(KEY, data, MP4)
    pieces = list(store.read(KEY, start, length))
    assert b"".join(pieces) == data[start : start + length]
    assert all(type(piece) is bytes and 0 < len(piece) <= CHUNK_BYTES for piece in pieces)


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (0, 6), (5, 1), (6, 0), (0, -1), (2**70, 1), (0, 2**70)])
def test_a_range_that_leaves_the_content_is_refused_at_once(store: BlobStore, start: int, length: int) -> None:
    store.put_bytes(KEY, b"hello", MP4)
    with pytest.raises(InvalidValueError, match=r"start|length"):
        store.read(KEY, start, length)


def test_an_empty_blob_has_one_empty_range(store: BlobStore) -> None:
    store.put_bytes(KEY, b"", MP4)
    assert list(store.read(KEY, 0, 0)) == []


def test_what_is_missing_is_not_found_before_the_first_piece(store: BlobStore, tmp_path: Path) -> None:
    asks: list[Callable[[], object]] = [
        lambda: store.read(KEY, 0, 1),
        lambda: store.get_bytes(KEY, 10),
        lambda: store.get_file(KEY, tmp_path / "back.mp4"),
    ]
    for ask in asks:
        with pytest.raises(NotFoundError, match="no such blob"):
            ask()
    assert not (tmp_path / "back.mp4").exists()


def test_a_blob_that_is_too_long_is_not_read_at_once(store: BlobStore) -> None:
    store.put_bytes(KEY, b"hello", MP4)
    assert store.get_bytes(KEY, 5) == b"hello"
    with pytest.raises(InvalidValueError, match="at most 4 bytes"):
        store.get_bytes(KEY, 4)


def test_content_of_another_digest_is_not_published(store: BlobStore, tmp_path: Path) -> None:
    store.put_bytes(KEY, b"hello", MP4)
    (tmp_path / "back.mp4").write_bytes(b"older")
    with pytest.raises(UnavailableError, match="other content"):
        store.get_file(KEY, tmp_path / "back.mp4", sha256="0" * 64)
    assert (tmp_path / "back.mp4").read_bytes() == b"older"


def test_a_reader_never_gets_a_mixture_of_two_versions(store: BlobStore) -> None:
    store.put_bytes(KEY, b"a" * (3 * CHUNK_BYTES), MP4)
    pieces = store.read(KEY, 0, 3 * CHUNK_BYTES)
    got = next(pieces)
    store.put_bytes(KEY, b"b" * (3 * CHUNK_BYTES), MP4)
    try:
        got += b"".join(pieces)
    except UnavailableError as error:
        assert "changed" in error.message
    assert set(got) == {ord("a")}


def test_a_blob_that_is_replaced_before_it_is_read_is_unavailable(store: BlobStore) -> None:
    store.put_bytes(KEY, b"hello", MP4)
    pieces = store.read(KEY, 0, 5)
    store.put_bytes(KEY, b"other", MP4)
    with pytest.raises(UnavailableError, match="changed"):
        next(pieces)


def test_a_blob_that_is_deleted_before_it_is_read_is_unavailable(store: BlobStore) -> None:
    store.put_bytes(KEY, b"hello", MP4)
    pieces = store.read(KEY, 0, 5)
    store.delete(KEY)
    with pytest.raises(UnavailableError):
        next(pieces)


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", f"{JOB}/{TOKEN}/../video.mp4", f"/{KEY}", f"{KEY}\0", f"{JOB}/{TOKEN}", "", ".", f"{JOB}/{TOKEN}/.x"]
)
def test_no_method_takes_anything_but_a_key(store: BlobStore, tmp_path: Path, key: str) -> None:
    asks: list[Callable[[], object]] = [
        lambda: store.put_bytes(key, b"x", MP4),
        lambda: store.put_file(key, Path(__file__), MP4),
        lambda: store.get_bytes(key, 1),
        lambda: store.get_file(key, tmp_path / "back"),
        lambda: store.read(key, 0, 0),
        lambda: store.find(key),
        lambda: store.delete(key),
        lambda: store.signed_url(key, 60),
    ]
    for ask in asks:
        with pytest.raises(InvalidValueError, match=r"^key: "):
            ask()
    assert keys(store) == []


@pytest.mark.parametrize("content_type", ["", "video", "video/mp4\r\nx: y", "text/html; charset=utf-8"])
def test_a_content_type_that_could_break_a_header_is_refused_before_anything_is_sent(store: BlobStore, content_type: str) -> None:
    with pytest.raises(InvalidValueError, match="content_type"):
        store.put_bytes(KEY, b"x", content_type)
    assert keys(store) == []


def test_a_list_has_one_job_one_attempt_or_everything(store: BlobStore) -> None:
    mine = [blob_key(JOB, TOKEN, name) for name in ("thumbnail.webp", "video.mp4")]
    all_keys = sorted([*mine, blob_key(JOB, OTHER_TOKEN, "video.mp4"), blob_key(OTHER_JOB, TOKEN, "video.mp4")])
    for key in all_keys:
        store.put_bytes(key, b"x", MP4)
    assert keys(store) == all_keys
    assert keys(store, JOB) == keys(store, f"{JOB}/") == [key for key in all_keys if key.startswith(JOB)]
    assert keys(store, f"{JOB}/{TOKEN}") == mine
    assert keys(store, f"{OTHER_JOB}/{OTHER_TOKEN}") == []


def test_a_token_that_begins_like_another_is_another(store: BlobStore) -> None:
    store.put_bytes(blob_key(JOB, TOKEN + "00", "video.mp4"), b"x", MP4)
    assert keys(store, f"{JOB}/{TOKEN}") == []
    assert store.delete_prefix(f"{JOB}/{TOKEN}") == 0
    assert len(keys(store)) == 1


def test_deleting_is_done_once_and_asked_for_often(store: BlobStore) -> None:
    store.put_bytes(KEY, b"x", MP4)
    store.delete(KEY)
    store.delete(KEY)
    assert store.find(KEY) is None


def test_a_prefix_is_deleted_with_all_below_it_and_nothing_beside(store: BlobStore) -> None:
    for job, token in ((JOB, TOKEN), (JOB, OTHER_TOKEN), (OTHER_JOB, TOKEN)):
        for name in ("video.mp4", "preview.webp"):
            store.put_bytes(blob_key(job, token, name), b"x", MP4)
    assert store.delete_prefix(f"{JOB}/{TOKEN}") == 2
    assert len(keys(store, JOB)) == 2
    assert store.delete_prefix(JOB) == 2
    assert store.delete_prefix(JOB) == 0
    assert len(keys(store)) == 2


@pytest.mark.parametrize("prefix", ["", "/", "..", "video_", f"{JOB}/.."])
def test_no_prefix_deletes_more_than_a_job(store: BlobStore, prefix: str) -> None:
    store.put_bytes(KEY, b"x", MP4)
    with pytest.raises(InvalidValueError, match="prefix"):
        store.delete_prefix(prefix)
    assert keys(store) == [KEY]


def test_of_many_puts_of_one_key_one_is_kept_whole(store: BlobStore) -> None:
    start = threading.Barrier(4)
    stored: list[Artifact] = []

    def put(letter: bytes) -> None:
        start.wait()
        stored.append(store.put_bytes(KEY, letter * (9 << 20), MP4))

    threads = [threading.Thread(target=put, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 4
    assert hashlib.sha256(content(store)).hexdigest() in {artifact.sha256 for artifact in stored}
    assert keys(store) == [KEY]


def test_a_sweep_removes_dead_attempts_only_when_they_are_old(store: BlobStore) -> None:
    for token in (TOKEN, OTHER_TOKEN):
        store.put_bytes(blob_key(JOB, token, "video.mp4"), b"x", MP4)
    written_at = max(info.last_modified_at for info in store.list())

    def is_live(job_id: str, token: str) -> bool:
        return token == OTHER_TOKEN

    assert sweep(store, is_live, written_at + 3599) == 0
    assert sweep(store, is_live, written_at + 3601) == 1
    assert keys(store) == [blob_key(JOB, OTHER_TOKEN, "video.mp4")]


@pytest.mark.parametrize("expires_s", [0, -1, MAX_URL_LIFETIME_S + 1])
def test_a_link_lives_a_quarter_of_an_hour_at_most(store: BlobStore, expires_s: int) -> None:
    with pytest.raises(InvalidValueError, match="expires_s"):
        store.signed_url(KEY, expires_s)


def test_what_speaks_no_http_signs_no_links(tmp_path: Path) -> None:
    assert open_blobs(str(tmp_path)).signed_url(KEY, 60) is None
    assert open_blobs("memory://").signed_url(KEY, 60) is None


def test_s3_signs_links_that_give_the_blob_with_its_type_and_ranges(s3: BlobStore) -> None:
    s3.put_bytes(KEY, b"hello", MP4)
    url = s3.signed_url(KEY, 60)
    assert url is not None
    assert request("GET", url, {"Range": "bytes=1-2"}) == b"el"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the test's own server
        assert answer.headers["Content-Type"] == MP4


def test_an_upload_to_s3_that_is_cut_leaves_no_parts_behind(s3: BlobStore, s3_url: str) -> None:
    with pytest.raises(InvalidValueError):
        s3.put_file(KEY, CutFile("clip.mp4"), MP4)
    assert b"<Upload>" not in request("GET", bucket_address(s3_url) + "?uploads")


def test_blobs_lie_below_the_prefix_and_what_others_put_there_is_left_alone(s3: BlobStore, s3_url: str) -> None:
    s3.put_bytes(KEY, b"hello", MP4)
    address = bucket_address(s3_url)
    for foreign in ("some/where/notes.txt", f"some/where/{JOB}/{TOKEN}/Notes.txt", f"other/{KEY}"):
        request("PUT", f"{address}/{foreign}")
    assert keys(s3) == [KEY]
    assert s3.delete_prefix(JOB) == 1
    assert request("GET", address).count(b"<Key>") == 3


def test_more_blobs_than_one_page_are_all_listed_and_deleted(s3: BlobStore) -> None:
    for number in range(1001):
        s3.put_bytes(blob_key(JOB, TOKEN, f"{number}.webp"), b"", "image/webp")
    assert len(keys(s3)) == 1001
    assert s3.delete_prefix(JOB) == 1001
    assert keys(s3) == []


def test_a_bucket_that_is_missing_is_the_operators_matter(s3_url: str) -> None:
    store = open_blobs(s3_url.replace("s3://clips-", "s3://no-clips-"))
    for ask in (lambda: store.put_bytes(KEY, b"x", MP4), lambda: keys(store)):
        with pytest.raises(UnavailableError) as failed:
            ask()
        assert "no-clips" not in failed.value.message
        assert "no-clips" in failed.value.detail


def bucket_address(s3_url: str) -> str:
    bucket, _, rest = s3_url.removeprefix("s3://").partition("/")
    return f"{rest.split('endpoint=')[1].split('&')[0]}/{bucket}"


def test_an_artifact_of_any_store_survives_json(store: BlobStore) -> None:
    artifact = store.put_bytes(KEY, b"hello", MP4)
    assert Artifact.from_json(json.loads(json.dumps(artifact.to_json()))) == artifact
