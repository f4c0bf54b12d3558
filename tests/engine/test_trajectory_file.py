"""What a trajectory file survives, and what it refuses. The clips in it are the matter of `test_resume.py`."""

from __future__ import annotations

import dataclasses
import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cinelet.engine import Engine
from cinelet.engine import trajectory as trajectory_module
from cinelet.errors import ConflictError, ModelFilesError, UnavailableError
from cinelet.video import LoraUse, Plan
from tests.engine.clips import advance, assert_equal_clip, generate, make_plan

PLAN = make_plan(sampler="unipc")


@pytest.fixture
def saved(engine: Engine, tmp_path: Path) -> Path:
    """A whole trajectory file, alone in its folder."""
    path = tmp_path / "checkpoint" / "clip"
    path.parent.mkdir()
    advance(engine, engine.admit(PLAN), 2).save(path)
    return path


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]) -> None:
    """Change the tensors and the description in a trajectory file, which stays a well-formed safetensors file."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["cinelet"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    change(tensors, about)
    save_file(tensors, path, metadata={"cinelet": json.dumps(about)})


def test_a_file_cut_short_anywhere_is_refused(engine: Engine, saved: Path) -> None:
    whole = saved.read_bytes()
    for length in [0, 1, 7, 8, 9, *range(16, len(whole), len(whole) // 40), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        with pytest.raises(ModelFilesError, match=r"checkpoint: .*clip"):
            engine.resume(saved)


def test_a_file_with_bytes_added_is_refused(engine: Engine, saved: Path) -> None:
    saved.write_bytes(saved.read_bytes() + b"more")
    with pytest.raises(ModelFilesError):
        engine.resume(saved)


def test_a_damaged_header_is_never_a_foreign_error(engine: Engine, saved: Path) -> None:
    rng = random.Random(7)
    whole = saved.read_bytes()
    header_size = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(header_size)] = rng.randrange(256)
        saved.write_bytes(damaged)
        with suppress(ModelFilesError, ConflictError):
            engine.resume(saved)


def test_a_single_flipped_bit_is_found(engine: Engine, saved: Path) -> None:
    rng = random.Random(8)
    whole = saved.read_bytes()
    header_size = 8 + int.from_bytes(whole[:8], "little")
    for position in [header_size, len(whole) - 1, *(rng.randrange(header_size, len(whole)) for _ in range(20))]:
        damaged = bytearray(whole)
        damaged[position] ^= 1 << rng.randrange(8)
        saved.write_bytes(damaged)
        with pytest.raises(ModelFilesError):
            engine.resume(saved)


@pytest.mark.parametrize("content", [b"", b"not a tensor file", b"\0" * 4096, b"PK\3\4" + bytes(1000)])
def test_a_file_of_another_format_is_refused(engine: Engine, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip"
    path.write_bytes(content)
    with pytest.raises(ModelFilesError, match="cinelet-trajectory-1"):
        engine.resume(path)


def test_a_safetensors_file_that_is_no_trajectory_is_refused(engine: Engine, tmp_path: Path) -> None:
    for metadata in (None, {"format": "pt"}, {"cinelet": "null"}, {"cinelet": "[]"}, {"cinelet": "{}"}, {"cinelet": "{"}):
        save_file({"latents": torch.zeros(4)}, tmp_path / "clip", metadata=metadata)
        with pytest.raises(ModelFilesError):
            engine.resume(tmp_path / "clip")


def test_no_file_and_a_folder_are_refused(engine: Engine, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelFilesError):
            engine.resume(path)


def test_a_file_of_a_later_format_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectory_module, "FORMAT", "cinelet-trajectory-2")
        engine.admit(PLAN).save(tmp_path / "clip")
    with pytest.raises(ModelFilesError, match="cinelet-trajectory-1"):
        engine.resume(tmp_path / "clip")


@pytest.mark.parametrize("tensor", ["latents", "prompt", "generator", "sampler.last_sample.0"])
def test_a_file_without_one_of_its_tensors_is_refused(engine: Engine, saved: Path, tensor: str) -> None:
    rewrite(saved, lambda tensors, _: tensors.pop(tensor))
    with pytest.raises(ModelFilesError):
        engine.resume(saved)


@pytest.mark.parametrize("key", ["plan", "model_digest", "counters", "stage_durations_s"])
def test_a_file_without_one_part_of_its_description_is_refused(engine: Engine, saved: Path, key: str) -> None:
    rewrite(saved, lambda _, about: about.pop(key))
    with pytest.raises(ModelFilesError):
        engine.resume(saved)


@pytest.mark.parametrize("change", [{"sampler": "heun"}, {"colour": "red"}, {"num_inference_steps": "many"}], ids=str)
def test_a_file_with_an_impossible_plan_is_refused(engine: Engine, saved: Path, change: dict[str, object]) -> None:
    rewrite(saved, lambda _, about: about["plan"].update(change))
    with pytest.raises(ModelFilesError):
        engine.resume(saved)


def test_a_file_of_another_model_is_a_conflict_that_names_both(engine: Engine, two_expert_engine: Engine, saved: Path) -> None:
    assert engine.model.digest != two_expert_engine.model.digest
    with pytest.raises(ConflictError) as caught:
        two_expert_engine.resume(saved)
    assert engine.model.digest in str(caught.value)
    assert two_expert_engine.model.digest in str(caught.value)


def test_saving_again_replaces_the_file_and_leaves_no_other(engine: Engine, saved: Path) -> None:
    older = saved.read_bytes()
    advance(engine, engine.resume(saved), 1).save(saved)
    assert saved.read_bytes() != older
    assert engine.resume(saved).step == 3
    assert list(saved.parent.iterdir()) == [saved]


def write_half(tensors: dict[str, torch.Tensor], path: Path, **_: object) -> None:
    """A disk that fills up in the middle."""
    Path(path).write_bytes(b"half")
    raise OSError(28, "No space left on device")


def refuse(*_: object) -> None:
    """A disk that has gone away."""
    raise OSError(5, "Input/output error")


def interrupt(*_: object) -> None:
    """A person who has had enough."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("place", "failure", "error"),
    [
        ((trajectory_module, "save_file"), write_half, UnavailableError),
        ((os, "fsync"), refuse, UnavailableError),
        ((os, "replace"), refuse, UnavailableError),
        ((os, "replace"), interrupt, KeyboardInterrupt),
    ],
    ids=["disk-full", "not-synced", "not-renamed", "interrupted"],
)
def test_a_failed_save_leaves_the_older_file_and_no_other(
    engine: Engine, saved: Path, place: tuple[Any, str], failure: Any, error: type[BaseException]
) -> None:
    older = saved.read_bytes()
    newer = advance(engine, engine.resume(saved), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*place, failure)
        with pytest.raises(error):
            newer.save(saved)
    assert saved.read_bytes() == older
    assert list(saved.parent.iterdir()) == [saved]
    assert_equal_clip(engine.finish(advance(engine, newer)), generate(engine, PLAN))


