"""Samplers: each walks one trajectory from noise to a clip, and can be stopped, written down and continued exactly.

The solvers are diffusers schedulers; "scheduler" is their word, and it ends here. A multistep solver remembers earlier
model outputs, so its state is part of a checkpoint: the latents alone would fall back to first order and change the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchLCMScheduler,
    UniPCMultistepScheduler,
)

from cinelet.video import STOCHASTIC_SAMPLERS, SamplerName

Config = Mapping[str, Any]


def _multistep(solver: type, **options: Any) -> Callable[[Config, float], Any]:
    """A maker for solvers that share UniPC's configuration names."""

    def make(config: Config, flow_shift: float) -> Any:
        merged = {**config, **options, "flow_shift": flow_shift, "use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        return solver.from_config(merged)  # type: ignore[attr-defined]

    return make


def _flow_match(solver: type) -> Callable[[Config, float], Any]:
    """A maker for the flow-matching solvers, whose shift has another name."""

    def make(config: Config, flow_shift: float) -> Any:
        return solver(num_train_timesteps=config["num_train_timesteps"], shift=flow_shift)

    return make


@dataclass(frozen=True)
class Solver:
    """How to make one of diffusers' solvers, and which of its attributes hold what it remembers between steps."""

    make: Callable[[Config, float], Any]
    counters: tuple[str, ...] = ()
    histories: tuple[str, ...] = ()


SOLVERS: dict[SamplerName, Solver] = {
    "unipc": Solver(
        make=_multistep(UniPCMultistepScheduler),
        counters=("lower_order_nums", "this_order"),
        histories=("model_outputs", "last_sample"),
    ),
    "dpm++": Solver(
        make=_multistep(DPMSolverMultistepScheduler, algorithm_type="dpmsolver++"),
        counters=("lower_order_nums",),
        histories=("model_outputs",),
    ),
    "dpm++sde": Solver(
        make=_multistep(DPMSolverMultistepScheduler, algorithm_type="sde-dpmsolver++"),
        counters=("lower_order_nums",),
        histories=("model_outputs",),
    ),
    "euler": Solver(make=_flow_match(FlowMatchEulerDiscreteScheduler)),
    "lcm": Solver(make=_flow_match(FlowMatchLCMScheduler)),
}


class Sampler:
    """One trajectory's walk over the noise levels. Owned by its trajectory, never shared.

    `config` is the checkpoint's scheduler configuration; the attribute `timesteps` is on `device`, largest first. The argument are
    the noise levels of a distilled model, taken as they are: they replace the number of steps and the shift.
    """

    def __init__(
        self,
        name: SamplerName,
        config: Config,
        num_steps: int,
        flow_shift: float,
        device: torch.device,
        *,
        timesteps: Sequence[float] = (),
    ) -> None:
        self.name = name
        self._solver = SOLVERS[name]
        self._scheduler = self._solver.make(config, 1.0 if timesteps else flow_shift)
        if timesteps:
            self._scheduler.set_timesteps(sigmas=[t / config["num_train_timesteps"] for t in timesteps], device=device)
        else:
            self._scheduler.set_timesteps(num_steps, device=device)
        self._scheduler.set_begin_index(0)
        self.num_train_timesteps: int = self._scheduler.config.num_train_timesteps
        self.timesteps: torch.Tensor = self._scheduler.timesteps
        self.step_index = 0

    @property
    def num_steps(self) -> int:
        """How many steps the walk has."""
        return len(self.timesteps)

    @property
    def is_stochastic(self) -> bool:
        """Whether each step draws noise of its own."""
        return self.name in STOCHASTIC_SAMPLERS

    @property
    def is_done(self) -> bool:
        """Whether no step is left."""
        return self.step_index >= self.num_steps

    @property
    def timestep(self) -> torch.Tensor:
        """The next step's noise level as a scalar tensor on the device, 0 to `num_train_timesteps`."""
        return self.timesteps[self.step_index]

    def step(self, velocity: torch.Tensor, latents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The latents one noise level lower; all tensors float32 of one shape with a leading batch axis of 1."""
        extra = {"generator": generator} if self.is_stochastic else {}
        result: torch.Tensor = self._scheduler.step(velocity, self.timestep, latents, return_dict=False, **extra)[0]
        self.step_index += 1
        return result

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
        """What the solver remembers: tensors by name (`model_outputs.1`, …) and plain counters."""
        tensors: dict[str, torch.Tensor] = {}
        for name in self._solver.histories:
            value = getattr(self._scheduler, name)
            entries = value if isinstance(value, list) else [value]
            tensors |= {f"{name}.{i}": torch.as_tensor(entry) for i, entry in enumerate(entries) if entry is not None}
        counters = {name: getattr(self._scheduler, name, 0) for name in self._solver.counters}
        return tensors, {"step_index": self.step_index, **counters}

    def load_state(self, tensors: Mapping[str, torch.Tensor], counters: Mapping[str, int]) -> None:
        """Continue from `state()` of a sampler made with the same arguments."""
        self.step_index = counters["step_index"]
        self._scheduler._step_index = self.step_index if self.step_index > 0 else None
        for name in self._solver.counters:
            setattr(self._scheduler, name, counters[name])
        for name in self._solver.histories:
            value = getattr(self._scheduler, name)
            if isinstance(value, list):
                setattr(self._scheduler, name, [tensors.get(f"{name}.{i}") for i in range(len(value))])
            else:
                setattr(self._scheduler, name, tensors.get(f"{name}.0"))
