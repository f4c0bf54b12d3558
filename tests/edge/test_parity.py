"""An export draws what the engine draws, and needs neither torch nor diffusers for it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cinelet.edge import EdgeRunner
from cinelet.engine.attention import fold, pad
from tests.edge.conftest import PROMPT, Exported
from tests.engine.clips import advance

TOLERANCE = 1e-3


@pytest.fixture
def runner(exported: Exported) -> EdgeRunner:
    return EdgeRunner(exported.folder, num_threads=1)


@pytest.mark.parametrize("prompts", [(5,), (9, 3), (512, 1)], ids=["alone", "guided", "longest"])
def test_the_transformer_gives_the_engines_velocity(exported: Exported, runner: EdgeRunner, prompts: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    latents = torch.randn(exported.manifest.latent_shape)
    embeds = [torch.randn(length, 16) for length in prompts]
    timestep = 640.0
    model = exported.engine.model
    exported.engine.denoiser._processor.bias_B11L = None
    expected = [
        model.experts[0](
            latents[None], torch.full((1, exported.manifest.num_tokens), timestep), pad([prompt]).embeds_BLD, return_dict=False
        )[0][0]
        for prompt in embeds
    ]
    guided = expected[0] if len(prompts) == 1 else expected[1] + exported.plan.guidance_scale * (expected[0] - expected[1])
    velocity = runner.velocity(latents.numpy(), timestep, [prompt.numpy() for prompt in embeds])
    np.testing.assert_allclose(velocity, guided.numpy(), rtol=0, atol=TOLERANCE)
    assert np.abs(velocity).max() > 0.1


def test_the_decoder_gives_the_engines_pixels(exported: Exported, runner: EdgeRunner) -> None:
    torch.manual_seed(2)
    latents = torch.randn(exported.manifest.latent_shape)
    vae = exported.engine.model.vae
    expected = vae.decode(exported.engine.decoder.denormalise(latents), return_dict=False)[0]
    pixels = runner.pixels(latents.numpy())
    np.testing.assert_allclose(pixels, expected[0].numpy(), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("preset", ["draft", "standard"])
def test_a_whole_clip_is_the_engines_clip(exported: Exported, runner: EdgeRunner, preset: str) -> None:
    steps = runner.manifest.walks[preset].num_steps
    trajectory = exported.engine.admit(replace(exported.plan, num_inference_steps=steps))
    start = trajectory.latents_CTHW.numpy().copy()
    video = exported.engine.finish(advance(exported.engine, trajectory))
    heard: list[tuple[int, int]] = []
    frames = runner.make(runner.prompt(PROMPT), preset=preset, latents_CTHW=start, on_step=lambda *step: heard.append(step))
    assert frames.shape == video.frames.shape
    assert np.abs(frames.astype(int) - video.frames.astype(int)).max() <= 1
    assert heard == [(step + 1, steps) for step in range(steps)]


def test_below_the_boundary_the_second_transformer_works_with_its_own_guidance(exported: Exported, runner: EdgeRunner) -> None:
    prompt, negative = (np.random.default_rng(i).standard_normal((4, 16), np.float32) for i in range(2))
    latents = np.random.default_rng(2).standard_normal(exported.manifest.latent_shape, np.float32)
    plain = runner.velocity(latents, 400.0, [prompt])
    runner.manifest = replace(runner.manifest, boundary=500.0, guidance_scale=3.0, guidance_scale_2=1.0)
    used: list[int] = []
    first = runner._transformers[0]
    runner._transformers = [SimpleNamespace(run=lambda *feed, i=i: used.append(i) or first.run(*feed)) for i in range(2)]
    above = runner.velocity(latents, 500.0, [prompt, negative])
    below = runner.velocity(latents, 400.0, [prompt, negative])
    assert used == [0, 1]
    np.testing.assert_allclose(below, plain, rtol=0, atol=TOLERANCE)
    assert np.abs(above - below).max() > TOLERANCE


def test_the_int8_transformer_is_small_and_close(exported: Exported, runner: EdgeRunner) -> None:
    small = EdgeRunner(exported.folder, int8=True, num_threads=1)
    prompt = runner.prompt(PROMPT)
    exact, rough = runner.denoise(prompt, seed=4), small.denoise(prompt, seed=4)
    assert 0 < np.abs(exact - rough).max() < 0.1


def test_prompts_are_folded_as_the_engine_folds_them() -> None:
    from cinelet.edge.runner import fold as fold_arrays  # noqa: PLC0415

    prompts = [torch.randn(length, 4) for length in (3, 7)]
    theirs, ours = fold(prompts), fold_arrays([prompt.numpy() for prompt in prompts])
    np.testing.assert_array_equal(theirs.embeds_BLD.numpy(), ours[0])
    assert theirs.bias_B11L is not None
    np.testing.assert_allclose(theirs.bias_B11L.numpy(), ours[1])


def test_a_seed_gives_its_clip_again_and_another_seed_another(runner: EdgeRunner) -> None:
    prompt = runner.prompt(PROMPT)
    one, again, other = (runner.make(prompt, preset="draft", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one.astype(int) - other.astype(int)).max() > 10


def test_a_clip_needs_no_torch(exported: Exported) -> None:
    code = (
        "import sys; from pathlib import Path; from cinelet.edge import EdgeRunner;"
        f"r = EdgeRunner(Path({str(exported.folder)!r})); f = r.make(r.prompt({PROMPT!r}), preset='draft');"
        "print(f.shape, [m for m in ('torch', 'diffusers', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(7, 32, 48, 3) []"
