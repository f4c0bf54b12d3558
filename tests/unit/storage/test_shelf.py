from __future__ import annotations

from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.storage import Shelf, open_shelf


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    obstore.put(store, "ink/ink.safetensors", b"one")
    obstore.put(store, "ink/adapter.json", b"{}")
    obstore.put(store, "ink/deep/er.bin", b"no")
    obstore.put(store, "inkwell/other.safetensors", b"other")
    return store


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_folder_of_the_bucket_is_copied_whole(store: MemoryStore, tmp_path: Path) -> None:
    Shelf(store, tmp_path).fetch("ink")
    assert names(tmp_path) == {"ink"}
    assert names(tmp_path / "ink") == {"ink.safetensors", "adapter.json"}
    assert (tmp_path / "ink/ink.safetensors").read_bytes() == b"one"


def test_an_unchanged_folder_is_not_copied_again(store: MemoryStore, tmp_path: Path) -> None:
    Shelf(store, tmp_path).fetch("ink")
    before = (tmp_path / "ink").stat().st_ino
    Shelf(store, tmp_path).fetch("ink")
    assert (tmp_path / "ink").stat().st_ino == before


def test_a_changed_folder_is_copied_anew_and_a_removed_one_goes(store: MemoryStore, tmp_path: Path) -> None:
    shelf = Shelf(store, tmp_path)
    shelf.fetch("ink")
    obstore.put(store, "ink/ink.safetensors", b"two")
    shelf.fetch("ink")
    assert (tmp_path / "ink/ink.safetensors").read_bytes() == b"two"
    obstore.delete(store, ["ink/ink.safetensors", "ink/adapter.json", "ink/deep/er.bin"])
    shelf.fetch("ink")
    assert names(tmp_path) == set()


def test_what_is_not_there_makes_no_folder(store: MemoryStore, tmp_path: Path) -> None:
    Shelf(store, tmp_path).fetch("noir")
    assert names(tmp_path) == set()


def test_a_copy_that_fails_leaves_the_older_one(store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(store, tmp_path)
    shelf.fetch("ink")
    obstore.put(store, "ink/ink.safetensors", b"two")

    def fail(*_: object, **__: object) -> None:
        raise OSError("the line is cut")

    monkeypatch.setattr(obstore, "get", fail)
    with pytest.raises(UnavailableError):
        shelf.fetch("ink")
    assert (tmp_path / "ink/ink.safetensors").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["ink"]


@pytest.mark.parametrize("url", ["https://example.com/a", "s3://x", "s3://key:secret@bucket/a", "s3://bucket/a?what=1"])
def test_an_address_that_is_no_bucket_is_refused_by_its_setting(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError) as caught:
        open_shelf(url, tmp_path)
    assert caught.value.field == "loras"
    assert "secret" not in caught.value.message
