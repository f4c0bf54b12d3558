"""Everything in one process: a sentence to a clip without a server. Behind `cinelet.generate` and the CLI.

    import cinelet
    cinelet.generate("A red balloon rising at sunset").save("balloon.mp4")

The model stays in memory between calls of one `TextToVideoGenerator`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cinelet.engine import Engine, Trajectory, load_model
from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.media import write_clip
from cinelet.models import Catalogue, ModelCard, plan, require_files
from cinelet.models.card import PACKAGE
from cinelet.settings import Settings, load_settings
from cinelet.video import Plan, Preset, Progress, SamplerName, Video, VideoRequest

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where clips begin, if not at their seed's noise, and what is kept of them on the way.

    `latents` replaces the noise; `trajectory` is a file kept earlier, continued with the new prompt from its step on;
    `keep` writes such a file when `keep_at` steps are done.
    """

    latents: NDArray[np.float32] | None = None
    trajectory: Path | None = None
    keep: Path | None = None
    keep_at: int = 0


class Result(Mapping[str, Any]):
    """A finished clip for people: `result["tensor"]`, `["fps"]`, `["seed"]`, `["plan"]`, `["stage_durations_s"]`, `["warnings"]`.

    The tensor is uint8 `[T, H, W, C]`, red, green, blue, and the caller's to keep.
    """

    def __init__(self, video: Video, warnings: Sequence[str] = ()) -> None:
        self.video = video
        self._values = {
            "tensor": video.frames,
            "fps": video.fps,
            "seed": video.plan.seed,
            "plan": video.plan,
            "stage_durations_s": video.stage_durations_s,
            "warnings": list(warnings),
        }

    def __getitem__(self, key: str) -> Any:
        """One value by its name."""
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """The names of the values."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._values)

    def save(self, path: str | Path) -> Path:
        """Write the clip as MP4, WebM or GIF, by the suffix. An older file is replaced whole."""
        write_clip(self.video.frames, Path(path), self.video.fps, metadata={"title": self.video.plan.prompt})
        return Path(path)


class TextToVideoGenerator:
    """Sentences → clips in this process.

    The arguments beside `model` are settings (see `cinelet.settings`); `region="auto"` is the nearest there is: this machine.
    """

    def __init__(
        self, region: str = "auto", url: str | None = None, api_key: str | None = None, *, model: str | None = None, **settings: Any
    ) -> None:
        for name, value, only in (("region", region, "auto"), ("url", url, None), ("api_key", api_key, None)):
            if value != only:
                raise InvalidValueError(name, value, "this version generates in its own process only; leave it out")
        self.settings: Settings = load_settings(model=model, **settings)
        self.catalogue = Catalogue(self.settings.models_dir)
        self._engines: dict[str, Engine] = {}

    def generate(
        self,
        text: str,
        *,
        steps: int | None = None,
        resolution: str | None = None,
        length_sec: float | None = None,
        size: tuple[int, int] | None = None,
        num_frames: int | None = None,
        fps: int | None = None,
        seed: int | None = None,
        model: str | None = None,
        preset: Preset = "standard",
        negative_prompt: str | None = None,
        guidance_scale: float | None = None,
        guidance_scale_2: float | None = None,
        sampler: SamplerName | None = None,
        flow_shift: float | None = None,
        variation_seed: int | None = None,
        variation_strength: float = 0.0,
        start: Start | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """One clip of `text`. What is not said, the model decides.

        `resolution` is one of the model's names, such as `"480p"`; a model that has no such size draws its own and says so
        in `result["warnings"]`. `length_sec` counts seconds at the clip's frame rate.
        """
        card = self.catalogue.get(model or self.settings.model)
        warnings: list[str] = []
        if resolution is not None and size is None:
            size, warnings = _size_named(resolution, card)
        if length_sec is not None and num_frames is None:
            num_frames = _frames_of(length_sec, fps or card.fps)
        request = VideoRequest(
            prompt=text,
            negative_prompt=negative_prompt,
            model=card.name,
            preset=preset,
            width=size[0] if size else None,
            height=size[1] if size else None,
            num_frames=num_frames,
            fps=fps,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            guidance_scale_2=guidance_scale_2,
            sampler=sampler,
            flow_shift=flow_shift,
            seed=seed,
            variation_seed=variation_seed,
            variation_strength=variation_strength,
        )
        return Result(self.run(self.plan(request), start=start, on_progress=on_progress), warnings)

    def plan(self, request: VideoRequest) -> Plan:
        """What would be done for `request`, checked against the model's limits, without loading the model."""
        return plan(request, self.catalogue.get(request.model or self.settings.model))

    def run(self, plan: Plan, *, start: Start | None = None, on_progress: OnProgress | None = None) -> Video:
        """Carry out one plan."""
        return self.run_many([plan], start=start, on_progress=on_progress)[0]

    def run_many(self, plans: Sequence[Plan], *, start: Start | None = None, on_progress: OnProgress | None = None) -> list[Video]:
        """Carry out plans of one model together: clips of one shape share each forward. `start` keeps the first clip's file only."""
        start = start or Start()
        if start.keep and not 0 < start.keep_at < plans[0].num_inference_steps:
            raise InvalidValueError("keep_at", start.keep_at, f"must be a whole number from 1 to {plans[0].num_inference_steps - 1}")
        report = _Reporter(plans, on_progress)
        engine = self.engine(plans[0].model)
        report("encode", 0)
        trajectories = [_begin(engine, plan, start) for plan in plans]
        while groups := engine.groups(trajectories):
            for group in groups:
                engine.step(group)
                report("denoise", sum(t.step for t in trajectories))
            if start.keep and trajectories[0].step == start.keep_at:
                trajectories[0].save(start.keep)
        report("decode", report.total_steps)
        return [engine.finish(trajectory) for trajectory in trajectories]

    def engine(self, model: str) -> Engine:
        """The resident engine of a model; loaded at the first call, its files checked before."""
        if model not in self._engines:
            card = self.catalogue.get(model)
            if not card.is_installed:
                raise NotFoundError(f"model: {card.name} is not installed in {card.folder}")
            require_files(card.folder, contents=card.source == PACKAGE)
            if self.settings.num_threads:
                torch.set_num_threads(self.settings.num_threads)
            device = _device(self.settings.device)
            loaded = load_model(card.folder, device, _dtype(self.settings.dtype, device))
            self._engines[model] = Engine(loaded, memory_limit_bytes=self.settings.memory_limit_bytes)
        return self._engines[model]


