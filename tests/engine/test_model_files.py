"""Checkpoint folders: what loads, what is refused, and when two folders are the same model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cinelet.engine import Engine, load_model
from cinelet.errors import CineletError, ModelFilesError
from tests.engine.clips import advance, assert_equal_clip, assert_same_clip, generate, make_plan, reference
from tests.engine.conftest import Checkpoint, make_louder
from tests.support.checkpoints import make_checkpoint

CPU = torch.device("cpu")
WEIGHTS = {
    "transformer": "transformer/diffusion_pytorch_model.safetensors",
    "transformer_2": "transformer_2/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
}
JSON_FILES = ("model_index.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer.json", "vae/config.json")


@pytest.fixture
def folder(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> Path:
    """A whole two-expert checkpoint that a test may damage."""
    return Path(shutil.copytree(checkpoints["two_experts"].folder, tmp_path / "model"))


def change_json(path: Path, **changes: Any) -> None:
    """Set some keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Change the tensors of a weights file, which stays a well-formed one."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def test_a_whole_checkpoint_loads_as_it_was_written(checkpoint: Checkpoint) -> None:
    model, pipeline = checkpoint.model, checkpoint.pipeline
    assert len(model.experts) == 1 + (pipeline.transformer_2 is not None)
    assert model.boundary == (None if pipeline.transformer_2 is None else 875)
    assert model.expand_timesteps == pipeline.config.expand_timesteps
    assert model.dtype == torch.float32
    assert not any(p.requires_grad for module in (*model.experts, model.vae, model.text_encoder) for p in module.parameters())


def test_the_shape_of_latents_holds_every_frame_asked_for(checkpoint: Checkpoint) -> None:
    model = checkpoint.model
    for num_frames, latent_frames in ((1, 1), (2, 2), (5, 2), (6, 3), (9, 3), (81, 21)):
        assert model.latent_shape(96, 64, num_frames) == (4, latent_frames, 8, 12)
    assert model.num_tokens((4, 21, 8, 12)) == 21 * 4 * 6


@pytest.mark.parametrize("part", WEIGHTS)
@pytest.mark.parametrize("damage", ["absent", "cut", "empty", "garbage", "pickle", "no folder", "no config", "broken config"])
def test_damaged_weights_are_refused(folder: Path, part: str, damage: str) -> None:
    path = folder / WEIGHTS[part]
    config = path.with_name("config.json")
    whole = path.read_bytes()
    match damage:
        case "absent":
            path.unlink()
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "garbage":
            path.write_bytes(b"\x80\x02garbage" * 1000)
        case "pickle":
            torch.save(load_file(path), path.with_name("pytorch_model.bin"))
            torch.save(load_file(path), path.with_name("diffusion_pytorch_model.bin"))
            path.unlink()
        case "no folder":
            shutil.rmtree(path.parent)
        case "no config":
            config.unlink()
        case "broken config":
            config.write_text("{")
    with pytest.raises(ModelFilesError, match="model: ") as caught:
        load_model(folder, CPU)
    assert caught.value.detail


@pytest.mark.parametrize("part", WEIGHTS)
def test_weights_that_lack_a_tensor_are_refused_and_not_filled_with_chance(folder: Path, part: str) -> None:
    change_weights(folder / WEIGHTS[part], lambda tensors: tensors.pop(sorted(tensors)[3]))
    with pytest.raises(ModelFilesError):
        load_model(folder, CPU)


@pytest.mark.parametrize("part", WEIGHTS)
def test_weights_of_a_wrong_shape_are_refused(folder: Path, part: str) -> None:
    change_weights(folder / WEIGHTS[part], lambda tensors: tensors.update({sorted(tensors)[3]: torch.zeros(3, 3)}))
    with pytest.raises(ModelFilesError):
        load_model(folder, CPU)


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\0", b"[]", b"null", b"{}"])
def test_a_broken_json_file_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ModelFilesError):
        load_model(folder, CPU)


@pytest.mark.parametrize("name", JSON_FILES)
def test_an_absent_json_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelFilesError):
        load_model(folder, CPU)


def test_no_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match="absent"):
        load_model(tmp_path / "absent", CPU)


