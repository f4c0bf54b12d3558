"""One forward for a group of trajectories: latents and noise levels in, velocities out.

Members of a group share the expert, the latent shape and whether guidance is on; each has its own noise level, prompt
and guidance scale. Knows nothing of samplers, order, or time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cinelet.engine.attention import PromptBatch, fold, install, pad
from cinelet.engine.model import WanModel
from cinelet.engine.trajectory import Trajectory

FOLD_BELOW_TOKENS = 4096
"""Clips with fewer tokens than this fold the prompt's padding; `benchmarks/engine.py` shows the gain on the pocket model."""


@dataclass(frozen=True)
class GroupKey:
    """What trajectories must share to be stepped in one forward."""

    latent_shape: tuple[int, ...]
    expert: int
    is_guided: bool


class Denoiser:
    """The model's experts as one function of a group.

    `join_guidance` runs the conditional and the unconditional pass as one forward of twice the batch; whether that is
    faster is measured (`benchmarks/engine.py`) and set by the caller.
    """

    def __init__(self, model: WanModel, *, join_guidance: bool = True, fold_prompts: bool = True) -> None:
        self.model = model
        self.join_guidance = join_guidance
        self.fold_prompts = fold_prompts
        self._processor = install(model.experts)

    def key(self, trajectory: Trajectory) -> GroupKey:
        """The group that the trajectory's next step belongs to."""
        return GroupKey(
            latent_shape=tuple(trajectory.latents_CTHW.shape),
            expert=self.model.expert_at(trajectory.sampler.timestep),
            is_guided=trajectory.negative_LD is not None,
        )

    @torch.no_grad()
    def velocity(self, group: Sequence[Trajectory]) -> torch.Tensor:
        """Guided velocities `[B, C, T, H, W]` in float32 of a group that shares one key; ValueError where it does not."""
        key = self.key(group[0])
        if any(self.key(member) != key for member in group):
            raise ValueError("the members of a group must share latent shape, expert and guidance")
        latents_BCTHW = torch.stack([t.latents_CTHW for t in group]).to(self.model.dtype)
        timesteps_B = torch.stack([t.sampler.timestep for t in group])
        conditional = [t.prompt_LD for t in group]
        if not key.is_guided:
            return self._forward(key, latents_BCTHW, timesteps_B, conditional).float()
        unconditional = [t.negative_LD for t in group if t.negative_LD is not None]
        if self.join_guidance:
            both = self._forward(
                key, torch.cat([latents_BCTHW, latents_BCTHW]), torch.cat([timesteps_B, timesteps_B]), conditional + unconditional
            )
            with_prompt, without = both.chunk(2)
        else:
            with_prompt = self._forward(key, latents_BCTHW, timesteps_B, conditional)
            without = self._forward(key, latents_BCTHW, timesteps_B, unconditional)
        scales = [t.plan.guidance_scale if key.expert == 0 else t.plan.guidance_scale_2 for t in group]
        scale_B1111 = torch.tensor(scales, dtype=without.dtype, device=without.device).view(-1, 1, 1, 1, 1)
        return (without + scale_B1111 * (with_prompt - without)).float()

    def _forward(self, key: GroupKey, latents_BCTHW: torch.Tensor, timesteps_B: torch.Tensor, prompts: list[torch.Tensor]) -> torch.Tensor:
        batch = self._batch_prompts(key, prompts)
        self._processor.bias_B11L = batch.bias_B11L
        timestep = timesteps_B
        if self.model.expand_timesteps:
            timestep = timesteps_B[:, None].expand(-1, self.model.num_tokens(key.latent_shape))
        result: torch.Tensor = self.model.experts[key.expert](
            hidden_states=latents_BCTHW, timestep=timestep, encoder_hidden_states=batch.embeds_BLD, return_dict=False
        )[0]
        return result

    def _batch_prompts(self, key: GroupKey, prompts: list[torch.Tensor]) -> PromptBatch:
        is_small = self.model.num_tokens(key.latent_shape) < FOLD_BELOW_TOKENS
        prompts = [prompt_LD.to(self.model.dtype) for prompt_LD in prompts]
        return fold(prompts) if self.fold_prompts and is_small else pad(prompts)
