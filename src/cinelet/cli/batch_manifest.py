"""What a batch has done so far: `manifest.jsonl` beside the clips, one line a change, on the disk before the next thing happens.

A run that was killed reads it and goes on. Nothing of services or engines.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from cinelet.draft import explained
from cinelet.errors import ConflictError, InvalidValueError

try:
    import fcntl
except ImportError:  # Windows: two runs at once are not noticed there
    fcntl = None  # type: ignore[assignment]

NAME = "manifest.jsonl"
State = Literal["submitted", "completed", "failed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The last that is known of one clip."""

    key: str
    state: State
    attempt: int = 1
    job_id: str | None = None
    seed: int | None = None
    path: str | None = None
    reason: str | None = None


class Manifest:
    """The manifest of one folder, open in a `with` block, for one run at a time.

    The first line draws the batch's own id. Keys are made of it, the row and the clip's number: the same row gives the same
    key in every run, and another folder other keys. Raises `ConflictError` where another run is at work in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._entries: dict[str, Entry] = {}
        self._batch_id = ""

    def __enter__(self) -> Self:
        """Open or create it, drop a torn last line, read what was done."""
        with explained(self.path):
            self._file = self.path.open("a+b")
        try:
            self._lock()
            self._load()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of it."""
        self._file.close()

    def key_of(self, row_number: int, content: Mapping[str, Any], clip: int, attempt: int = 1) -> str:
        """The idempotency key of one clip: the `clip`-th of a row with this content, in this batch, at this attempt."""
        text = json.dumps([self._batch_id, row_number, content, clip, attempt], sort_keys=True, ensure_ascii=False)
        return "batch-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]

    def find(self, key: str) -> Entry | None:
        """What is known of a clip."""
        return self._entries.get(key)

    def note(self, entry: Entry, *, row: int, clip: int, at: float) -> None:
        """Write a change down; it is on the disk when this returns. `at` is unix seconds."""
        said = {name: value for name, value in vars(entry).items() if value is not None}
        self._append({"row": row, "clip": clip, **said, "at": round(at, 3)})
        self._entries[entry.key] = entry

    def _append(self, line: Mapping[str, Any]) -> None:
        with explained(self.path):
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConflictError(f"output: another run is at work in {self.path.parent}; wait for it") from error

    def _load(self) -> None:
        self._file.seek(0)
        text = self._file.read()
        whole = text.rfind(b"\n") + 1
        self._file.truncate(whole)
        lines = text[:whole].splitlines()
        if not lines:
            self._batch_id = uuid.uuid4().hex
            self._append({"batch": self._batch_id})
            return
        try:
            self._batch_id = json.loads(lines[0])["batch"]
            for line in lines[1:]:
                entry = _entry(json.loads(line))
                self._entries[entry.key] = entry
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidValueError("output", str(self.path), "is no manifest of a batch; move it away") from error


def _entry(said: Mapping[str, Any]) -> Entry:
    return Entry(**{name: said[name] for name in Entry.__dataclass_fields__ if name in said})
