"""Brings models from a hub into their folders, whole or not at all. Nothing of what the files mean to an engine.

A folder is filled under a hidden name beside its place (`.NAME.part`) and moved there when every file is what the hub declares: so a
model that is there is whole, and a pull that was killed goes on where it stopped, in the middle of a file too. Pulling what is there
reads it, and fetches what is missing or damaged.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinelet.draft import NO_ROOM
from cinelet.errors import ConflictError, ModelFilesError, UnavailableError
from cinelet.models.files import MANIFEST, check_adapter, check_files, read_manifest, write_manifest
from cinelet.models.hub import Hub, HubFile, Snapshot
from cinelet.models.parcel import Parcel

NUM_STREAMS = 4
"""Files fetched at once: a hub's storage gives one connection less than most lines carry."""
MAX_FAILURES = 5
"""How often a connection may break without a byte in between."""
MAX_PAUSE_S = 30.0
BRANCH = "main"
"""Followed where neither the catalogue nor an earlier pull names a commit."""
CHUNK_BYTES = 1 << 22
SUFFIX = ".part"


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What a pull did: the `commit` that lies in `folder` now, and how many bytes were fetched for it."""

    folder: Path
    commit: str
    num_files: int
    fetched_bytes: int


class Watcher:
    """Hears how a pull goes on, from several threads: for a progress bar. This one says nothing."""

    def began(self, title: str, total_bytes: int) -> None:
        """A folder's files are known: so many bytes are to be read or fetched."""

    def advanced(self, num_bytes: int) -> None:
        """So many more of them are there; fewer than zero where a file has to be begun again."""


class Puller:
    """Pulls parcels from `hub`. `retry_pause_s` is the first wait after a broken connection; each further one is twice as long."""

    def __init__(self, hub: Hub, watcher: Watcher | None = None, *, retry_pause_s: float = 1.0) -> None:
        self._hub = hub
        self._watcher = watcher or Watcher()
        self._retry_pause_s = retry_pause_s
        self._is_over = threading.Event()

    def pull(self, parcel: Parcel) -> Pulled:
        """Make the parcel's folder what the hub declares. Raises what `Hub.open` raises, `ModelFilesError` where the repository holds no
        such model, `ConflictError` where another process is at it, `UnavailableError` where there is no room or a file comes damaged.
        """
        with _explained(parcel.folder), _workplace(parcel.folder) as place:
            former = _former(place)
            snapshot = self._hub.snapshot(parcel.repository, parcel.revision or former["revision"] or BRANCH)
            files = parcel.choose(snapshot)
            self._watcher.began(parcel.folder.name, sum(file.size_bytes for file in files.values()))
            digests = self._keep(place, files)
            missing = {name: file for name, file in files.items() if name not in digests}
            if missing or place != parcel.folder or former["revision"] != snapshot.commit:
                _check_room(place, missing)
                draft = _unpublish(place, parcel.folder)
                digests |= self._fetch_all(snapshot, draft, missing)
                _tidy(draft, former["sha256"], files)
                write_manifest(draft, dict(sorted(digests.items())), source=parcel.repository, revision=snapshot.commit)
                _publish(draft, parcel)
        fetched = sum(file.size_bytes for file in missing.values())
        return Pulled(folder=parcel.folder, commit=snapshot.commit, num_files=len(files), fetched_bytes=fetched)

    def _keep(self, place: Path, files: Mapping[str, HubFile]) -> dict[str, str]:
        """The digests of the files that are there already, as declared."""
        digests: dict[str, str] = {}
        for name, file in files.items():
            path = place / name
            if path.is_file() and path.stat().st_size == file.size_bytes and (digest := _digest(path, file)):
                digests[name] = digest
                self._watcher.advanced(file.size_bytes)
        return digests

    def _fetch_all(self, snapshot: Snapshot, place: Path, files: Mapping[str, HubFile]) -> dict[str, str]:
        """Fetch files, a few at once; the digests of all. The first failure ends them all."""
        self._is_over.clear()
        with ThreadPoolExecutor(NUM_STREAMS) as pool:
            try:
                digests = list(pool.map(lambda item: self._fetch(snapshot, place / item[0], item[1]), files.items()))
            except BaseException:
                self._is_over.set()
                pool.shutdown(cancel_futures=True)
                raise
        return dict(zip(files, digests, strict=True))

    def _fetch(self, snapshot: Snapshot, path: Path, file: HubFile) -> str:
        """One file whole and as declared under its name; its digest. What an earlier pull left of it is used, once."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{(file.sha256 or file.git_oid)[:12]}{SUFFIX}")
        had_bytes = part.stat().st_size if part.is_file() else 0
        self._watcher.advanced(had_bytes)
        self._transfer(snapshot, part, file)
        digest = _digest(part, file)
        if not digest and had_bytes:
            part.unlink()
            self._watcher.advanced(-file.size_bytes)
            self._transfer(snapshot, part, file)
            digest = _digest(part, file)
        if not digest:
            part.unlink()
            raise UnavailableError(f"hub: {file.path} of {snapshot.repository} came damaged: its digest is not the declared one; try again")
        part.replace(path)
        return digest

    def _transfer(self, snapshot: Snapshot, part: Path, file: HubFile) -> None:
        """Append to `part` until it is as long as declared, over broken connections."""
        num_failures = 0
        part.touch()
        while (size := part.stat().st_size) != file.size_bytes:
            try:
                self._read(snapshot, part, file, 0 if size > file.size_bytes else size)
            except UnavailableError:
                num_failures = 0 if part.stat().st_size > size else num_failures + 1
                if num_failures == MAX_FAILURES or self._is_over.wait(min(MAX_PAUSE_S, self._retry_pause_s * 2**num_failures)):
                    raise
        with part.open("rb") as whole:
            os.fsync(whole.fileno())

    def _read(self, snapshot: Snapshot, part: Path, file: HubFile, offset: int) -> None:
        """One connection's worth of a file."""
        with self._hub.open(snapshot, file.path, offset) as (start, chunks), part.open("r+b") as target:
            self._watcher.advanced(start - target.seek(0, os.SEEK_END))
            target.truncate(start)
            target.seek(start)
            for chunk in chunks:
                if self._is_over.is_set():
                    raise UnavailableError("hub: the download was given up")
                target.write(chunk)
                self._watcher.advanced(len(chunk))
                if target.tell() > file.size_bytes:
                    break
        if part.stat().st_size != file.size_bytes:
            raise UnavailableError(f"hub: {file.path} of {snapshot.repository} came with another length than {file.size_bytes:,} bytes")


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Translate the system's errors about our own files into ours."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno in NO_ROOM else error.strerror or "no reason was given"
        raise UnavailableError(f"models_dir: {folder} cannot be written; {reason}", detail=repr(error)) from error


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """The folder itself where it is there, else its unfinished one; for one process at a time."""
    unfinished = _unfinished(folder)
    if folder.exists() and unfinished.exists():
        raise ConflictError(f"models_dir: {folder} came into being beside {unfinished.name}; remove one of them")
    place = folder if folder.exists() else unfinished
    place.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_RDONLY)  # a lock on the folder itself goes with it when it is renamed
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"models_dir: {folder} is being pulled by another process") from error
        yield place
    finally:
        with suppress(OSError):
            unfinished.rmdir()  # only where nothing came into it
        os.close(handle)


