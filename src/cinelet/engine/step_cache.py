"""Cached steps: where the guided velocity runs smoothly along a trajectory, it is drawn on from the last two instead of computed.

Which steps those are comes from a table that was measured on the model (`benchmarks/step_cache.py`): how fast the velocity changes
with the noise level, and how much that change bends. From it the error of a step can be told before it is made, for any number of
steps, shift or solver. Works on velocities only, so it fits each architecture; knows nothing of transformers or latents' meaning.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cinelet.engine.sampler import Sampler
from cinelet.errors import InvalidValueError, ModelFilesError
from cinelet.models.card import NO_STEP_CACHE, STEP_CACHE_TABLE
from cinelet.video import Plan, StepCache

TOLERANCES: dict[StepCache, float] = {"mild": 0.05, "strong": 0.08}
"""The largest relative error of a velocity that is accepted instead of a forward; what it does to a clip: `benchmarks/step_cache.py`."""
NUM_KEPT = 2
"""Velocities remembered: enough for a straight line."""


@dataclass(frozen=True, kw_only=True)
class Smoothness:
    """How a model's guided velocity changes with the noise level, relative to its own norm, at `levels` (rising, 0 to 1).

    `slopes` are first and `bends` second divided differences: of a velocity held still for a distance d the relative error is
    slope · d, of one drawn on in a straight line through levels a and b away it is bend · a · b (Newton's form of the remainder).
    """

    levels: tuple[float, ...]
    slopes: tuple[float, ...]
    bends: tuple[float, ...]

    def errors(self, level: float, known: Sequence[float]) -> tuple[float, float]:
        """Relative errors at `level` of the last of `known` levels' velocity, and of the line through the last two."""
        before, last = known[-2:]
        slope = float(np.interp(level, self.levels, self.slopes))
        bend = float(np.interp(level, self.levels, self.bends))
        return slope * abs(level - last), bend * abs((level - last) * (level - before))

    def orders(self, levels: Sequence[float], experts: Sequence[int], tolerance: float) -> tuple[int | None, ...]:
        """For each step None where the model works, else the order of the extrapolation whose predicted error is small enough.

        The first two steps of each expert and the last step of all are always computed.
        """
        orders: list[int | None] = []
        known: list[float] = []
        for step, level in enumerate(levels):
            if step and experts[step] != experts[step - 1]:
                known = []
            order = None
            if len(known) >= NUM_KEPT and step < len(levels) - 1:
                still, line = self.errors(level, known)
                order = None if min(still, line) > tolerance else int(line <= still)
            if order is None:
                known.append(level)
            orders.append(order)
        return tuple(orders)


@dataclass(eq=False)
class VelocityCache:
    """What one trajectory remembers. `levels`, `experts` and `orders` are of its steps; `kept` the last computed steps, oldest first.

    `velocities` `[1, C, T, H, W]` float32 on the engine's device are of the steps in `kept`; a step replaces both lists and
    never writes into a tensor, so a shallow copy is the same memory, unmoved by what comes later.
    """

    levels: tuple[float, ...]
    experts: tuple[int, ...]
    orders: tuple[int | None, ...]
    kept: list[int] = field(default_factory=list)
    velocities: list[torch.Tensor] = field(default_factory=list)

    def can_skip(self, step: int) -> bool:
        """Whether the step needs no forward: it was chosen so, and enough of its expert is remembered."""
        is_known = len(self.kept) == NUM_KEPT and all(self.experts[k] == self.experts[step] for k in self.kept)
        return self.orders[step] is not None and is_known

    def extrapolate(self, step: int) -> torch.Tensor:
        """The velocity of a step that `can_skip`."""
        before, last = self.velocities
        if self.orders[step] == 0:
            return last
        first, second = (self.levels[k] for k in self.kept)
        return last + (last - before) * ((self.levels[step] - second) / (second - first))

    def keep(self, step: int, velocity_BCTHW: torch.Tensor) -> None:
        """Remember the velocity of a step, unless it was itself drawn on."""
        if self.can_skip(step):
            return
        self.kept = [*self.kept, step][-NUM_KEPT:]
        # A copy: the answer may be one row of a whole group's, which would live as long.
        self.velocities = [*self.velocities, velocity_BCTHW.clone()][-NUM_KEPT:]

    def copy(self) -> VelocityCache:
        """The same memory, as it is now."""
        return replace(self)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, list[Any]]]:
        """What `from_state` needs: tensors by name, and plain values."""
        tensors = {f"velocity.{i}": velocity for i, velocity in enumerate(self.velocities)}
        return tensors, {"levels": [*self.levels], "experts": [*self.experts], "orders": [*self.orders], "kept": [*self.kept]}

    @classmethod
    def from_state(cls, tensors: Mapping[str, torch.Tensor], values: Mapping[str, list[Any]]) -> VelocityCache:
        """The cache whose `state` this is."""
        velocities = [tensors[f"velocity.{i}"] for i in range(len(values["kept"]))]
        levels, experts, orders = (tuple(values[name]) for name in ("levels", "experts", "orders"))
        return cls(levels, experts, orders, list(values["kept"]), velocities)


