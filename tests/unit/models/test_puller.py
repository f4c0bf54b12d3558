"""Pulling models from a hub that speaks the protocol, and that can break off, send rubbish and refuse."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cinelet.errors import ConflictError, ModelFilesError, NotFoundError, PermissionDeniedError, UnavailableError
from cinelet.models import puller as puller_module
from cinelet.models.catalogue import Catalogue
from cinelet.models.files import check_files, read_manifest
from cinelet.models.hub import Hub
from cinelet.models.parcel import Parcel, parcels
from cinelet.models.puller import Puller, Watcher
from tests.support.fake_hub import COMMIT, FakeHub, fake_hub
from tests.support.tiny_repository import BIG, checkpoint, safetensors

REPOSITORY = "wan/tiny"
WANTED = {name for name in checkpoint() if name.count("/") <= 1 and not name.endswith((".bin", ".md", ".gitattributes"))}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        hub.repositories[REPOSITORY] = checkpoint()
        yield hub


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    return Parcel(repository=REPOSITORY, revision=COMMIT, folder=tmp_path / "models" / "tiny")


def make_puller(hub: FakeHub, watcher: Watcher | None = None) -> Puller:
    return Puller(Hub(hub.url), watcher, retry_pause_s=0.0)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def unfinished(parcel: Parcel) -> Path:
    return parcel.folder.with_name(".tiny.part")


class Counted(Watcher):
    """Adds up what it hears."""

    def __init__(self) -> None:
        self.total_bytes = self.num_bytes = 0
        self._lock = threading.Lock()

    def began(self, title: str, total_bytes: int) -> None:
        self.total_bytes += total_bytes

    def advanced(self, num_bytes: int) -> None:
        with self._lock:
            self.num_bytes += num_bytes


def test_a_pull_brings_every_file_that_is_needed_and_no_pickle(hub: FakeHub, parcel: Parcel) -> None:
    watcher = Counted()
    pulled = make_puller(hub, watcher).pull(parcel)
    assert files_of(parcel.folder) == WANTED | {"manifest.json"}
    assert set(hub.fetched()) == WANTED
    assert all((parcel.folder / name).read_bytes() == hub.repositories[REPOSITORY][name] for name in WANTED)
    assert (pulled.commit, pulled.num_files, pulled.fetched_bytes) == (COMMIT, len(WANTED), watcher.total_bytes)
    assert watcher.num_bytes == watcher.total_bytes
    assert not unfinished(parcel).exists()


def test_the_manifest_records_where_the_files_came_from_and_the_digest_of_each(hub: FakeHub, parcel: Parcel) -> None:
    make_puller(hub).pull(parcel)
    manifest = read_manifest(parcel.folder)
    assert (manifest["source"], manifest["revision"], set(manifest["sha256"])) == (REPOSITORY, COMMIT, WANTED)
    assert not [report for report in check_files(parcel.folder, contents=True) if report.fault]


def test_a_second_pull_reads_what_is_there_and_fetches_nothing(hub: FakeHub, parcel: Parcel) -> None:
    make_puller(hub).pull(parcel)
    hub.seen.clear()
    watcher = Counted()
    assert make_puller(hub, watcher).pull(parcel).fetched_bytes == 0
    assert (hub.seen, watcher.num_bytes) == ([], watcher.total_bytes)


def test_a_damaged_and_a_missing_file_are_fetched_again_and_nothing_else(hub: FakeHub, parcel: Parcel) -> None:
    make_puller(hub).pull(parcel)
    hub.seen.clear()
    content = bytearray((parcel.folder / BIG).read_bytes())
    content[-1] ^= 1
    (parcel.folder / BIG).write_bytes(content)
    (parcel.folder / "vae/config.json").unlink()
    make_puller(hub).pull(parcel)
    assert sorted(hub.fetched()) == [BIG, "vae/config.json"]
    assert (parcel.folder / BIG).read_bytes() == hub.repositories[REPOSITORY][BIG]


def test_a_broken_connection_goes_on_in_the_middle_of_the_file(hub: FakeHub, parcel: Parcel) -> None:
    hub.cuts[BIG] = [200_000, 100_000]
    watcher = Counted()
    make_puller(hub, watcher).pull(parcel)
    offsets = [int(asked.removeprefix("bytes=").rstrip("-") or 0) for path, asked in hub.seen if path == BIG]
    assert offsets[0] == 0
    assert 0 < offsets[1] <= 200_000
    assert offsets[1] < offsets[2] <= 300_000
    assert watcher.num_bytes == watcher.total_bytes


def test_a_hub_without_ranges_sends_the_file_from_its_beginning(hub: FakeHub, parcel: Parcel) -> None:
    hub.cuts[BIG] = [200_000]
    hub.ranges = False
    watcher = Counted()
    make_puller(hub, watcher).pull(parcel)
    assert (parcel.folder / BIG).read_bytes() == hub.repositories[REPOSITORY][BIG]
    assert watcher.num_bytes == watcher.total_bytes


def test_what_an_ended_pull_left_is_used_by_the_next_one(hub: FakeHub, parcel: Parcel) -> None:
    hub.cuts[BIG] = [200_000, *[0] * puller_module.MAX_FAILURES]
    with pytest.raises(UnavailableError):
        make_puller(hub).pull(parcel)
    assert not parcel.folder.exists()
    (left,) = unfinished(parcel).glob("transformer/*.part")
    had_bytes = left.stat().st_size
    hub.seen.clear()
    make_puller(hub).pull(parcel)
    assert (BIG, f"bytes={had_bytes}-") in hub.seen
    assert files_of(parcel.folder) == WANTED | {"manifest.json"}


def test_a_piece_that_was_spoilt_on_the_disk_is_fetched_from_its_beginning(hub: FakeHub, parcel: Parcel) -> None:
    hub.cuts[BIG] = [200_000, *[0] * puller_module.MAX_FAILURES]
    with pytest.raises(UnavailableError):
        make_puller(hub).pull(parcel)
    (left,) = unfinished(parcel).glob("transformer/*.part")
    left.write_bytes(bytes(left.stat().st_size))
    make_puller(hub).pull(parcel)
    assert (parcel.folder / BIG).read_bytes() == hub.repositories[REPOSITORY][BIG]


@pytest.mark.parametrize("name", [BIG, "vae/config.json"])
def test_a_file_that_is_not_what_the_hub_declares_is_never_installed(hub: FakeHub, parcel: Parcel, name: str) -> None:
    hub.corrupt[name] = 1
    with pytest.raises(UnavailableError, match=f"{name} of {REPOSITORY} came damaged"):
        make_puller(hub).pull(parcel)
    assert not parcel.folder.exists()
    make_puller(hub).pull(parcel)
    assert (parcel.folder / name).read_bytes() == hub.repositories[REPOSITORY][name]


def test_a_repository_that_gates_hides_or_lacks_what_is_asked_for_says_so(hub: FakeHub, parcel: Parcel) -> None:
    refusals = [
        ((403, "GatedRepo"), PermissionDeniedError, "is gated; accept its terms at"),
        ((404, "RepoNotFound"), NotFoundError, "does not exist, or is private: then set an HF_TOKEN"),
        ((401, ""), NotFoundError, "does not exist, or is private: then set an HF_TOKEN"),
        ((404, "RevisionNotFound"), NotFoundError, "has no such revision"),
        ((403, ""), PermissionDeniedError, "may not be read with this HF_TOKEN"),
        ((503, ""), UnavailableError, "answered 503; try again later"),
    ]
    for refusal, error, sentence in refusals:
        hub.refusals[REPOSITORY] = refusal
        with pytest.raises(error, match=sentence):
            make_puller(hub).pull(parcel)
    assert not list(parcel.folder.parent.iterdir())


def test_no_network_is_one_clear_line(parcel: Parcel) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached \\(no connection\\); check the network, or name a mirror in HF_ENDPOINT"):
        Puller(Hub("http://127.0.0.1:9")).pull(parcel)


def test_a_repository_of_pickles_or_half_a_model_is_no_model(hub: FakeHub, parcel: Parcel) -> None:
    files = hub.repositories[REPOSITORY]
    hub.repositories[REPOSITORY] = {name: content for name, content in files.items() if not name.endswith(".safetensors")}
    with pytest.raises(ModelFilesError, match="holds no checkpoint of safetensors"):
        make_puller(hub).pull(parcel)
    hub.repositories[REPOSITORY] = {name: content for name, content in files.items() if not name.startswith("vae/")}
    with pytest.raises(ModelFilesError, match=r"holds no whole model: vae/\*\.safetensors is missing"):
        make_puller(hub).pull(parcel)
    assert not parcel.folder.exists()


def test_too_little_room_is_said_before_anything_is_fetched(hub: FakeHub, parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(puller_module.shutil, "disk_usage", lambda path: puller_module.shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(UnavailableError, match=r"has 0\.0 GB free, 0\.0 GB are to come; make room"):
        make_puller(hub).pull(parcel)
    assert not hub.seen


def test_two_pulls_of_one_model_do_not_meet(hub: FakeHub, parcel: Parcel) -> None:
    hub.stalled = {BIG}
    first = threading.Thread(target=lambda: make_puller(hub).pull(parcel))
    first.start()
    assert hub.halfway.wait(30)
    with pytest.raises(ConflictError, match="is being pulled by another process"):
        make_puller(hub).pull(parcel)
    hub.stalled = set()
    hub.release.set()
    first.join(30)
    assert files_of(parcel.folder) == WANTED | {"manifest.json"}


def test_a_branch_is_followed_once_and_the_commit_it_named_is_kept(hub: FakeHub, parcel: Parcel) -> None:
    unpinned = Parcel(repository=parcel.repository, revision="", folder=parcel.folder)
    assert make_puller(hub).pull(unpinned).commit == COMMIT
    hub.commits |= {"old": COMMIT, "main": "f" * 40}
    assert make_puller(hub).pull(unpinned).commit == COMMIT
    newer = Parcel(repository=parcel.repository, revision="f" * 40, folder=parcel.folder)
    del hub.repositories[REPOSITORY]["tokenizer/spiece.model"]
    assert make_puller(hub).pull(newer).commit == "f" * 40
    assert files_of(parcel.folder) == (WANTED | {"manifest.json"}) - {"tokenizer/spiece.model"}


def test_a_checkpoint_that_was_copied_by_hand_is_read_and_kept(hub: FakeHub, parcel: Parcel) -> None:
    for name in WANTED:
        path = parcel.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hub.repositories[REPOSITORY][name])
    assert make_puller(hub).pull(parcel).fetched_bytes == 0
    assert read_manifest(parcel.folder)["revision"] == COMMIT
    assert not hub.seen


def test_a_token_of_the_environment_is_shown_to_the_hub(hub: FakeHub, parcel: Parcel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    make_puller(hub).pull(parcel)
    assert hub.tokens == {"Bearer hf_abc"}


def test_a_model_made_of_another_pulls_the_base_and_the_pair_of_its_adapters(hub: FakeHub, tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    card = catalogue.get("wan2.2-t2v-a14b-lightning")
    base, adapter = parcels(card, catalogue)
    (name,) = card.loras
    hub.commits |= {"base": base.revision, "adapter": adapter.revision}
    hub.repositories[base.repository] = checkpoint()
    pair = {f"{name}/{half}_noise_model.safetensors": safetensors(half) for half in ("high", "low")}
    hub.repositories[adapter.repository] = {"README.md": b"", "other/high_noise_model.safetensors": safetensors("x"), **pair}
    assert not card.is_installed
    for parcel in (base, adapter):
        make_puller(hub).pull(parcel)
    assert card.is_installed
    assert files_of(card.adapters[0]) == {"high_noise_model.safetensors", "low_noise_model.safetensors", "manifest.json"}
