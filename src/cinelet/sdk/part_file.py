"""A download that appears whole or not at all: bytes go into `.cinelet-<random>.part` beside the target, then take its name."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from cinelet.errors import InvalidValueError, UnavailableError, show


class PartFile:
    """`with PartFile(path) as sink:` gives an empty file; a clean exit publishes it, an exception leaves nothing behind.

    Raises `InvalidValueError` where the target cannot be written, `UnavailableError` where writing fails half way.
    """

    def __init__(self, target: str | os.PathLike[str]) -> None:
        self.target = Path(os.path.realpath(target))
        self._part = self.target.with_name(f".cinelet-{secrets.token_hex(8)}.part")
        self._file: BinaryIO | None = None

    def __enter__(self) -> BinaryIO:
        """Create the part file."""
        if self.target.is_dir():
            raise InvalidValueError("output", str(self.target), "must be a file name, not a directory")
        try:
            self._file = self._part.open("x+b")
        except OSError as error:
            raise InvalidValueError("output", str(self.target), "its directory must exist and be writable") from error
        return self._file

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Bring the bytes to the disk and publish them, or discard them where the block raised."""
        assert self._file is not None, "left without being entered"  # noqa: S101 - our own invariant
        try:
            if isinstance(error, OSError):
                raise error
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._part.replace(self.target)
        except OSError as failure:
            reason = failure.strerror or "no reason was given"
            raise UnavailableError(f"output: {show(str(self.target))} cannot be written; {reason}", detail=repr(failure)) from failure
        finally:
            with suppress(OSError):
                self._file.close()
                self._part.unlink(missing_ok=True)
