"""Each switch of the speed path draws the clip that the plain engine draws, says so in the result, and refuses what it cannot do."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest
import torch

from cinelet.engine import Engine, backend, load_model
from cinelet.engine.acceleration import Acceleration
from cinelet.engine.backend import CANDIDATES, MAX_ERROR, Trial, choose, try_kernels
from cinelet.errors import InvalidValueError, UnavailableError
from tests.engine.clips import assert_equal_clip, assert_same_clip, generate, make_plan
from tests.engine.conftest import Checkpoint

CPU = torch.device("cpu")
PLAN = make_plan(num_inference_steps=3)


def accelerated(folder: Path, **switches: object) -> Engine:
    """An engine on a model of its own: switches stay on."""
    return Engine(load_model(folder, CPU), acceleration=Acceleration(**switches))


@pytest.mark.parametrize("layout", ["dense", "two_experts", "expanded"])
@pytest.mark.parametrize(
    ("switches", "told"),
    [
        ({"join_projections": True}, "attention native, joined projections"),
        ({"channels_last": True}, "attention native, channels-last decoder"),
        ({"attention": "_native_math"}, "attention _native_math"),
    ],
)
def test_every_switch_draws_the_clip_of_the_plain_engine_and_is_told(
    checkpoints: dict[str, Checkpoint], layout: str, switches: dict[str, object], told: str
) -> None:
    video = generate(accelerated(checkpoints[layout].folder, **switches), PLAN)
    assert_same_clip(video, generate(Engine(checkpoints[layout].model), PLAN))
    assert video.speed_path == told


def test_all_switches_together_draw_the_clip_of_the_plain_engine(checkpoints: dict[str, Checkpoint]) -> None:
    engine = accelerated(checkpoints["dense"].folder, join_projections=True, channels_last=True, compile="blocks", compiler="eager")
    video = generate(engine, PLAN)
    assert_same_clip(video, generate(Engine(checkpoints["dense"].model), PLAN))
    assert video.speed_path == "attention native, joined projections, channels-last decoder, compiled blocks"


def test_on_a_cpu_the_automatic_choice_changes_nothing(checkpoints: dict[str, Checkpoint], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "try_kernels", None)  # no race is run where there is one kernel
    video = generate(Engine(checkpoints["dense"].model), PLAN)
    assert video.speed_path == "attention native"
    assert_equal_clip(video, generate(Engine(checkpoints["dense"].model, acceleration=Acceleration(attention="native")), PLAN))


def test_joined_projections_hold_no_weight_twice(checkpoints: dict[str, Checkpoint]) -> None:
    joined = accelerated(checkpoints["dense"].folder, join_projections=True)
    assert joined.model.weights_bytes == checkpoints["dense"].model.weights_bytes
    attention = joined.model.experts[0].blocks[0].attn1
    assert not hasattr(attention, "to_q")
    assert not attention.to_qkv.weight.requires_grad


def test_a_second_engine_on_an_accelerated_model_changes_nothing(checkpoints: dict[str, Checkpoint]) -> None:
    switches = Acceleration(join_projections=True, channels_last=True, compile="blocks", compiler="eager")
    model = load_model(checkpoints["dense"].folder, CPU)
    first, second = Engine(model, acceleration=switches), Engine(model, acceleration=switches)
    assert_equal_clip(generate(first, PLAN), generate(second, PLAN))


def test_weights_that_are_no_plain_products_are_not_joined(checkpoints: dict[str, Checkpoint]) -> None:
    model = load_model(checkpoints["dense"].folder, CPU)
    attention = model.experts[0].blocks[1].attn1
    attention.to_k = torch.nn.Sequential(attention.to_k)
    with pytest.raises(InvalidValueError, match="quantised or carry adapters"):
        Engine(model, acceleration=Acceleration(join_projections=True))


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"attention": "fastest"}, "attention.*fastest.*must be one of auto, native"),
        ({"attention": "_flash_3"}, "attention.*_flash_3.*cannot run here"),
        ({"attention": "_native_cudnn"}, "attention.*_native_cudnn.*cannot run here"),
        ({"compile": "all"}, "compile.*all.*must be one of off, blocks, graphs"),
        ({"compile": "graphs"}, "compile.*graphs.*need a CUDA device"),
    ],
)
def test_what_cannot_run_here_is_refused_and_never_replaced(
    checkpoints: dict[str, Checkpoint], switches: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Engine(checkpoints["dense"].model, acceleration=Acceleration(**switches))


def test_every_kernel_answers_with_a_time_and_an_error_or_with_a_reason() -> None:
    trials = try_kernels(num_tokens=40, heads=2, head_dim=64, device=CPU, dtype=torch.bfloat16, repeats=1)
    assert [trial.name for trial in trials] == list(CANDIDATES)
    assert all(bool(trial.refused) != bool(trial.seconds) for trial in trials)
    native = trials[0]
    assert 0 < native.error < MAX_ERROR, "rounded to bfloat16"
    assert "missing package" in next(trial.refused for trial in trials if trial.name == "_flash_3")


def test_the_fastest_exact_kernel_is_chosen() -> None:
    slow, fast = Trial(name="slow", seconds=2.0), Trial(name="fast", seconds=1.0)
    assert choose([slow, fast]) == "fast"
    assert choose([slow, dataclasses.replace(fast, refused="no such kernel")]) == "slow"
    assert choose([slow, dataclasses.replace(fast, error=2 * MAX_ERROR)]) == "slow", "a faster answer to another question"


def test_noise_does_not_decide_between_equals() -> None:
    first, second = Trial(name="first", seconds=1.0), Trial(name="second", seconds=0.97)
    assert choose([first, second]) == "first"


def test_no_exact_kernel_at_all_is_told() -> None:
    with pytest.raises(UnavailableError, match="no kernel"):
        choose([Trial(name="wrong", seconds=1.0, error=1.0)])


def test_switches_survive_the_way_into_the_engine_process() -> None:
    wanted = Acceleration(channels_last=True)
    assert pickle.loads(pickle.dumps(wanted)) == wanted