class _Reporter:
    """Turns finished steps into `Progress` with the time that remains, from the mean pace so far."""

    def __init__(self, plans: Sequence[Plan], on_progress: OnProgress | None) -> None:
        self.total_steps = sum(plan.num_inference_steps for plan in plans)
        self._on_progress = on_progress
        self._began = time.monotonic()

    def __call__(self, stage: Any, step: int) -> None:
        if self._on_progress is None:
            return
        if step == 0:
            self._began = time.monotonic()
        pace = (time.monotonic() - self._began) / step if step else None
        remaining = None if pace is None else pace * (self.total_steps - step)
        self._on_progress(Progress(stage=stage, step=step, num_steps=self.total_steps, remaining_s=remaining))


def _begin(engine: Engine, plan: Plan, start: Start) -> Trajectory:
    if start.trajectory is None:
        return engine.admit(plan, start.latents)
    return engine.branch(engine.resume(start.trajectory), plan)


@functools.cache
def _default_generator() -> TextToVideoGenerator:
    return TextToVideoGenerator()


def generate(prompt: str, **options: Any) -> Result:
    """One clip of `prompt`; options as in `TextToVideoGenerator.generate`. The model stays loaded for the next call."""
    return _default_generator().generate(prompt, **options)


def _size_named(resolution: str, card: ModelCard) -> tuple[tuple[int, int] | None, list[str]]:
    if resolution in card.resolutions:
        return card.resolutions[resolution], []
    if not resolution.removesuffix("p").isdigit():
        raise InvalidValueError("resolution", resolution, f"must be a name such as 480p; {card.name} has {', '.join(card.resolutions)}")
    width, height = card.default_size
    return None, [f"resolution: {card.name} does not draw {resolution}; it drew {width}x{height}"]


def _frames_of(length_sec: float, fps: int) -> int:
    if not 0 < length_sec <= 3600:
        raise InvalidValueError("length_sec", length_sec, "must be a number above 0, at most 3600")
    return max(1, round(length_sec * fps))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidValueError("device", name, "this machine has no CUDA device; use cpu or auto")
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
