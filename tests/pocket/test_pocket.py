"""The shipped pocket model: small, whole, and the same in the engine as in the stock pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, FlowMatchEulerDiscreteScheduler, WanPipeline

import cinelet
from cinelet.engine import Engine, load_model
from cinelet.errors import InvalidValueError
from cinelet.models import Catalogue, check_files, plan
from cinelet.video import Plan, VideoRequest
from training.pocket.classifier import load_classifier
from training.pocket.world import LABELS

CARD = Catalogue(Path("/nowhere")).get("pocket")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stock() -> WanPipeline:
    pipeline = WanPipeline.from_pretrained(CARD.folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load_model(CARD.folder, CPU))


def frames_of(engine: Engine, made: Plan) -> np.ndarray:
    trajectory = engine.admit(made)
    while not trajectory.is_done:
        engine.step([trajectory])
    return engine.finish(trajectory).frames


def test_its_files_are_whole_and_small() -> None:
    assert [report.fault for report in check_files(CARD.folder, contents=True) if report.fault] == []
    assert sum(path.stat().st_size for path in CARD.folder.rglob("*") if path.is_file()) <= 40e6
    assert len(json.loads((CARD.folder / "manifest.json").read_text())["sha256"]) > 8


SOLVERS = {
    "unipc": None,
    "dpm++": lambda config: DPMSolverMultistepScheduler.from_config(config, algorithm_type="dpmsolver++"),
    "euler": lambda config: FlowMatchEulerDiscreteScheduler(shift=config.flow_shift),
}


@pytest.mark.parametrize("sampler", SOLVERS)
@pytest.mark.parametrize("prompt", ["A red balloon rising at sunset", "一只戴着墨镜的熊猫在跳街舞"])
def test_the_engines_frames_are_the_stock_pipelines(stock: WanPipeline, engine: Engine, sampler, prompt: str) -> None:
    made = plan(VideoRequest(prompt=prompt, sampler=sampler, seed=11, num_inference_steps=6), CARD)
    config = stock.scheduler.config
    before, make = stock.scheduler, SOLVERS[sampler]
    stock.scheduler = make(config) if make else before
    try:
        expected = stock(
            prompt=prompt,
            height=made.height,
            width=made.width,
            num_frames=made.num_frames,
            num_inference_steps=made.num_inference_steps,
            guidance_scale=made.guidance_scale,
            generator=torch.Generator().manual_seed(made.seed),
        ).frames[0]
    finally:
        stock.scheduler = before
    assert np.abs(frames_of(engine, made) / 255 - expected).max() <= 2 / 255


ORDINARY = [
    ("A golden retriever running through a sunny park", {"subject": "dog", "scene": "park"}),
    ("A robot dancing in a neon city at night", {"subject": "robot", "motion": "dancing", "scene": "neon_city"}),
    ("a red car speeding on mountain road", {"subject": "car", "colour": "red", "scene": "mountain_road"}),
    ("夕阳下的红色气球慢慢升起", {"subject": "balloon", "colour": "red", "motion": "rising", "scene": "sunset"}),
]


def test_ordinary_sentences_show_what_they_say(engine: Engine) -> None:
    """Of all labels three in four must be right. `evaluate.py` has the exact figures."""
    clips = [frames_of(engine, plan(VideoRequest(prompt=prompt, seed=1), CARD)) for prompt, _ in ORDINARY]
    seen = load_classifier().predict(clips)
    pairs = list(zip(seen, ORDINARY, strict=True))
    hits = [guess[label] == name for guess, (_, labels) in pairs for label, name in labels.items()]
    assert set(seen[0]) == set(LABELS)
    assert sum(hits) / len(hits) >= 3 / 4


def test_python_users_get_a_tensor_and_a_file(tmp_path: Path) -> None:
    generator = cinelet.TextToVideoGenerator(region="auto")
    seen: list[cinelet.Progress] = []
    result = generator.generate(text="a red car", steps=2, resolution="480p", length_sec=2, seed=4, on_progress=seen.append)
    assert result["tensor"].shape == (16, 96, 160, 3)
    assert result["tensor"].dtype == np.uint8
    assert result["seed"] == 4
    assert result["warnings"] == ["resolution: pocket does not draw 480p; it drew 160x96"]
    assert result.save(tmp_path / "car.mp4").stat().st_size > 1000
    assert [report.stage for report in seen] == ["encode", "denoise", "denoise", "decode"]
    with pytest.raises(InvalidValueError, match="length_sec"):
        generator.generate(text="a red car", length_sec=-1)


def test_a_kept_half_saves_half_of_the_second_generation(engine: Engine, tmp_path: Path) -> None:
    first = plan(VideoRequest(prompt="a red car in a park", seed=4, num_inference_steps=4), CARD)
    second = plan(VideoRequest(prompt="a blue car in a park", seed=4, num_inference_steps=4), CARD)
    generator = cinelet.TextToVideoGenerator()
    generator.run(first, start=cinelet.Start(keep=tmp_path / "half.safetensors", keep_at=2))
    steps: list[int] = []
    video = generator.run(second, start=cinelet.Start(trajectory=tmp_path / "half.safetensors"), on_progress=lambda p: steps.append(p.step))
    assert steps == [0, 3, 4, 4]
    assert video.plan.prompt == second.prompt
