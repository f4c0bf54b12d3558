"""The table of a sampler's walk leads where the sampler leads."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch

from cinelet.edge import Walk
from cinelet.edge.tracer import trace_walk
from cinelet.engine.sampler import Sampler
from cinelet.video import SAMPLERS, STOCHASTIC_SAMPLERS, SamplerName

CONFIG = {"num_train_timesteps": 1000}


def sampler(name: SamplerName, num_steps: int, **options: Any) -> Sampler:
    return Sampler(name, CONFIG, num_steps, 3.0, torch.device("cpu"), **options)


def walked(name: SamplerName, num_steps: int, **options: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Where the sampler ends, and where its table ends, on the same made-up velocities and draws."""
    torch.manual_seed(3)
    start, generator = torch.randn(1, 2, 3, 4, 5), torch.Generator().manual_seed(9)
    direct, table = sampler(name, num_steps, **options), trace_walk(sampler(name, num_steps, **options))
    table = Walk(**json.loads(json.dumps(asdict(table))))
    latents, velocities, draws = start, [], []
    for step in range(table.num_steps):
        assert table.timesteps[step] == direct.timestep.item()
        velocities.append(torch.randn(start.shape) - latents)
        if table.noise_weights:
            draws.append(torch.randn(start.shape, generator=torch.Generator().set_state(generator.get_state())))
        latents = direct.step(velocities[-1], latents, generator)
    return latents.numpy(), table.latents_after(
        table.num_steps - 1, start.numpy(), [v.numpy() for v in velocities], [d.numpy() for d in draws]
    )


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("num_steps", [1, 2, 3, 16, 50])
def test_the_table_ends_where_the_sampler_ends(name: SamplerName, num_steps: int) -> None:
    ours, theirs = walked(name, num_steps)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)


def test_a_distilled_models_noise_levels_are_kept() -> None:
    ours, theirs = walked("lcm", 3, timesteps=(1000.0, 757.0, 522.0))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)


def test_only_stochastic_samplers_draw() -> None:
    assert {name for name in SAMPLERS if trace_walk(sampler(name, 4)).noise_weights} == set(STOCHASTIC_SAMPLERS)
