"""Blobs in a folder of this machine: the key is the path below it.

obstore has a local store too, but its writes are not brought to the disk (0.12 renames without fsync, seen with strace): after a
power cut the database could name a clip that is gone. Here file, name and folders are on the disk before `put` returns, so that
the commit which publishes the clip follows it.

Files beside the blobs whose names begin with a dot are drafts: invisible, and removed when their attempt is, or when they are old.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cinelet.draft import NO_ROOM, Draft
from cinelet.errors import CineletError, InvalidValueError, NotFoundError, UnavailableError
from cinelet.storage.artifact import Artifact, check_content_type
from cinelet.storage.blob_info import BlobInfo
from cinelet.storage.key import check_prefix, is_key, is_prefix, parse_key
from cinelet.storage.port import CHUNK_BYTES
from cinelet.storage.tally import Tally, check_lifetime, check_range, check_size, chunks_of, save, write_chunks


class FolderBlobs:
    """A `BlobStore` in `root`, which is created where it is missing. Several processes may share it.

    Raises `InvalidValueError` where `root` cannot be a folder of ours.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        try:
            make_folder(self._root)
        except OSError as error:
            raise InvalidValueError("blobs", str(root), f"must be a folder or a place for one; {error.strerror}") from error

    def put_file(self, key: str, path: Path, content_type: str) -> Artifact:
        """Store a copy of the file at `path`."""
        return self._put(key, chunks_of(path), content_type)

    def put_bytes(self, key: str, data: bytes, content_type: str) -> Artifact:
        """Store `data`."""
        return self._put(key, [data], content_type)

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        """The whole content, if it is short enough."""
        info = self._get(key)
        check_size(info, max_bytes)
        return b"".join(self._pieces(info, 0, info.size_bytes))

    def get_file(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        """Copy the content to `path`, whole or not at all."""
        info = self._get(key)
        save(self._pieces(info, 0, info.size_bytes), path, key, sha256)

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """A part of the content, piece by piece."""
        info = self._get(key)
        check_range(info, start, length)
        return self._pieces(info, start, length)

    def find(self, key: str) -> BlobInfo | None:
        """What is stored under `key`, or None."""
        return info_of(key, self._path(key))

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """All blobs below `prefix`."""
        top = self._root / check_prefix(prefix) if prefix else self._root
        for path in self._files(top):
            key = path.relative_to(self._root).as_posix()
            if is_key(key) and (info := info_of(key, path)) is not None:
                yield info

    def delete(self, key: str) -> None:
        """Remove a blob; a missing one is fine."""
        remove(self._path(key))

    def delete_prefix(self, prefix: str) -> int:
        """Remove all blobs of one job or attempt, with their drafts and folders."""
        top = self._root / check_prefix(prefix)
        count = 0
        for path in self._files(top):
            is_blob = is_key(path.relative_to(self._root).as_posix())
            if is_blob or is_draft(path):
                remove(path)
                count += is_blob
        for folder in [*top.glob("*/"), top, top.parent]:
            self._prune(folder)
        return count

    def drop_drafts(self, before_at: float) -> int:
        """Remove drafts that nobody has written to since `before_at`, and folders of ours that are empty and as old."""
        count = 0
        for path in self._files(self._root):
            if is_draft(path) and (info := info_of(path.name, path)) is not None and info.last_modified_at < before_at:
                remove(path)
                count += 1
        for folder in itertools.chain(self._root.glob("*/*/"), self._root.glob("*/")):
            with suppress(FileNotFoundError):
                if folder.stat().st_mtime < before_at:
                    self._prune(folder)
        return count

    def signed_url(self, key: str, expires_s: int) -> str | None:
        """None: a folder speaks no HTTP."""
        parse_key(key)
        check_lifetime(expires_s)
        return None

    def _path(self, key: str) -> Path:
        return self._root.joinpath(*parse_key(key))

    def _get(self, key: str) -> BlobInfo:
        info = self.find(key)
        if info is None:
            raise NotFoundError(f"{key}: there is no such blob")
        return info

    def _put(self, key: str, chunks: Iterable[bytes], content_type: str) -> Artifact:
        path = self._path(key)
        check_content_type(content_type)
        tally = Tally(chunks)
        with translated(key):
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft_errors_translated(key), Draft(path) as draft:
                write_chunks(draft.path, tally)
            for folder in (path.parent, path.parent.parent, self._root):
                sync_folder(folder)
        return tally.artifact(key, content_type, self.find(key))

    def _pieces(self, info: BlobInfo, start: int, length: int) -> Iterator[bytes]:
        with translated(info.key), self._path(info.key).open("rb") as file:
            if etag_of(os.fstat(file.fileno())) != info.etag:
                raise UnavailableError(f"{info.key}: the blob changed while it was read")
            file.seek(start)
            while length:
                piece = file.read(min(CHUNK_BYTES, length))
                if not piece:
                    raise UnavailableError(f"{info.key}: ended {length:,} bytes early")
                length -= len(piece)
                yield piece

    def _files(self, top: Path) -> Iterator[Path]:
        """Every file of an attempt's folder below `top`, drafts included; `top` may be missing."""
        depth = 3 - len(top.relative_to(self._root).parts)
        with translated("list"):
            yield from (path for path in top.glob("/".join(["*"] * depth)) if path.is_file() and not path.is_symlink())

    def _prune(self, folder: Path) -> None:
        """Remove the folder of a job or an attempt where nothing is in it."""
        if is_prefix(folder.relative_to(self._root).as_posix()):
            with suppress(OSError):
                folder.rmdir()


def info_of(key: str, path: Path) -> BlobInfo | None:
    """What the system says about the file, or None where there is no regular file."""
    with translated(key):
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return BlobInfo(key, status.st_size, status.st_mtime, etag_of(status)) if stat.S_ISREG(status.st_mode) else None


def etag_of(status: os.stat_result) -> str:
    """A put makes a new file, so its number, time and length tell versions apart."""
    return f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'


def is_draft(path: Path) -> bool:
    """Whether the file is one of `cinelet.draft.Draft`, not yet published."""
    return path.name.startswith(".cinelet-") and path.name.endswith(".tmp")


def remove(path: Path) -> None:
    """Unlink a file that may be gone already."""
    with translated(path.name), suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def make_folder(folder: Path) -> None:
    """Create `folder` and what is missing above it, and bring the new names to the disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """The system's errors as ours, without a path of this machine in the public sentence."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full or a quota is used up" if error.errno in NO_ROOM else error.strerror or "no reason was given"
        raise UnavailableError(f"{subject}: the store failed; {reason}", detail=repr(error)) from error


@contextmanager
def draft_errors_translated(key: str) -> Iterator[None]:
    """What a `Draft` says about its target is about our folder, not about anything the caller chose."""
    try:
        yield
    except CineletError as error:
        if isinstance(error, InvalidValueError) and error.field == "path":
            raise  # the source cannot be read: that is the caller's
        raise UnavailableError(f"{key}: the store failed; {error.message.rpartition('; ')[2]}", detail=error.message) from error
