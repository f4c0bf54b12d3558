"""Works out a sampler's walk: it is driven with unit vectors in place of latents, and what comes back are its weights."""

from __future__ import annotations

import torch

from cinelet.edge.walk import Walk
from cinelet.engine.sampler import Sampler


def trace_walk(sampler: Sampler) -> Walk:
    """The table of a fresh `sampler`, which is used up. Any linear solver will do.

    The axes of the vectors: the start latents, the velocities, the draws, and one more on which a solver can only put noise of its own:
    there its strength is read off.
    """
    num_steps = sampler.num_steps
    unit = torch.eye(2 * num_steps + 2)[:, None, :, None, None, None]
    draws = unit[1 + num_steps :]
    latents, generator = unit[0], torch.Generator()
    timesteps, weights, noise_weights = [], [], []
    for step in range(num_steps):
        timesteps.append(sampler.timestep.item())
        drawn = torch.randn(latents.shape, generator=torch.Generator().manual_seed(step))
        latents = sampler.step(unit[1 + step], latents, generator.manual_seed(step))
        strength = (latents / drawn)[0, -1].item()
        latents = latents - strength * drawn + strength * draws[step]
        row = latents.flatten().tolist()
        weights.append(tuple(row[: step + 2]))
        noise_weights.append(tuple(row[1 + num_steps : 2 + num_steps + step]))
    is_stochastic = any(any(row) for row in noise_weights)
    return Walk(timesteps=tuple(timesteps), weights=tuple(weights), noise_weights=tuple(noise_weights) if is_stochastic else ())
