"""LoRA adapters in a real model: every dialect is the same adapter, what does not fit is an error, and nobody else notices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import WanPipeline
from safetensors.torch import save_file

from cinelet.engine import Engine, WanModel, load_model
from cinelet.engine.adapter_weights import wan_name
from cinelet.engine.lora import LoraSwitch
from cinelet.engine.process import EngineProcess
from cinelet.engine.spec import EngineSpec
from cinelet.errors import ConflictError, InvalidValueError, ModelFilesError, NotFoundError
from cinelet.models import Adapters
from cinelet.video import LoraUse, Video
from tests.engine.clips import (
    advance,
    assert_equal_clip,
    assert_other_clip,
    assert_same_clip,
    generate,
    make_plan,
    recorded_batches,
    reference,
)
from tests.engine.conftest import Checkpoint
from tests.support.checkpoints import make_transformer

Tensors = dict[str, torch.Tensor]
Write = Callable[..., None]
PLAN = make_plan(num_inference_steps=3)
INK = (LoraUse("ink"),)


LAYERS = {name: module for name, module in make_transformer().blocks.named_modules(prefix="blocks") if isinstance(module, torch.nn.Linear)}
"""The linear layers of the tiny checkpoints' blocks."""


def low_rank(seed: int = 1, ranks: tuple[int, int] = (2, 4)) -> Tensors:
    """Loud low-rank weights for every linear layer of the blocks, in diffusers' names; feed-forward layers have another rank."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, module in LAYERS.items():
        rank = ranks["ffn" in name]
        tensors[f"{name}.lora_A.weight"] = torch.randn(rank, module.in_features, generator=generator) * 0.3
        tensors[f"{name}.lora_B.weight"] = torch.randn(module.out_features, rank, generator=generator) * 0.3
    return tensors


def renamed(
    tensors: Tensors, form: str, down: str = "lora_A.weight", up: str = "lora_B.weight", spell: Callable[[str], str] = str
) -> Tensors:
    """The same weights in another dialect."""
    result = {}
    for key, tensor in tensors.items():
        layer, _, kind = key.rpartition(".lora_")
        result[form.format(layer=spell(layer), kind=down if kind.startswith("A") else up)] = tensor
    return result


def kohya(layer: str) -> str:
    return wan_name(layer).replace(".", "_")


DIALECTS: dict[str, Callable[[Tensors], Tensors]] = {
    "diffusers": lambda t: renamed(t, "transformer.{layer}.{kind}"),
    "bare": lambda t: t,
    "peft": lambda t: renamed(t, "base_model.model.{layer}.{kind}"),
    "wan": lambda t: renamed(t, "diffusion_model.{layer}.{kind}", spell=wan_name),
    "wan, bare": lambda t: renamed(t, "{layer}.{kind}", spell=wan_name),
    "wan, down and up": lambda t: renamed(t, "diffusion_model.{layer}.{kind}", "lora_down.weight", "lora_up.weight", wan_name),
    "diffsynth": lambda t: renamed(t, "pipe.dit.{layer}.{kind}", "lora_A.default.weight", "lora_B.default.weight", wan_name),
    "kohya": lambda t: renamed(t, "lora_unet_{layer}.{kind}", "lora_down.weight", "lora_up.weight", kohya),
    "alpha": lambda t: renamed(halved(t), "transformer.{layer}.{kind}") | alphas(t),
}


def halved(tensors: Tensors) -> Tensors:
    return {key: tensor / 2 if "lora_B" in key else tensor for key, tensor in tensors.items()}


def alphas(tensors: Tensors) -> Tensors:
    """Twice the rank, for every layer."""
    downs = {key.removesuffix(".lora_A.weight"): tensor for key, tensor in tensors.items() if "lora_A" in key}
    return {f"transformer.{layer}.alpha": torch.tensor(2.0 * tensor.shape[0]) for layer, tensor in downs.items()}


@pytest.fixture
def model(checkpoints: dict[str, Checkpoint]) -> WanModel:
    """A model of its own: adapters stay in it."""
    return load_model(checkpoints["dense"].folder, torch.device("cpu"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(tensors: Tensors, name: str = "ink", file: str = "weights") -> None:
        (tmp_path / name).mkdir(exist_ok=True)
        save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, tmp_path / name / f"{file}.safetensors")

    return write


@pytest.fixture
def engine(model: WanModel, tmp_path: Path) -> Engine:
    return Engine(model, get_adapter=Adapters(tmp_path).get)


@pytest.fixture(scope="module")
def stock(checkpoints: dict[str, Checkpoint]) -> Video:
    """The stock pipeline's clip with the adapter of `low_rank`, one rank (it reads one alpha for layers of several ranks)."""
    pipeline = WanPipeline.from_pretrained(checkpoints["dense"].folder)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(renamed(low_rank(ranks=(4, 4)), "transformer.{layer}.{kind}"))
    return reference(pipeline, PLAN)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_gives_the_stock_pipelines_clip(dialect: str, engine: Engine, write: Write, stock: Video) -> None:
    write(DIALECTS[dialect](low_rank(ranks=(4, 4))))
    assert_same_clip(generate(engine, dataclasses.replace(PLAN, loras=INK)), stock)


