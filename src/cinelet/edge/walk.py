"""A sampler's walk from noise to a clip as a table of numbers. Knows no solver, no torch, no model.

All our solvers are linear: the latents after step k are a weighted sum of the start latents, of the velocities of steps 0 to k, and of
the noise a stochastic solver drew; the weights depend on the noise levels alone. So they are worked out once, where the solver is at
hand, and a machine without torch and diffusers walks the same way. The price: it keeps the velocities of all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Walk:
    """One number of steps. `timesteps` go from largest to smallest.

    `weights[k]` are those of the start latents and of the velocities 0 to k in the latents after step k; `noise_weights[k]` those of the
    standard normal draws 0 to k, empty where the solver draws nothing.
    """

    timesteps: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    noise_weights: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ("weights", "noise_weights"):  # from JSON, which knows lists only
            object.__setattr__(self, name, tuple(tuple(row) for row in getattr(self, name)))
        object.__setattr__(self, "timesteps", tuple(self.timesteps))

    @property
    def num_steps(self) -> int:
        """How many steps it has."""
        return len(self.timesteps)

    def latents_after(
        self,
        step: int,
        start: NDArray[np.float32],
        velocities: Sequence[NDArray[np.float32]],
        draws: Sequence[NDArray[np.float32]] = (),
    ) -> NDArray[np.float32]:
        """The latents after `step`, from everything up to it."""
        noise = self.noise_weights[step] if self.noise_weights else ()
        latents = np.zeros_like(start)
        for weight, part in zip((*self.weights[step], *noise), (start, *velocities, *draws), strict=True):
            latents += np.float32(weight) * part
        return latents
