"""One generation under way, as a value that can be kept, moved and continued: checkpoint, resume, preempt, variations.

A trajectory file is one safetensors file with the latents, the sampler's memory, the prompt embeddings, the random state
and the plan. Reading it back gives the same tensors bit for bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cinelet.draft import Draft, explained
from cinelet.engine.sampler import Sampler
from cinelet.engine.step_cache import VelocityCache
from cinelet.errors import ConflictError, ModelFilesError
from cinelet.video import Plan

FORMAT = "cinelet-trajectory-1"


@dataclass(frozen=True)
class Mark:
    """A trajectory's place between two steps, in memory."""

    latents_CTHW: torch.Tensor
    sampler: tuple[dict[str, torch.Tensor], dict[str, int]]
    generator: torch.Tensor
    cache: VelocityCache | None


@dataclass(eq=False)
class Trajectory:
    """The whole state of one generation.

    `latents_CTHW` float32 on the engine's device; `prompt_LD` and `negative_LD` unpadded embeddings (`negative_LD` None where
    guidance is off); `generator` the random state, always on the CPU so that a seed means the same on every device.
    `condition_CTHW` is what the model reads of a start image, None without one (`cinelet.engine.start_image`). `cache` remembers
    velocities where the plan lets steps be drawn on from them (`cinelet.engine.step_cache`).
    `model_digest` names the weights: a trajectory continues only on the model it began with.
    """

    plan: Plan
    model_digest: str
    latents_CTHW: torch.Tensor
    sampler: Sampler
    prompt_LD: torch.Tensor
    negative_LD: torch.Tensor | None
    generator: torch.Generator
    condition_CTHW: torch.Tensor | None = None
    cache: VelocityCache | None = None
    stage_durations_s: dict[str, float] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether only decoding is left."""
        return self.sampler.is_done

    @property
    def step(self) -> int:
        """Finished denoising steps."""
        return self.sampler.step_index

    def advance(self, velocity_BCTHW: torch.Tensor) -> None:
        """One denoising step with the model's answer, a batch of one."""
        if self.cache is not None:
            self.cache.keep(self.step, velocity_BCTHW)
        latents_BCTHW = self.sampler.step(velocity_BCTHW, self.latents_CTHW[None], self.generator)
        self.latents_CTHW = latents_BCTHW[0].float()

    def mark(self) -> Mark:
        """Where the trajectory stands, for `go_back`; cheap, because steps replace tensors and never write into them."""
        return Mark(self.latents_CTHW, self.sampler.state(), self.generator.get_state(), self.cache and self.cache.copy())

    def go_back(self, mark: Mark) -> None:
        """Undo the steps since `mark`."""
        self.latents_CTHW = mark.latents_CTHW
        self.sampler.load_state(*mark.sampler)
        self.generator.set_state(mark.generator)
        self.cache = mark.cache and mark.cache.copy()

    def spend(self, stage: str, seconds: float) -> None:
        """Add to the time spent in a stage."""
        self.stage_durations_s[stage] = self.stage_durations_s.get(stage, 0.0) + seconds

    def save(self, path: Path) -> None:
        """Write the trajectory to `path`, replacing it whole: a kill leaves the older file or the newer one.

        Raises `InvalidValueError` where the path cannot be written, `UnavailableError` where there is no room.
        """
        history, counters = self.sampler.state()
        tensors = {
            "latents": self.latents_CTHW,
            "prompt": self.prompt_LD,
            "generator": self.generator.get_state(),
            **{f"sampler.{name}": tensor for name, tensor in history.items()},
        }
        if self.negative_LD is not None:
            tensors["negative"] = self.negative_LD
        if self.condition_CTHW is not None:
            tensors["condition"] = self.condition_CTHW
        about = {
            "format": FORMAT,
            "plan": asdict(self.plan),
            "model_digest": self.model_digest,
            "counters": counters,
            "stage_durations_s": self.stage_durations_s,
        }
        if self.cache is not None:
            velocities, about["cache"] = self.cache.state()
            tensors |= velocities
        copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        about["digest"] = _digest(copies, about)
        with Draft(path) as draft, explained(path):
            save_file(copies, draft.path, metadata={"cinelet": json.dumps(about)})


def load_trajectory(path: Path, model_digest: str, make_sampler: Callable[[Plan], Sampler], device: torch.device) -> Trajectory:
    """The trajectory of `path`, ready to step on `device`.

    Raises `ModelFilesError` where the file is damaged or none of ours, `ConflictError` where another model made it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["cinelet"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        is_ours = about.pop("digest") == _digest(tensors, about) and about["format"] == FORMAT
        if is_ours and about["model_digest"] == model_digest:
            return _assemble(about, tensors, make_sampler, device)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelFilesError(f"checkpoint: {path} cannot be read as {FORMAT}", detail=repr(error)) from error
    if not is_ours:
        raise ModelFilesError(f"checkpoint: {path} is damaged, or not of format {FORMAT}")
    raise ConflictError(f"checkpoint: {path} was made by model {about['model_digest']}, this is {model_digest}")


def _assemble(
    about: dict[str, Any], tensors: dict[str, torch.Tensor], make_sampler: Callable[[Plan], Sampler], device: torch.device
) -> Trajectory:
    plan = Plan(**about["plan"])
    sampler = make_sampler(plan)
    history = {name.removeprefix("sampler."): tensor.to(device) for name, tensor in tensors.items() if name.startswith("sampler.")}
    sampler.load_state(history, about["counters"])
    generator = torch.Generator()
    generator.set_state(tensors["generator"])
    negative, condition = tensors.get("negative"), tensors.get("condition")
    return Trajectory(
        plan=plan,
        model_digest=about["model_digest"],
        latents_CTHW=tensors["latents"].to(device),
        sampler=sampler,
        prompt_LD=tensors["prompt"].to(device),
        negative_LD=None if negative is None else negative.to(device),
        generator=generator,
        condition_CTHW=None if condition is None else condition.to(device),
        cache=VelocityCache.from_state({n: t.to(device) for n, t in tensors.items()}, about["cache"]) if "cache" in about else None,
        stage_durations_s=about["stage_durations_s"],
    )


def _digest(tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> str:
    """Of everything a trajectory file says: one flipped bit would draw another clip unseen."""
    digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