@pytest.mark.parametrize(
    "changes",
    [
        {"transformer": [None, None], "transformer_2": [None, None]},
        {"transformer": None},
        {"transformer_2": [None, None]},
        {"boundary_ratio": "high"},
    ],
    ids=["no-transformer", "null", "boundary-without-second-expert", "boundary-no-number"],
)
def test_an_index_that_contradicts_itself_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    change_json(folder / "model_index.json", **changes)
    with pytest.raises(ModelFilesError):
        load_model(folder, CPU)


def test_the_same_files_are_the_same_model_wherever_they_lie(checkpoints: dict[str, Checkpoint], folder: Path) -> None:
    assert load_model(folder, CPU).digest == checkpoints["two_experts"].model.digest


@pytest.mark.parametrize("part", WEIGHTS)
def test_one_other_weight_is_another_model(checkpoints: dict[str, Checkpoint], folder: Path, part: str) -> None:
    def nudge(tensors: dict[str, torch.Tensor]) -> None:
        tensors[max(tensors)].flatten()[-1] += 1

    change_weights(folder / WEIGHTS[part], nudge)
    assert load_model(folder, CPU).digest != checkpoints["two_experts"].model.digest


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("model_index.json", {"boundary_ratio": 0.5}),
        ("scheduler/scheduler_config.json", {"solver_order": 3}),
        ("transformer/config.json", {"eps": 0.1}),
        ("vae/config.json", {"latents_mean": [0.0, 0.0, 0.0, 0.0]}),
    ],
    ids=["boundary", "solver", "transformer", "vae"],
)
def test_another_configuration_that_changes_clips_is_another_model(
    checkpoints: dict[str, Checkpoint], folder: Path, name: str, changes: dict[str, Any]
) -> None:
    former = checkpoints["two_experts"].model
    change_json(folder / name, **changes)
    model = load_model(folder, CPU)
    assert not (generate(Engine(model), make_plan()).frames == generate(Engine(former), make_plan()).frames).all()
    assert model.digest != former.digest


def test_a_time_for_each_token_is_another_model_although_it_changes_only_clips_that_begin_with_a_picture(
    checkpoints: dict[str, Checkpoint], folder: Path
) -> None:
    change_json(folder / "model_index.json", expand_timesteps=True)
    assert load_model(folder, CPU).digest != checkpoints["two_experts"].model.digest


def test_the_expert_changes_at_the_boundary(checkpoints: dict[str, Checkpoint]) -> None:
    model = checkpoints["two_experts"].model
    assert [model.expert_at(torch.tensor(t)) for t in (999.0, 875.0, 874.9, 0.0)] == [0, 0, 1, 1]
    assert [model.expert_at(torch.tensor(t)) for t in (875, 874)] == [0, 1]
    assert checkpoints["dense"].model.expert_at(torch.tensor(0)) == 0


def test_another_boundary_is_followed(checkpoints: dict[str, Checkpoint], folder: Path) -> None:
    change_json(folder / "model_index.json", boundary_ratio=0.6)
    pipeline = checkpoints["two_experts"].pipeline
    pipeline.register_to_config(boundary_ratio=0.6)
    try:
        expected = reference(pipeline, make_plan())
    finally:
        pipeline.register_to_config(boundary_ratio=0.875)
    assert_same_clip(generate(Engine(load_model(folder, CPU)), make_plan()), expected)


def test_half_precision_is_near_to_full_and_resumes_exactly(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "model", two_experts=True)
    make_louder(folder)
    model, whole = load_model(folder, CPU, torch.bfloat16), load_model(folder, CPU)
    engine, plan = Engine(model), make_plan()
    assert {p.dtype for p in model.vae.parameters()} == {torch.float32}
    assert {p.dtype for expert in model.experts for p in expert.proj_out.parameters()} == {torch.bfloat16}
    assert model.weights_bytes < whole.weights_bytes
    trajectory = advance(engine, engine.admit(plan), 3)
    assert trajectory.latents_CTHW.dtype == torch.float32
    trajectory.save(tmp_path / "clip")
    video = engine.finish(advance(engine, trajectory))
    assert_equal_clip(engine.finish(advance(engine, engine.resume(tmp_path / "clip"))), video)
    full = generate(Engine(whole), plan)
    other = generate(Engine(whole), make_plan(guidance_scale=5.0))
    assert abs(video.latents - full.latents).mean() < 0.2 * abs(other.latents - full.latents).mean()


def test_refusals_are_cinelets_own_errors_and_not_retryable() -> None:
    assert issubclass(ModelFilesError, CineletError)
    assert not ModelFilesError.is_retryable
