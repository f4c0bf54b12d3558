from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.storage import blob_key, sweep
from cinelet.storage.folder import FolderBlobs

JOB = "video_local_01JD0000000000000000000000"
TOKEN = "0123456789abcdef"  # noqa: S105 - a lease token of a test
OTHER_TOKEN = "fedcba9876543210"  # noqa: S105
KEY = blob_key(JOB, TOKEN, "video.mp4")
MP4 = "video/mp4"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(root: Path) -> FolderBlobs:
    return FolderBlobs(root)


def names_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_content_name_and_folders_are_on_the_disk_before_a_put_returns(
    store: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def seen_fsync(number: int) -> None:
        path = Path(f"/proc/self/fd/{number}").readlink()
        events.append("sync content" if path.name.startswith(".cinelet-") else f"sync {path.relative_to(root.parent)}")
        fsync(number)

    def seen_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_replace)
    store.put_bytes(KEY, b"hello", MP4)
    assert events == ["sync content", "rename", f"sync blobs/{JOB}/{TOKEN}", f"sync blobs/{JOB}", "sync blobs"]


def test_the_root_itself_is_on_the_disk_once_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink()))
    FolderBlobs(tmp_path / "a" / "b")
    assert synced == [tmp_path, tmp_path / "a"]


HALF_A_PUT = """
import sys, time
from pathlib import Path
from cinelet.storage.folder import FolderBlobs

class Endless(type(Path())):
    def open(self, *_):
        return self
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def read(self, num_bytes):
        print("wrote", flush=True)
        sys.stdin.readline()
        return bytes(num_bytes)

FolderBlobs(Path(sys.argv[1])).put_file(sys.argv[2], Endless("clip.mp4"), "video/mp4")
"""


def kill_in_the_middle_of_a_put(root: Path, key: str) -> None:
    command = [sys.executable, "-c", HALF_A_PUT, str(root), key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for _ in range(3):
            assert child.stdout.readline() == "wrote\n"
            child.stdin.write("\n")
            child.stdin.flush()
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_a_put_that_is_killed_leaves_nothing_to_see_and_a_draft_that_grows_old(store: FolderBlobs, root: Path) -> None:
    store.put_bytes(KEY, b"older", MP4)
    kill_in_the_middle_of_a_put(root, KEY)
    kill_in_the_middle_of_a_put(root, blob_key(JOB, OTHER_TOKEN, "video.mp4"))
    assert [info.key for info in store.list()] == [KEY]
    assert store.get_bytes(KEY, 10) == b"older"
    drafts = list(root.rglob(".cinelet-*.tmp"))
    assert len(drafts) == 2
    written_at = min(draft.stat().st_mtime for draft in drafts) - 5000
    for draft in drafts:
        os.utime(draft, (written_at, written_at))
    assert sweep(store, lambda *_: True, written_at + 3599) == 0
    assert sweep(store, lambda *_: True, written_at + 3601) == 2
    assert names_below(root) == [JOB, f"{JOB}/{TOKEN}", KEY, f"{JOB}/{OTHER_TOKEN}"]


def test_folders_of_ours_that_stay_empty_are_removed_and_others_are_not(store: FolderBlobs, root: Path) -> None:
    (root / "lost+found").mkdir()
    store.put_bytes(KEY, b"x", MP4)
    store.put_bytes(blob_key(JOB, OTHER_TOKEN, "video.mp4"), b"x", MP4)
    store.delete(KEY)
    emptied_at = (root / JOB / TOKEN).stat().st_mtime
    assert store.drop_drafts(emptied_at) == 0
    assert (root / JOB / TOKEN).exists()
    assert store.drop_drafts(emptied_at + 3600) == 0
    assert names_below(root) == ["lost+found", JOB, f"{JOB}/{OTHER_TOKEN}", f"{JOB}/{OTHER_TOKEN}/video.mp4"]


def test_deleting_an_attempt_takes_its_drafts_and_folders_along(store: FolderBlobs, root: Path) -> None:
    store.put_bytes(KEY, b"x", MP4)
    store.put_bytes(blob_key(JOB, OTHER_TOKEN, "video.mp4"), b"x", MP4)
    (root / JOB / TOKEN / ".cinelet-0.tmp").write_bytes(b"half")
    assert store.delete_prefix(f"{JOB}/{TOKEN}") == 1
    assert names_below(root) == [JOB, f"{JOB}/{OTHER_TOKEN}", f"{JOB}/{OTHER_TOKEN}/video.mp4"]
    assert store.delete_prefix(JOB) == 1
    assert names_below(root) == []
    assert root.is_dir()


def test_what_is_not_ours_is_neither_shown_nor_removed(store: FolderBlobs, root: Path) -> None:
    store.put_bytes(KEY, b"x", MP4)
    (root / "notes.txt").write_bytes(b"")
    (root / JOB / TOKEN / "Notes.txt").write_bytes(b"")
    (root / JOB / TOKEN / "folder").mkdir()
    (root / JOB / TOKEN / "link").symlink_to("/etc/passwd")
    assert [info.key for info in store.list()] == [KEY]
    assert store.find(blob_key(JOB, TOKEN, "folder")) is None
    assert store.find(blob_key(JOB, TOKEN, "link")) is None
    assert store.delete_prefix(JOB) == 1
    assert names_below(root / JOB / TOKEN) == ["Notes.txt", "folder", "link"]


def test_a_full_disk_is_an_error_that_names_no_path_and_leaves_nothing(
    store: FolderBlobs, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError, match="the disk is full") as failed:
        store.put_bytes(KEY, b"hello", MP4)
    assert str(root) not in failed.value.message
    assert list(root.rglob("*.*")) == []


def test_a_limit_that_is_met_in_the_middle_leaves_nothing(store: FolderBlobs, root: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(UnavailableError, match="the disk is full"):
            store.put_bytes(KEY, bytes(3 << 20), MP4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(root.rglob("*.*")) == []


def test_a_copy_that_does_not_fit_is_told_about_the_copy(store: FolderBlobs, tmp_path: Path) -> None:
    store.put_bytes(KEY, bytes(3 << 20), MP4)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(UnavailableError, match=r"^output: .*the disk is full"):
            store.get_file(KEY, tmp_path / "back.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "back.mp4").exists()


def test_a_folder_that_takes_no_files_is_the_operators_matter(unwritable_dir: Path) -> None:
    store = FolderBlobs(unwritable_dir)
    with pytest.raises(UnavailableError, match="Permission denied") as failed:
        store.put_bytes(KEY, b"x", MP4)
    assert str(unwritable_dir) not in failed.value.message
    with pytest.raises(InvalidValueError, match="blobs: "):
        FolderBlobs(unwritable_dir / "below")


def test_a_file_that_is_shorter_than_it_was_is_unavailable_not_short(store: FolderBlobs, root: Path) -> None:
    store.put_bytes(KEY, bytes(2 << 20), MP4)
    pieces = store.read(KEY, 0, 2 << 20)
    next(pieces)
    os.truncate(root / KEY, 1 << 20)
    with pytest.raises(UnavailableError, match="ended 1,048,576 bytes early"):
        next(pieces)


def test_a_reader_that_stops_early_holds_no_file(store: FolderBlobs) -> None:
    store.put_bytes(KEY, bytes(2 << 20), MP4)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the count alone
    pieces = store.read(KEY, 0, 2 << 20)
    next(pieces)
    del pieces
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_two_processes_may_share_a_folder(store: FolderBlobs, root: Path) -> None:
    FolderBlobs(root).put_bytes(KEY, b"hello", MP4)
    assert store.get_bytes(KEY, 10) == b"hello"