def make_cache(
    smoothness: Smoothness | None, plan: Plan, sampler: Sampler, expert_at: Callable[[torch.Tensor], int]
) -> VelocityCache | None:
    """The cache that a plan asks for, or None. Raises `InvalidValueError` where the model has no table, or the sampler draws noise."""
    if plan.step_cache == "off":
        return None
    if smoothness is None:
        raise InvalidValueError("step_cache", plan.step_cache, f"{plan.model} takes off only: {NO_STEP_CACHE}")
    if sampler.is_stochastic:
        raise InvalidValueError("step_cache", plan.step_cache, f"the sampler {plan.sampler} draws noise at each step and takes off only")
    levels = tuple(float(timestep) / sampler.num_train_timesteps for timestep in sampler.timesteps)
    experts = tuple(expert_at(timestep) for timestep in sampler.timesteps)
    return VelocityCache(levels, experts, smoothness.orders(levels, experts, TOLERANCES[plan.step_cache]))


def measure(levels: Sequence[float], velocities: Sequence[torch.Tensor]) -> tuple[list[float], list[float], list[float]]:
    """Noise levels, slopes and bends of one trajectory's computed velocities, from its third step on."""
    at, slopes, bends = [], [], []
    for i in range(NUM_KEPT, len(levels)):
        norm = float(velocities[i].norm())
        now = (velocities[i] - velocities[i - 1]) / (levels[i] - levels[i - 1])
        before = (velocities[i - 1] - velocities[i - 2]) / (levels[i - 1] - levels[i - 2])
        at.append(levels[i])
        slopes.append(float(now.norm()) / norm)
        bends.append(float(((now - before) / (levels[i] - levels[i - 2])).norm()) / norm)
    return at, slopes, bends


def read_table(folder: Path) -> Smoothness | None:
    """The table of a checkpoint folder, or None where the model was not measured. Raises `ModelFilesError` for a damaged one."""
    path = folder / STEP_CACHE_TABLE
    if not path.is_file():
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        table = Smoothness(**{name: tuple(map(float, values[name])) for name in ("levels", "slopes", "bends")})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFilesError(f"model: {path} is no table of cached steps", detail=repr(error)) from error
    columns = np.array([table.levels, table.slopes, table.bends]) if len({*map(len, vars(table).values())}) == 1 else np.empty((3, 0))
    if columns.size == 0 or not np.isfinite(columns).all() or (columns < 0).any() or (np.diff(columns[0]) <= 0).any():
        raise ModelFilesError(f"model: {path} needs three equally long lists of numbers from 0 on, its levels rising")
    return table


def write_table(folder: Path, table: Smoothness, note: str) -> Path:
    """Write the table beside a checkpoint's index; `note` says where it comes from."""
    columns = {name: "[" + ", ".join(f"{value:.4g}" for value in values) + "]" for name, values in vars(table).items()}
    path = folder / STEP_CACHE_TABLE
    path.write_text(f"# {note}\n" + "".join(f"{name} = {values}\n" for name, values in columns.items()), encoding="utf-8")
    return path
