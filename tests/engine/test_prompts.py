"""Prompts: encoded once, folded without changing their meaning, and deaf to their neighbours in a batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from cinelet.engine import Engine, Trajectory
from cinelet.engine import denoiser as denoiser_module
from cinelet.engine.prompt import MAX_TOKENS, PromptEncoder
from tests.engine.clips import generate, make_plan
from tests.engine.conftest import Checkpoint


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    """The distance of two velocities, as a share of their size."""
    return float((one - other).norm() / other.norm())


@contextmanager
def recorded_prompts(engine: Engine) -> Iterator[list[torch.Size]]:
    """The shape of each forward's prompt embeddings meanwhile."""
    shapes: list[torch.Size] = []
    expert = engine.model.experts[0]
    handle = expert.register_forward_pre_hook(lambda _, __, kwargs: shapes.append(kwargs["encoder_hidden_states"].shape), with_kwargs=True)
    try:
        yield shapes
    finally:
        handle.remove()


def velocity(engine: Engine, *group: Trajectory, fold_prompts: bool) -> torch.Tensor:
    """The group's velocities with the prompts folded or padded."""
    engine.denoiser.fold_prompts = fold_prompts
    return engine.denoiser.velocity(group)


def test_the_negative_prompt_is_encoded_once_for_many_clips(engine: Engine) -> None:
    for seed in range(5):
        engine.admit(make_plan(prompt=f"clip {seed}", negative_prompt="ugly", seed=seed))
    assert engine.prompts.num_misses == 6
    assert engine.prompts.num_hits == 4


def test_a_repeated_prompt_is_encoded_once_and_changes_nothing(engine: Engine) -> None:
    first, again = engine.admit(make_plan(seed=1)), engine.admit(make_plan(seed=2))
    assert engine.prompts.num_misses == 2
    assert torch.equal(first.prompt_LD, again.prompt_LD)


def test_a_clip_without_guidance_needs_no_negative_prompt(engine: Engine) -> None:
    trajectory = engine.admit(make_plan(guidance_scale=1.0))
    assert trajectory.negative_LD is None
    assert engine.prompts.num_misses == 1


def test_running_clips_leaves_the_remembered_prompts_as_they_were(engine: Engine) -> None:
    plan = make_plan(negative_prompt="ugly")
    before = [engine.prompts.encode(text).clone() for text in (plan.prompt, plan.negative_prompt)]
    generate(engine, plan)
    for text, embeds in zip((plan.prompt, plan.negative_prompt), before, strict=True):
        assert torch.equal(engine.prompts.encode(text), embeds)


def test_the_memory_of_prompts_is_bounded_and_forgets_the_least_used(checkpoints: dict[str, Checkpoint]) -> None:
    model = checkpoints["dense"].model
    encoder = PromptEncoder(model.tokenizer, model.text_encoder, max_entries=2)
    for text in ("kept", "a", "kept", "b", "kept", "c", "kept"):
        encoder.encode(text)
    assert (encoder.num_misses, encoder.num_hits) == (4, 3)
    encoder.encode("a")
    assert encoder.num_misses == 5
    assert len(encoder._known) == 2


def test_a_prompt_has_one_embedding_a_token_up_to_512(engine: Engine) -> None:
    for num_letters, num_tokens in ((1, 2), (510, 511), (511, 512), (512, 512), (2000, 512)):
        assert engine.prompts.encode("x" * num_letters).shape == (num_tokens, 16)
    assert engine.prompts.encode("").shape == (1, 16)


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
@pytest.mark.parametrize("num_letters", [1, 9, 200, 510, 511, 600])
def test_folded_prompts_give_the_velocities_of_padded_ones(engine: Engine, num_letters: int, guidance_scale: float) -> None:
    prompt = ("a red car, " * 60)[:num_letters].replace(" ", "_")
    trajectory = engine.admit(make_plan(prompt=prompt, guidance_scale=guidance_scale))
    assert trajectory.prompt_LD.shape[0] == min(num_letters + 1, MAX_TOKENS)
    padded = velocity(engine, trajectory, fold_prompts=False)
    assert relative(velocity(engine, trajectory, fold_prompts=True), padded) < 1e-4
    assert relative(velocity(engine, trajectory, fold_prompts=False), padded) == 0


@pytest.mark.parametrize("fold_prompts", [True, False])
def test_prompts_of_one_batch_do_not_hear_each_other(engine: Engine, fold_prompts: bool) -> None:
    prompts = ["b", "a red car", "a storm over a quiet harbour in the early morning", "x" * 700]
    group = [engine.admit(make_plan(prompt=prompt, negative_prompt="ugly" * number, seed=number)) for number, prompt in enumerate(prompts)]
    together = velocity(engine, *group, fold_prompts=fold_prompts)
    for trajectory, its_velocity in zip(group, together.split(1), strict=True):
        assert relative(its_velocity, velocity(engine, trajectory, fold_prompts=False)) < 1e-4


def test_the_velocity_depends_on_the_prompt_far_beyond_these_tolerances(engine: Engine) -> None:
    one, other = (velocity(engine, engine.admit(make_plan(prompt=prompt)), fold_prompts=True) for prompt in ("a red car", "a red cat"))
    assert relative(one, other) > 1e-2


def test_a_padding_that_is_not_weighed_would_be_seen(engine: Engine) -> None:
    trajectory = engine.admit(make_plan(guidance_scale=1.0))
    padded = velocity(engine, trajectory, fold_prompts=False)
    longer = engine.admit(make_plan(guidance_scale=1.0))
    longer.prompt_LD = torch.nn.functional.pad(longer.prompt_LD, (0, 0, 0, 1))
    expert = engine.model.experts[0]
    unweighed = expert(longer.latents_CTHW[None], longer.sampler.timestep[None], longer.prompt_LD[None]).sample
    assert relative(unweighed, padded) > 1e-2


def test_small_clips_read_few_tokens_and_large_ones_take_the_unmasked_kernel(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    trajectory = engine.admit(make_plan())
    with recorded_prompts(engine) as shapes:
        folded = velocity(engine, trajectory, fold_prompts=True)
        monkeypatch.setattr(denoiser_module, "FOLD_BELOW_TOKENS", engine.model.num_tokens(trajectory.latents_CTHW.shape))
        padded = velocity(engine, trajectory, fold_prompts=True)
    assert [tuple(shape) for shape in shapes] == [(2, 11, 16), (2, MAX_TOKENS, 16)]
    assert relative(folded, padded) < 1e-4
