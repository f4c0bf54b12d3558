"""One forward for a group of trajectories: latents and noise levels in, velocities out.

Members of a group share the expert, the latent shape, the adapters and whether guidance is on; each has its own noise level, prompt
and guidance scale. Knows nothing of samplers, order, or time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from cinelet.engine.attention import PromptBatch, fold, install, pad
from cinelet.engine.lora import LoraSwitch
from cinelet.engine.model import WanModel
from cinelet.engine.start_image import model_input, token_timesteps
from cinelet.engine.trajectory import Trajectory
from cinelet.engine.windowed import in_windows, window_length, window_shape
from cinelet.video import LoraUse

FOLD_BELOW_TOKENS = 4096
"""Clips with fewer tokens than this fold the prompt's padding; `benchmarks/engine.py` shows the gain on the pocket model."""


@dataclass(frozen=True)
class GroupKey:
    """What trajectories must share to be stepped in one forward; `is_skipped` ones need none (`cinelet.engine.step_cache`).

    `window` is the latent frames that the model sees at once, 0 where it sees all (`cinelet.engine.windowed`).
    """

    latent_shape: tuple[int, ...]
    expert: int
    is_guided: bool
    loras: tuple[LoraUse, ...] = ()
    is_skipped: bool = False
    window: int = 0


class Denoiser:
    """The model's experts as one function of a group.

    `join_guidance` runs the conditional and the unconditional pass as one forward of twice the batch; whether that is
    faster is measured (`benchmarks/engine.py`) and set by the caller.
    """

    def __init__(
        self, model: WanModel, *, join_guidance: bool = True, fold_prompts: bool = True, adapters: LoraSwitch | None = None
    ) -> None:
        self.model = model
        self.join_guidance = join_guidance
        self.fold_prompts = fold_prompts
        self.adapters = LoraSwitch(model.experts, model.dtype) if adapters is None else adapters
        self._processor = install(model.experts)

    def key(self, trajectory: Trajectory) -> GroupKey:
        """The group that the trajectory's next step belongs to."""
        return GroupKey(
            latent_shape=tuple(trajectory.latents_CTHW.shape),
            expert=self.model.expert_at(trajectory.sampler.timestep),
            is_guided=trajectory.negative_LD is not None,
            loras=trajectory.plan.loras,
            is_skipped=trajectory.cache is not None and trajectory.cache.can_skip(trajectory.step),
            window=window_length(self.model, trajectory.plan),
        )

    @torch.no_grad()
    def velocity(self, group: Sequence[Trajectory]) -> torch.Tensor:
        """Guided velocities `[B, C, T, H, W]` in float32 of a group that shares one key; ValueError where it does not."""
        key = self.key(group[0])
        if any(self.key(member) != key for member in group):
            raise ValueError("the members of a group must share latent shape, expert, guidance and adapters")
        self.adapters.activate(key.expert, key.loras)
        if key.is_skipped:
            return torch.cat([t.cache.extrapolate(t.step) for t in group if t.cache is not None])
        latents_BCTHW = torch.stack([model_input(t) for t in group]).to(self.model.dtype)
        timesteps = self._timesteps(group, key)
        conditional = [t.prompt_LD for t in group]
        if not key.is_guided:
            return self._forward(key, latents_BCTHW, timesteps, conditional).float()
        unconditional = [t.negative_LD for t in group if t.negative_LD is not None]
        if self.join_guidance:
            both = self._forward(
                key, torch.cat([latents_BCTHW, latents_BCTHW]), torch.cat([timesteps, timesteps]), conditional + unconditional
            )
            with_prompt, without = both.chunk(2)
        else:
            with_prompt = self._forward(key, latents_BCTHW, timesteps, conditional)
            without = self._forward(key, latents_BCTHW, timesteps, unconditional)
        scales = [t.plan.guidance_scale if key.expert == 0 else t.plan.guidance_scale_2 for t in group]
        scale_B1111 = torch.tensor(scales, dtype=without.dtype, device=without.device).view(-1, 1, 1, 1, 1)
        return (without + scale_B1111 * (with_prompt - without)).float()

    def _timesteps(self, group: Sequence[Trajectory], key: GroupKey) -> torch.Tensor:
        """One noise level a clip, `[B]`, or one a token, `[B, tokens]`, as the checkpoint wants them."""
        if self.model.expand_timesteps:
            return token_timesteps(group, self.model.num_tokens(key.latent_shape))
        return torch.stack([t.sampler.timestep for t in group])

    def _forward(self, key: GroupKey, latents_BCTHW: torch.Tensor, timesteps: torch.Tensor, prompts: list[torch.Tensor]) -> torch.Tensor:
        batch = self._batch_prompts(key, prompts)
        self._processor.bias_B11L = None if batch.bias_B11L is None else batch.bias_B11L.to(self.model.expert_device(key.expert))

        device = self.model.expert_device(key.expert)
        embeds_BLD = batch.embeds_BLD.to(device)

        def forward(part_BCTHW: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.model.experts[key.expert](
                hidden_states=part_BCTHW.to(device), timestep=levels.to(device), encoder_hidden_states=embeds_BLD, return_dict=False
            )[0]
            return result.to(self.model.device)

        return in_windows(forward, latents_BCTHW, timesteps, key.window)

    def _batch_prompts(self, key: GroupKey, prompts: list[torch.Tensor]) -> PromptBatch:
        is_small = self.model.num_tokens(window_shape(key.latent_shape, key.window)) < FOLD_BELOW_TOKENS
        prompts = [prompt_LD.to(self.model.dtype) for prompt_LD in prompts]
        return fold(prompts) if self.fold_prompts and is_small else pad(prompts)