def _former(place: Path) -> dict[str, Any]:
    """The manifest of an earlier pull; an empty one where it was cut short."""
    try:
        return read_manifest(place)
    except ModelFilesError:
        return {"revision": "", "sha256": {}}


def _unfinished(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{SUFFIX}")


def _unpublish(place: Path, folder: Path) -> Path:
    """Take a folder that is not what it should be out of its place, in one move."""
    return place.rename(_unfinished(folder)) if place == folder else place


def _publish(place: Path, parcel: Parcel) -> None:
    """Look once more, then move the folder into its place."""
    check = check_adapter if parcel.subfolder else check_files
    faults = [f"{report.path.relative_to(place)} {report.fault}" for report in check(place, contents=False) if report.fault]
    if faults:
        raise ModelFilesError(f"hub: {parcel.repository} holds no whole model: {' | '.join(faults[:3])}")
    for path in (place / MANIFEST, place):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    place.rename(parcel.folder)


def _tidy(place: Path, former: Mapping[str, str], files: Mapping[str, HubFile]) -> None:
    """Remove pieces of other files, and what an earlier revision had and this one has not."""
    stale = [place / name for name in former if name not in files]
    for path in (*stale, *place.rglob(f"*{SUFFIX}")):
        path.unlink(missing_ok=True)


def _check_room(place: Path, missing: Mapping[str, HubFile]) -> None:
    had_bytes = sum(path.stat().st_size for path in place.rglob(f"*{SUFFIX}") if path.is_file())
    due, free = sum(file.size_bytes for file in missing.values()) - had_bytes, shutil.disk_usage(place).free
    if due > free:
        raise UnavailableError(f"models_dir: {place.parent} has {free / 1e9:.1f} GB free, {due / 1e9:.1f} GB are to come; make room")


def _digest(path: Path, file: HubFile) -> str:
    """The SHA-256 of a file, or empty where it is not as the hub declares."""
    sha256, git = hashlib.sha256(), hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            sha256.update(chunk)
            if not file.sha256:
                git.update(chunk)
    is_declared = sha256.hexdigest() == file.sha256 if file.sha256 else git.hexdigest() == file.git_oid
    return sha256.hexdigest() if is_declared else ""
