"""Named folders in a bucket, such as LoRA adapters: copied to this machine when they are asked for. Nothing of what is in the files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.store import MemoryStore, S3Store

from cinelet.draft import explained
from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.storage.bucket import translated
from cinelet.storage.open import open_bucket

STATE = ".shelf.json"
"""What a copied folder was copied from: names, sizes and tags of the objects."""
MAX_FILES = 16
"""A folder with more is something else."""


class Shelf:
    """Folders `{name}/…` of an obstore store, copied into `folder`. Threads may share it."""

    def __init__(self, store: S3Store | MemoryStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._turn = threading.Lock()

    def fetch(self, name: str) -> None:
        """Make the copy of folder `name` what the bucket has: whole, or the older one stays. One that is not there has no copy.

        Raises `UnavailableError` where the bucket does not answer or changes meanwhile, and what writing the copy deserves.
        """
        with self._turn:
            objects = self._list(name)
            copy, state = self._folder / name, json.dumps(objects)
            if not objects:
                shutil.rmtree(copy, ignore_errors=True)
            elif _text_of(copy / STATE) != state:
                self._copy(name, objects, state)

    def _list(self, name: str) -> list[list[object]]:
        with translated(name):
            found = [entry for page in obstore.list(self._store, f"{name}/") for entry in page]
        files: list[list[object]] = [
            [entry["path"].rpartition("/")[2], entry["size"], entry["e_tag"]] for entry in found if entry["path"].count("/") == 1
        ]
        if len(files) > MAX_FILES:
            raise UnavailableError(f"loras: {name} has {len(files)} files in the bucket; a folder has at most {MAX_FILES}")
        return sorted(files, key=str)

    def _copy(self, name: str, objects: list[list[object]], state: str) -> None:
        copy = self._folder / name
        old = self._folder / f".{name}.old"
        with explained(copy):
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self._folder))
        try:
            for file, _, tag in objects:
                self._download(f"{name}/{file}", draft / str(file), tag)
            with explained(copy):
                (draft / STATE).write_text(state, encoding="utf-8")
                if copy.exists():
                    copy.replace(old)
                draft.replace(copy)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)

    def _download(self, key: str, path: Path, tag: object) -> None:
        with translated(key):
            pieces = obstore.get(self._store, key, options={"if_match": str(tag)} if tag else None)
        with translated(key), explained(path), path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


def open_shelf(url: str, folder: Path) -> Shelf:
    """The shelf of `s3://bucket/prefix?endpoint=…&region=…`, copied into `folder`. Raises `InvalidValueError`."""
    parts = urlsplit(url)
    if parts.scheme != "s3" or "@" in url:
        raise InvalidValueError(
            "loras", f"{parts.scheme}://…", "must be a folder or s3://bucket/prefix?endpoint=…&region=…; no credentials"
        )
    try:
        return Shelf(open_bucket(url, parts), folder)
    except InvalidValueError as error:
        raise InvalidValueError("loras", error.value, error.limit) from error


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
