"""What `check` finds in a checkpoint's folder, and what it says to do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cinelet.errors import ModelFilesError, NotFoundError
from cinelet.models import Catalogue, ModelCard, check_model, require_model, revision
from cinelet.models.files import check_files, read_manifest, write_manifest
from tests.support.tiny_repository import safetensors

SHARDS = ("diffusion_pytorch_model-00001-of-00002.safetensors", "diffusion_pytorch_model-00002-of-00002.safetensors")
INDEX = "transformer/diffusion_pytorch_model.safetensors.index.json"


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    """A card whose folder holds a whole checkpoint with weights in two files."""
    card = Catalogue(tmp_path).get("wan2.2-ti2v-5b")
    folder = card.folder / "transformer"
    folder.mkdir(parents=True)
    (card.folder / "model_index.json").write_text(json.dumps({"transformer": ["diffusers", "WanTransformer3DModel"]}))
    (folder / SHARDS[0]).write_bytes(safetensors("a", "b"))
    (folder / SHARDS[1]).write_bytes(safetensors("c"))
    (card.folder / INDEX).write_text(json.dumps({"weight_map": {"a": SHARDS[0], "b": SHARDS[0], "c": SHARDS[1]}}))
    return card


def faults(card: ModelCard) -> list[str]:
    return [f"{report.path.name} {report.fault}" for report in check_model(card, contents=True) if report.fault]


def test_a_whole_checkpoint_has_no_fault_with_or_without_a_manifest(card: ModelCard) -> None:
    assert faults(card) == []
    write_manifest(card.folder)
    assert faults(card) == []
    require_model(card)


def test_a_missing_shard_is_named_with_the_tensors_it_should_hold(card: ModelCard) -> None:
    write_manifest(card.folder)
    (card.folder / "transformer" / SHARDS[0]).unlink()
    assert faults(card) == [f"{SHARDS[0]} is missing; {Path(INDEX).name} names 2 tensors in it"]


def test_a_shard_that_lacks_tensors_is_named_with_one_of_them(card: ModelCard) -> None:
    (card.folder / "transformer" / SHARDS[0]).write_bytes(safetensors("a"))
    assert faults(card) == [f"{SHARDS[0]} lacks 1 of 2 tensors that {Path(INDEX).name} names: b"]


def test_a_damaged_shard_is_reported_once(card: ModelCard) -> None:
    path = card.folder / "transformer" / SHARDS[0]
    path.write_bytes(path.read_bytes()[:-1])
    assert len(faults(card)) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": []}}'])
def test_a_broken_index_is_a_fault_of_its_own(card: ModelCard, content: str) -> None:
    (card.folder / INDEX).write_text(content)
    assert faults(card) == [f"{Path(INDEX).name} is no index of weights"]


def test_an_adapter_of_a_model_is_checked_with_it(tmp_path: Path, card: ModelCard) -> None:
    with_adapter = replace(card, adapters=(tmp_path / "loras" / "style",))
    assert faults(with_adapter) == ["*.safetensors is missing"]
    with_adapter.adapters[0].mkdir(parents=True)
    (with_adapter.adapters[0] / "style.safetensors").write_bytes(b"\x80\x02rubbish")
    assert faults(with_adapter) == ["style.safetensors is a pickle under a safetensors name; weights must be safetensors"]


def test_what_to_do_is_said_for_each_kind_of_model(tmp_path: Path, card: ModelCard) -> None:
    (card.folder / "transformer" / SHARDS[1]).unlink()
    with pytest.raises(ModelFilesError, match=r"`cinelet models pull wan2\.2-ti2v-5b` fetches what is missing or damaged"):
        require_model(card)
    with pytest.raises(NotFoundError, match=r"is not installed in .*`cinelet models pull wan2\.1-t2v-1\.3b`"):
        require_model(Catalogue(tmp_path).get("wan2.1-t2v-1.3b"))
    with pytest.raises(ModelFilesError, match="copy the checkpoint again"):
        require_model(replace(card, source="folder"))
    with pytest.raises(ModelFilesError, match="reinstall cinelet"):
        require_model(replace(card, source="package"))


def test_a_manifest_records_its_origin_and_never_itself(card: ModelCard) -> None:
    write_manifest(card.folder)
    write_manifest(card.folder, source="wan/tiny", revision="c0ffee")
    manifest = read_manifest(card.folder)
    assert (manifest["source"], manifest["revision"]) == ("wan/tiny", "c0ffee")
    assert "manifest.json" not in manifest["sha256"]


def test_another_adapter_is_another_model(tmp_path: Path, card: ModelCard) -> None:
    adapter = tmp_path / "loras" / "style"
    adapter.mkdir(parents=True)
    (adapter / "style.safetensors").write_bytes(safetensors("x"))
    alone, before = revision(card.folder), revision(card.folder, adapter)
    (adapter / "style.safetensors").write_bytes(safetensors("x", "y"))
    assert len({alone, before, revision(card.folder, adapter)}) == 3


def test_no_checkpoint_is_said_by_its_missing_index(tmp_path: Path) -> None:
    assert [report.fault for report in check_files(tmp_path, contents=True)] == ["is missing"]
