from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cinelet.draft import Draft, check_place, explain
from cinelet.errors import InvalidValueError, UnavailableError
from tests.unit.media.places import names_in


def test_a_draft_takes_its_name_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    with Draft(target) as draft:
        draft.path.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names_in(tmp_path) == ["clip.mp4"]


def test_an_exception_keeps_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with Draft(target) as draft:
            draft.path.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["clip.mp4"]


def test_a_failure_while_publishing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError, match="the disk is full"), Draft(tmp_path / "clip.mp4"):
        pass
    assert names_in(tmp_path) == []


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with Draft(tmp_path / "clip.mp4"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "clip.mp4").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.mp4").write_bytes(b"old")
    (tmp_path / "link.mp4").symlink_to("real.mp4")
    with Draft(tmp_path / "link.mp4") as draft:
        draft.path.write_bytes(b"new")
    assert (tmp_path / "link.mp4").is_symlink()
    assert (tmp_path / "real.mp4").read_bytes() == b"new"


def test_a_relative_path_is_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Draft("a:b.mp4") as draft:
        assert draft.path.is_absolute()
    assert (tmp_path / "a:b.mp4").is_file()


def test_checking_a_place_leaves_no_trace(tmp_path: Path) -> None:
    check_place(tmp_path / "clip.mp4")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("missing/clip.mp4", "its directory must exist"),
        ("file/clip.mp4", "its directory must exist"),
        ("folder", "not a directory"),
        ("pipe", "must be a regular file"),
        ("loop", "loop of symbolic links"),
        ("x" * 300 + ".mp4", "shorter file name"),
        ("a\0b.mp4", "NUL"),
        ("half\ud800.mp4", "valid Unicode"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_with_the_reason(tmp_path: Path, name: str, limit: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidValueError, match=limit) as refused:
        check_place(tmp_path / name)
    assert refused.value.field == "output"


def test_a_directory_without_write_permission_is_refused(unwritable_dir: Path) -> None:
    with pytest.raises(InvalidValueError, match="directory must be writable"):
        check_place(unwritable_dir / "clip.mp4")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_may_be_tried_again(code: int) -> None:
    error = explain(Path("clip.mp4"), OSError(code, os.strerror(code)))
    assert isinstance(error, UnavailableError)
    assert "disk is full" in error.message


def test_an_unknown_system_error_keeps_its_words() -> None:
    error = explain(Path("clip.mp4"), OSError(errno.EIO, "Input/output error"))
    assert isinstance(error, UnavailableError)
    assert "Input/output error" in error.message