def test_a_clip_without_adapters_is_the_clip_of_an_engine_that_never_had_any(engine: Engine, write: Write, checkpoints) -> None:
    write(low_rank() | differences())
    adapted = generate(engine, dataclasses.replace(PLAN, loras=INK))
    never = generate(Engine(checkpoints["dense"].model), PLAN)
    assert_other_clip(adapted, never)
    assert_equal_clip(generate(engine, PLAN), never)


def differences() -> Tensors:
    generator = torch.Generator().manual_seed(9)
    return {
        "diffusion_model.blocks.0.self_attn.norm_q.diff": torch.randn(48, generator=generator),
        "diffusion_model.blocks.1.ffn.0.diff_b": torch.randn(64, generator=generator),
        "diffusion_model.blocks.1.diff_m": torch.randn(1, 6, 48, generator=generator),
        "diffusion_model.head.head.diff_b": torch.randn(16, generator=generator),
    }


def test_adapters_merged_at_load_draw_as_adapters_beside_the_weights(engine: Engine, write: Write, checkpoints, tmp_path: Path) -> None:
    write(low_rank() | differences())
    merged = load_model(checkpoints["dense"].folder, torch.device("cpu"), adapters=[tmp_path / "ink"])
    beside = generate(engine, dataclasses.replace(PLAN, loras=INK))
    assert_same_clip(generate(Engine(merged), PLAN), beside)
    assert merged.digest != engine.model.digest


def test_scales_count_and_adapters_add_up(engine: Engine, write: Write) -> None:
    write(low_rank())
    write({key: tensor / 2 if "lora_B" in key else tensor for key, tensor in low_rank().items()}, "half")
    whole = generate(engine, dataclasses.replace(PLAN, loras=INK))
    twice_half = generate(engine, dataclasses.replace(PLAN, loras=(LoraUse("half", 2.0),)))
    together = generate(engine, dataclasses.replace(PLAN, loras=(LoraUse("ink", 0.5), LoraUse("half"))))
    assert_same_clip(twice_half, whole)
    assert_same_clip(together, whole)
    assert_same_clip(generate(engine, dataclasses.replace(PLAN, loras=(LoraUse("ink", 0.0),))), generate(engine, PLAN))


def test_clips_of_different_adapters_never_share_a_forward_and_do_not_change_each_other(engine: Engine, write: Write) -> None:
    write(low_rank())
    write(low_rank(seed=2), "noir")
    plans = [
        dataclasses.replace(PLAN, seed=3 + i, loras=uses) for i, uses in enumerate([(), INK, (LoraUse("noir"),), (LoraUse("ink", 0.5),)])
    ]
    alone = [generate(engine, plan) for plan in plans]
    trajectories = [engine.admit(plan) for plan in plans]
    with recorded_batches(engine.model.experts[0]) as batches:
        while groups := engine.groups(trajectories):
            for group in groups:
                engine.step(group)
    assert set(batches) == {2}  # one clip, with and without its prompt
    for trajectory, clip in zip(trajectories, alone, strict=True):
        assert_equal_clip(engine.finish(trajectory), clip)


def test_clips_of_equal_adapters_share_a_forward(engine: Engine, write: Write) -> None:
    write(low_rank())
    trajectories = [engine.admit(dataclasses.replace(PLAN, seed=seed, loras=INK)) for seed in (1, 2)]
    assert len(engine.groups(trajectories)) == 1


