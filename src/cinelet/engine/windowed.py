"""One forward of a long clip, window by window: the model never sees more at once than it was trained on, nor needs memory for more.

Each window is answered alone, at its own places counted from its start, and where windows overlap their answers are mixed. All that
stands around a forward (solver, guidance, groups, checkpoints) sees one clip of its whole length. Knows nothing of prompts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from cinelet.engine.model import WanModel
from cinelet.video import Plan
from cinelet.windows import latent_frames, windows

Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def window_length(model: WanModel, plan: Plan) -> int:
    """Latent frames of the plan's windows, 0 where the clip is seen at once."""
    return latent_frames(plan.window_frames, model.vae.config.scale_factor_temporal)


def window_shape(latent_shape: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Latents of one forward: those of a window, or of the whole clip."""
    channels, num_latents, *sides = latent_shape
    return channels, min(num_latents, length or num_latents), *sides


def in_windows(forward: Forward, latents_BCTHW: torch.Tensor, timesteps: torch.Tensor, length: int) -> torch.Tensor:
    """`forward` of latents and timesteps (`[B]`, or `[B, tokens]` frame by frame), mixed of windows of `length` latent frames."""
    num_latents = latents_BCTHW.shape[2]
    spans = windows(num_latents, length)
    if len(spans) == 1:
        return forward(latents_BCTHW, timesteps)
    frame_tokens = timesteps.shape[1] // num_latents if timesteps.ndim == 2 else 0
    answers = []
    for window in spans:
        levels = timesteps[:, window.start * frame_tokens : window.stop * frame_tokens] if frame_tokens else timesteps
        answers.append(forward(latents_BCTHW[:, :, window.start : window.stop], levels).float())
    mixed_BCTHW = answers[0].new_zeros(*answers[0].shape[:2], *latents_BCTHW.shape[2:])
    for window, answer_BCTHW in zip(spans, answers, strict=True):
        shares_T11 = answer_BCTHW.new_tensor(window.shares).view(-1, 1, 1)
        mixed_BCTHW[:, :, window.start : window.stop] += answer_BCTHW * shares_T11
    return mixed_BCTHW
