"""A file that appears whole or not at all. Nothing of what is written into it.

The bytes go into `.cinelet-<random>.tmp` beside the target, reach the disk, and only then take the target's name. Until
that moment an older file of that name stays as it is. A process that is killed in between leaves at most the temporary file.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from cinelet.errors import CineletError, InvalidValueError, UnavailableError, show
from cinelet.video import check_text

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says when the disk, a quota or the process's own size limit is used up."""

LIMITS = {
    errno.ENOENT: "its directory must exist",
    errno.ENOTDIR: "its directory must exist",
    errno.EACCES: "its directory must be writable",
    errno.EPERM: "its directory must be writable",
    errno.EROFS: "its directory must be writable; this file system is read-only",
    errno.EISDIR: "must be a file name, not a directory",
    errno.ENAMETOOLONG: "must be a shorter file name",
    errno.ELOOP: "must not be a loop of symbolic links",
}
"""What the caller can change about a path, by what the system said."""


class Draft:
    """A new file for `target`: published on a clean exit of the `with` block, discarded on an exception.

    Write to `path`, which exists and is empty once the block is entered. A symbolic link is followed: the file it names is
    replaced, not the link. Raises `InvalidValueError` where the target cannot be written, `UnavailableError` where there is
    no room for it.
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        self.target = resolve(Path(target))
        self.path = self.target.with_name(f".cinelet-{secrets.token_hex(8)}.tmp")

    def __enter__(self) -> Self:
        """Create the empty file at `path`."""
        self.create()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Publish, or discard where the block raised."""
        try:
            if error is None:
                self.publish()
        finally:
            self.discard()

    def create(self) -> None:
        """Take a place in the target's directory, with the permissions a new file has there."""
        with explained(self.target):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))

    def publish(self) -> None:
        """Bring the bytes to the disk, then give them the target's name."""
        with explained(self.target):
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
            self.path.replace(self.target)

    def discard(self) -> None:
        """Remove what was written, where it was not published. A failure here must not hide the error that led to it."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def check_place(target: str | os.PathLike[str]) -> None:
    """Raise what a `Draft` for `target` would raise. It creates one and removes it: permission bits do not tell of quotas."""
    draft = Draft(target)
    try:
        draft.create()
    finally:
        draft.discard()


def resolve(target: Path) -> Path:
    """The absolute path to write, links followed. Raises `InvalidValueError` where something other than a file is in the way."""
    check_text("output", str(target), allow_empty=False)
    with explained(target):
        real = Path(os.path.realpath(target))
        try:
            mode = real.stat().st_mode
        except FileNotFoundError:
            return real
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise InvalidValueError("output", str(target), "must be a regular file, not a device, pipe or socket")
    return real


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Translate the system's errors about `target` into ours."""
    try:
        yield
    except OSError as error:
        raise explain(target, error) from error


def explain(target: Path, error: OSError) -> CineletError:
    """Our error for the system's: change the path, or make room."""
    if error.errno in LIMITS:
        return InvalidValueError("output", str(target), LIMITS[error.errno])
    reason = "the disk is full or a size limit is reached" if error.errno in NO_ROOM else error.strerror or "no reason was given"
    return UnavailableError(f"output: {show(str(target))} cannot be written; {reason}", detail=repr(error))