def test_a_pair_acts_on_both_experts_each_with_its_own_half(checkpoints, write: Write, tmp_path: Path) -> None:
    model = load_model(checkpoints["two_experts"].folder, torch.device("cpu"))
    engine = Engine(model, get_adapter=Adapters(tmp_path).get)
    write(low_rank(seed=1), "pair", "a_high_noise")
    write(low_rank(seed=2), "pair", "a_low_noise")
    write(low_rank(seed=3), "other", "a_low_noise")
    write(low_rank(seed=1), "other", "a_high_noise")
    pipeline = WanPipeline.from_pretrained(checkpoints["two_experts"].folder)
    pipeline.set_progress_bar_config(disable=True)
    for name, seed in (("transformer", 1), ("transformer_2", 2)):
        weights = renamed(low_rank(seed=seed, ranks=(3, 3)), "transformer.{layer}.{kind}")
        pipeline.load_lora_weights(weights, adapter_name=name, load_into_transformer_2=name == "transformer_2")
    write(low_rank(seed=1, ranks=(3, 3)), "even", "high")
    write(low_rank(seed=2, ranks=(3, 3)), "even", "low")
    plan = make_plan(loras=(LoraUse("even"),))
    assert_same_clip(generate(engine, plan), reference(pipeline, plan))
    assert_other_clip(generate(engine, make_plan(loras=(LoraUse("pair"),))), generate(engine, make_plan(loras=(LoraUse("other"),))))


def test_an_adapter_for_another_number_of_experts_is_refused(engine: Engine, checkpoints, write: Write, tmp_path: Path) -> None:
    write(low_rank(), "single")
    write(low_rank(), "pair", "high")
    write(low_rank(), "pair", "low")
    two = Engine(load_model(checkpoints["two_experts"].folder, torch.device("cpu")), get_adapter=Adapters(tmp_path).get)
    with pytest.raises(InvalidValueError, match="two experts and takes a pair"):
        two.admit(make_plan(loras=(LoraUse("single"),)))
    with pytest.raises(InvalidValueError, match="one transformer and takes one file"):
        engine.admit(make_plan(loras=(LoraUse("pair"),)))


LAYER = "blocks.0.attn1.to_q"
A, B = torch.ones(2, 48), torch.ones(48, 2)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({f"{LAYER}.lora_A.weight": torch.ones(2, 64), f"{LAYER}.lora_B.weight": torch.ones(64, 2)}, "another size of model"),
        ({f"{LAYER}.lora_A.weight": A, f"{LAYER}.lora_B.weight": torch.ones(48, 3)}, "another size of model"),
        ({f"{LAYER}.lora_A.weight": A}, "only one of its two matrices"),
        ({"down_blocks.0.to_q.lora_A.weight": A, "down_blocks.0.to_q.lora_B.weight": B}, "none of its tensors fits, such as down_blocks"),
        ({f"{LAYER}.lora_A.weight": A, f"{LAYER}.lora_B.weight": B, "blocks.9.attn1.to_q.lora_A.weight": A}, "1 of 3 tensors fit nothing"),
        ({f"{LAYER}.lora_A.weight": A, f"{LAYER}.lora_B.weight": B, f"{LAYER}.dora_scale": A}, "1 of 3 tensors fit nothing"),
        ({f"{LAYER}.lokr_w1": A, f"{LAYER}.lokr_w2": B}, "none of its tensors fits"),
        ({f"{LAYER}.lora_A.weight": A * torch.nan, f"{LAYER}.lora_B.weight": B}, "finite numbers"),
        ({f"{LAYER}.lora_A.weight": A.int(), f"{LAYER}.lora_B.weight": B}, "finite numbers"),
        ({f"{LAYER}.lora_A.weight": A, f"{LAYER}.lora_B.weight": B, f"{LAYER}.lora_down.weight": A}, "says twice"),
        ({"patch_embedding.lora_A.weight": A, "patch_embedding.lora_B.weight": B}, "linear layers only"),
        ({f"{LAYER}.alpha": torch.tensor(1.0)}, "nothing that it acts on"),
        ({"blocks.0.attn1.norm_q.diff": torch.ones(7)}, "has the shape"),
        ({"blocks.0.attn1.norm_q.diff_b": torch.ones(48)}, "is not there"),
        ({"blocks.0.attn1.norm_q.diff": torch.zeros(48)}, "changes nothing"),
        ({}, "none of its tensors fits"),
    ],
)
def test_what_does_not_fit_is_an_error_and_leaves_nothing_behind(tensors: Tensors, reason: str, engine: Engine, write: Write) -> None:
    write(tensors)
    before = generate(engine, PLAN)
    with pytest.raises(InvalidValueError, match=reason) as caught:
        engine.admit(dataclasses.replace(PLAN, loras=INK))
    assert caught.value.field == "loras"
    assert engine.adapters.resident == []
    assert_equal_clip(generate(engine, PLAN), before)