def test_the_file_appears_only_when_it_is_whole(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replace, fsync = tmp_path / "clip", os.replace, os.fsync
    synced: list[int] = []
    seen: list[tuple[bool, bool, int]] = []

    def note(descriptor: int) -> None:
        synced.append(len(seen))
        fsync(descriptor)

    def look(source: Path, target: Path) -> None:
        seen.append((path.exists(), Path(source).parent == path.parent, engine.resume(Path(source)).step))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", look)
    advance(engine, engine.admit(PLAN), 1).save(path)
    assert seen == [(False, True, 1)]
    assert 0 in synced


def test_a_plan_survives_the_file_with_every_field(engine: Engine, tmp_path: Path) -> None:
    plan = make_plan(
        prompt='一只 "red" \\ 🐈\n', negative_prompt="模糊", seed=2**63 - 1, variation_seed=12, variation_strength=0.1, flow_shift=0.1 + 0.2
    )
    engine.admit(plan).save(tmp_path / "clip")
    assert engine.resume(tmp_path / "clip").plan == plan
    full = dataclasses.replace(
        plan, loras=(LoraUse("ink", 0.5, "ab"),), vae="half", step_cache="mild", timesteps=(1000.0, 757.5), image="cd", window_frames=17
    )
    assert all(getattr(full, f.name) != f.default for f in dataclasses.fields(full))
    assert Plan(**json.loads(json.dumps(dataclasses.asdict(full)))) == full
