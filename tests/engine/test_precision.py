"""Weights in other types: what is asked reaches every layer, is recorded, makes another model, and draws nearly the same clip."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cinelet.engine import Engine, WanModel, load_model
from cinelet.engine.precision import compute_dtype, half_dtype, is_dynamic, precision_of, shrink, stored_bytes
from cinelet.errors import ConflictError, InternalError, InvalidValueError
from cinelet.models import Adapters
from cinelet.video import LoraUse
from tests.engine.clips import advance, assert_equal_clip, assert_other_clip, generate, make_plan
from tests.engine.conftest import Checkpoint

CPU = torch.device("cpu")
KINDS = ("int8", "fp8")


@pytest.fixture(scope="module")
def quantised(checkpoints: dict[str, Checkpoint]) -> dict[str, WanModel]:
    """The dense checkpoint with its transformer and text encoder in 8 bits of each kind."""
    folder = checkpoints["dense"].folder
    return {kind: load_model(folder, CPU, weights=kind, text_weights=kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_eight_bits_reach_every_layer_and_are_recorded(quantised: dict[str, WanModel], kind: str) -> None:
    model = quantised[kind]
    for module in (*model.experts, model.text_encoder):
        assert precision_of(module).removesuffix(" in float32").removesuffix("-dynamic") == kind
    assert model.precision.startswith(kind)
    assert model.dtype == torch.float32
    video = generate(Engine(model), make_plan())
    assert video.precision == model.precision


@pytest.mark.parametrize("kind", KINDS)
def test_eight_bits_draw_nearly_the_same_clip(checkpoints: dict[str, Checkpoint], quantised: dict[str, WanModel], kind: str) -> None:
    full = generate(Engine(checkpoints["dense"].model), make_plan())
    small = generate(Engine(quantised[kind]), make_plan())
    other = generate(Engine(checkpoints["dense"].model), make_plan(prompt="two green dogs at night"))
    assert full.precision == "float32"
    moved, apart = (np.abs(clip.latents - full.latents).mean() for clip in (small, other))
    assert 0 < moved < 0.5 * apart


@pytest.mark.parametrize("two_experts", [False, True])
def test_a_model_with_other_weights_is_another_model(checkpoints: dict[str, Checkpoint], two_experts: bool) -> None:
    checkpoint = checkpoints["two_experts" if two_experts else "dense"]
    small = load_model(checkpoint.folder, CPU, weights="int8")
    assert small.digest != checkpoint.model.digest
    assert small.precision.endswith(", text float32")
    assert len({precision_of(expert) for expert in small.experts}) == 1


def test_a_trajectory_goes_on_only_in_the_precision_it_began_with(
    checkpoints: dict[str, Checkpoint], quantised: dict[str, WanModel], tmp_path
) -> None:
    engine = Engine(quantised["int8"])
    trajectory = advance(engine, engine.admit(make_plan()), 3)
    trajectory.save(tmp_path / "clip")
    with pytest.raises(ConflictError, match="int8"):
        Engine(checkpoints["dense"].model).resume(tmp_path / "clip")
    resumed = engine.finish(advance(engine, engine.resume(tmp_path / "clip")))
    assert_equal_clip(resumed, engine.finish(advance(engine, trajectory)))


def test_each_part_has_a_type_of_its_own(checkpoints: dict[str, Checkpoint]) -> None:
    model = load_model(checkpoints["dense"].folder, CPU, weights="bfloat16", text_weights="int8")
    assert model.precision == "bfloat16, text int8 in float32"
    assert model.dtype == torch.bfloat16
    assert next(model.vae.parameters()).dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_weights_in_eight_bits_are_counted_as_they_are_kept(kind: str) -> None:
    layer = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.Embedding(100, 64))
    before = stored_bytes(layer)
    shrink(layer, kind, CPU)
    rows = 512 + 100
    assert before == 4 * (256 * 512 + 512 + 100 * 64)
    assert 256 * 512 + 100 * 64 + 4 * 512 < stored_bytes(layer) <= 256 * 512 + 100 * 64 + 4 * 512 + 8 * rows


def test_a_shared_table_stays_one_table(quantised: dict[str, WanModel]) -> None:
    encoder = quantised["int8"].text_encoder
    assert encoder.encoder.embed_tokens.weight is encoder.shared.weight


def test_a_layer_that_was_left_out_is_found(quantised: dict[str, WanModel]) -> None:
    damaged = copy.deepcopy(quantised["int8"].experts[0])
    damaged.blocks[1].ffn.net[2] = torch.nn.Linear(64, 48)
    with pytest.raises(InternalError, match="float32, int8"):
        precision_of(damaged)


def test_weights_of_no_known_kind_are_refused(checkpoints: dict[str, Checkpoint]) -> None:
    with pytest.raises(InvalidValueError, match=r"int4.*fp8"):
        load_model(checkpoints["dense"].folder, CPU, weights="int4")


def test_a_type_that_is_named_is_computed_in_and_eight_bits_are_not() -> None:
    assert compute_dtype("auto", torch.bfloat16) == torch.bfloat16
    assert compute_dtype("float16", torch.float32) == torch.float16
    assert compute_dtype("int8", torch.float32) == torch.float32


def test_a_cpu_multiplies_eight_bits_only_against_float32() -> None:
    assert not is_dynamic("int8", CPU, torch.bfloat16)
    assert not is_dynamic("fp8", CPU, torch.float32)
    assert half_dtype(CPU) == torch.bfloat16


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_acts_on_weights_in_eight_bits_and_leaves_no_trace(checkpoints: dict[str, Checkpoint], kind: str, tmp_path) -> None:
    generator = torch.Generator().manual_seed(1)
    tensors = {
        f"blocks.{i}.attn1.{part}.lora_{side}.weight": torch.randn((2, 48) if side == "A" else (48, 2), generator=generator)
        for i in range(2)
        for part in ("to_q", "to_v")
        for side in "AB"
    }
    (tmp_path / "ink").mkdir()
    save_file(tensors, tmp_path / "ink" / "ink.safetensors")
    model = load_model(checkpoints["dense"].folder, CPU, weights=kind)
    plain = generate(Engine(model), make_plan())
    engine = Engine(load_model(checkpoints["dense"].folder, CPU, weights=kind), get_adapter=Adapters(tmp_path).get)
    assert_other_clip(generate(engine, make_plan(loras=(LoraUse("ink"),))), plain)
    assert_equal_clip(generate(engine, make_plan()), plain)
