"""Clips longer than the model sees at once: windows that are invisible where a clip fits, and everywhere around a forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cinelet.engine import Engine, Trajectory
from cinelet.engine.denoiser import Denoiser
from cinelet.engine.windowed import in_windows
from cinelet.windows import windows
from tests.engine.clips import LATENTS_TOLERANCE, advance, assert_equal_clip, assert_same_clip, distance, generate, make_plan
from tests.engine.conftest import Checkpoint

LONG = make_plan(num_frames=41, window_frames=17, num_inference_steps=3)
"""Eleven latent frames in windows of five."""
SPANS = windows(11, 5)


@contextmanager
def recorded(expert: torch.nn.Module) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """Latents and timesteps of each forward of `expert` meanwhile."""
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    handle = expert.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((kwargs["hidden_states"], kwargs["timestep"])), with_kwargs=True
    )
    try:
        yield seen
    finally:
        handle.remove()


def velocity(engine: Engine, trajectory: Trajectory) -> torch.Tensor:
    """The model's answer at the trajectory's next step, `[C, T, H, W]`."""
    return engine.denoiser.velocity([trajectory])[0]


def test_a_clip_that_fits_its_window_is_the_clip_without_windows(checkpoint: Checkpoint) -> None:
    engine = Engine(checkpoint.model)
    plan = make_plan(num_frames=17, num_inference_steps=2)
    assert_equal_clip(generate(engine, replace(plan, window_frames=17)), generate(engine, plan))


def test_no_forward_sees_more_than_a_window(checkpoint: Checkpoint) -> None:
    engine = Engine(checkpoint.model)
    trajectory = engine.admit(LONG)
    with recorded(checkpoint.model.experts[0]) as seen:
        engine.step([trajectory])
    assert len(seen) == len(SPANS) > 2
    for (latents_BCTHW, timestep), span in zip(seen, SPANS, strict=True):
        assert latents_BCTHW.shape[2] == 5
        assert span.stop - span.start == 5
        if checkpoint.model.expand_timesteps:
            assert timestep.shape[1] == checkpoint.model.num_tokens(tuple(latents_BCTHW.shape[1:]))


def test_a_latent_frame_of_one_window_gets_that_windows_answer_and_no_other(engine: Engine) -> None:
    trajectory = engine.admit(LONG)
    whole = velocity(engine, trajectory)
    for span in SPANS:
        part = replace(trajectory, latents_CTHW=trajectory.latents_CTHW[:, span.start : span.stop], plan=replace(LONG, window_frames=0))
        answer = velocity(engine, part)
        for i, share in enumerate(span.shares):
            error = (whole[:, span.start + i] - answer[:, i]).abs().max()
            assert error < 1e-5 if share == 1.0 else error > 1e-4
    at_once = velocity(engine, replace(trajectory, plan=replace(LONG, window_frames=0)))
    assert (whole - at_once).abs().max() > 1e-2, "windows are something else than the whole"


def test_answers_are_mixed_by_their_shares() -> None:
    latents = torch.randn(2, 3, 11, 2, 2)
    timesteps = torch.arange(22.0).view(1, 22).repeat(2, 1)
    unchanged = in_windows(lambda part, _: part, latents, timesteps, 5)
    torch.testing.assert_close(unchanged, latents)
    levels = in_windows(lambda part, at: at.view(2, 1, 5, 2, 1).expand(2, 3, 5, 2, 2) + 0 * part, latents, timesteps, 5)
    torch.testing.assert_close(levels[0, 0, :, :, 0].flatten(), timesteps[0])


def test_a_long_clip_is_stopped_written_and_continued_bit_for_bit(checkpoint: Checkpoint, tmp_path: Path) -> None:
    engine = Engine(checkpoint.model)
    straight = generate(engine, LONG)
    advance(engine, engine.admit(LONG), 1).save(tmp_path / "long.safetensors")
    assert_equal_clip(engine.finish(advance(engine, engine.resume(tmp_path / "long.safetensors"))), straight)


def test_long_clips_share_forwards_and_stay_themselves(engine: Engine) -> None:
    plans = [replace(LONG, seed=seed, prompt=prompt) for seed, prompt in ((1, "a cat"), (2, "two dogs on a boat"))]
    alone = [generate(engine, plan) for plan in plans]
    group = [engine.admit(plan) for plan in plans]
    assert engine.groups(group) == [group]
    while not group[0].is_done:
        engine.step(group)
    for trajectory, video in zip(group, alone, strict=True):
        assert_same_clip(engine.finish(trajectory), video)


def test_clips_of_one_shape_with_other_windows_are_no_group(engine: Engine) -> None:
    clips = [engine.admit(replace(LONG, window_frames=frames)) for frames in (0, 9, 17, 17)]
    assert [len(group) for group in engine.groups(clips)] == [1, 1, 2]


def test_guidance_taken_apart_gives_the_same_long_clip(engine: Engine) -> None:
    joined = generate(engine, LONG)
    engine.denoiser = Denoiser(engine.model, join_guidance=False)
    assert_same_clip(generate(engine, LONG), joined)


def test_the_length_of_windows_draws_another_clip(engine: Engine) -> None:
    one, other = (advance(engine, engine.admit(replace(LONG, window_frames=frames))) for frames in (17, 25))
    assert (one.latents_CTHW - other.latents_CTHW).abs().max() > 10 * LATENTS_TOLERANCE


@pytest.mark.parametrize("max_pass", [1, 2, 4, 10, 11, 99])
def test_a_decode_in_passes_is_the_decode_at_once(engine: Engine, max_pass: int) -> None:
    latents = engine.admit(LONG).latents_CTHW
    with_limit = engine.decoder.decode(latents, 41, max_pass=max_pass)
    assert distance(with_limit, engine.decoder.decode(latents, 41)) <= 1


def test_no_pass_of_the_decoder_is_longer_than_a_window(engine: Engine) -> None:
    trajectory = advance(engine, engine.admit(LONG))
    sizes: list[int] = []
    handle = engine.model.vae.decoder.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[2]))
    try:
        video = engine.finish(trajectory)
    finally:
        handle.remove()
    assert sizes == [1, 5, 5]
    assert video.decode == "full"
    assert video.frames.shape == (41, 32, 48, 3)


def test_predicted_memory_grows_with_length_by_the_frames_at_most(engine: Engine) -> None:
    wide = replace(LONG, width=192, height=128)
    long, longer = (engine.memory(replace(wide, num_frames=frames)) for frames in (65, 641))
    frames_bytes = (641 - 65) * wide.width * wide.height * 3
    assert longer.denoise == pytest.approx(long.denoise, rel=0.02)
    assert all(longer.decode[rung] - long.decode[rung] <= 1.02 * frames_bytes for rung in ("full", "frames"))
    assert engine.memory(replace(wide, num_frames=65, window_frames=0)).denoise > 1.1 * long.denoise


def test_frames_around_the_windows_ends_move_no_more_than_others(engine: Engine) -> None:
    frames = generate(engine, replace(LONG, num_frames=81)).frames.astype(np.int16)
    steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    ends = [4 * edge - 4 for span in windows(21, 5)[1:] for edge in (span.start, span.stop) if edge < 21]
    assert np.mean([steps[end] for end in ends]) < 1.5 * np.mean(steps)