def test_a_missing_or_damaged_adapter_fails_the_clip_that_names_it(engine: Engine, write: Write, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="ink"):
        engine.admit(dataclasses.replace(PLAN, loras=INK))
    write(low_rank())
    path = tmp_path / "ink/weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelFilesError, match="truncated"):
        engine.admit(dataclasses.replace(PLAN, loras=INK))


def test_an_engine_without_adapters_refuses_a_clip_that_names_one(model: WanModel) -> None:
    with pytest.raises(NotFoundError, match="there are none here"):
        Engine(model).admit(dataclasses.replace(PLAN, loras=INK))


def test_the_longest_unused_adapter_makes_room_and_comes_back_when_it_is_needed(model: WanModel, write: Write, tmp_path: Path) -> None:
    names = [f"n{i}" for i in range(10)]
    for seed, name in enumerate(names):
        write(low_rank(seed=seed), name)
    engine = Engine(model, get_adapter=Adapters(tmp_path).get)
    first = engine.admit(dataclasses.replace(PLAN, loras=(LoraUse("n0"),)))
    engine.step([first])
    for name in names[1:]:
        engine.admit(dataclasses.replace(PLAN, loras=(LoraUse(name),)))
    assert engine.adapters.resident == names[2:]
    assert len(model.experts[0].peft_config) == len(names[2:])
    assert_equal_clip(engine.finish(advance(engine, first)), generate(engine, dataclasses.replace(PLAN, loras=(LoraUse("n0"),))))


def test_a_saved_trajectory_continues_with_the_adapter_it_began_with_or_not_at_all(
    engine: Engine, checkpoints, write: Write, tmp_path: Path
) -> None:
    write(low_rank())
    plan = dataclasses.replace(PLAN, loras=INK)
    whole = generate(engine, plan)
    advance(engine, engine.admit(plan), 1).save(tmp_path / "saved")
    assert_equal_clip(engine.finish(advance(engine, engine.resume(tmp_path / "saved"))), whole)
    write(low_rank(seed=5))
    with pytest.raises(ConflictError, match="ink has changed"):
        Engine(load_model(checkpoints["dense"].folder, torch.device("cpu")), get_adapter=Adapters(tmp_path).get).resume(tmp_path / "saved")


def test_a_continued_trajectory_may_take_another_adapter(engine: Engine, write: Write) -> None:
    write(low_rank())
    changed = engine.branch(advance(engine, engine.admit(PLAN), 1), dataclasses.replace(PLAN, loras=INK))
    assert changed.plan.loras[0].digest
    assert_other_clip(engine.finish(advance(engine, changed)), generate(engine, PLAN))


def test_joined_projections_step_aside_while_an_adapter_acts(checkpoints, engine: Engine, write: Write, tmp_path: Path) -> None:
    write(low_rank())
    fused = load_model(checkpoints["dense"].folder, torch.device("cpu"))
    fused.experts[0].fuse_qkv_projections()
    other = Engine(fused, get_adapter=Adapters(tmp_path).get)
    plain = generate(other, PLAN)
    adapted = generate(other, dataclasses.replace(PLAN, loras=INK))
    assert_same_clip(adapted, generate(engine, dataclasses.replace(PLAN, loras=INK)))
    assert_equal_clip(generate(other, PLAN), plain)


def test_a_failed_load_leaves_no_expert_with_half_of_it(checkpoints, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(checkpoints["two_experts"].folder, torch.device("cpu"))
    write(low_rank(), "pair", "high")
    write(low_rank(), "pair", "low")
    switch = LoraSwitch(model.experts, model.dtype, Adapters(tmp_path).get)
    plan = make_plan(loras=(LoraUse("pair"),))
    with monkeypatch.context() as patch:
        patch.setattr(model.experts[1], "load_lora_adapter", lambda *_, **__: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            switch.settle(plan)
    assert switch.settle(plan).loras[0].digest


def test_an_engine_process_finds_adapters_in_the_folder_of_its_spec(engine: Engine, checkpoints, write: Write, tmp_path: Path) -> None:
    write(low_rank())
    plan = make_plan(num_inference_steps=1, loras=INK)
    process = EngineProcess(EngineSpec(folder=checkpoints["dense"].folder, num_threads=1, loras=tmp_path))
    process.start()
    try:
        process.admit("clip", plan)
        process.step(["clip"])
        assert_equal_clip(process.finish("clip", plan), generate(engine, plan))
        with pytest.raises(NotFoundError, match="did you mean ink"):
            process.admit("other", make_plan(loras=(LoraUse("imk"),)))
    finally:
        process.stop()
