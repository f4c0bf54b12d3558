"""The two functions of a model that an export holds, as torch modules with plain tensors in and out. Knows no ONNX, no files.

A prompt comes without its padding: one token stands for all of it, raised by its score (`cinelet.engine.attention`). So a graph takes
prompts of any length, and computes twenty tokens where the reference computes 512.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

from cinelet.engine.attention import FoldedPromptProcessor


class TransformerGraph(torch.nn.Module):
    """Latents, noise level, prompt → velocity, of one expert. The noise level is one a clip, or one a token where the model expands it."""

    def __init__(self, expert: Any, processor: FoldedPromptProcessor) -> None:
        super().__init__()
        self.expert = expert
        self._processor = processor

    def forward(
        self, latents_BCTHW: torch.Tensor, timestep: torch.Tensor, prompt_BLD: torch.Tensor, prompt_bias_B11L: torch.Tensor
    ) -> torch.Tensor:
        """Velocity `[B, C, T, H, W]`."""
        self._processor.bias_B11L = prompt_bias_B11L
        try:
            velocity: torch.Tensor = self.expert(
                hidden_states=latents_BCTHW, timestep=timestep, encoder_hidden_states=prompt_BLD, return_dict=False
            )[0]
        finally:
            self._processor.bias_B11L = None
        return velocity


class DecoderGraph(torch.nn.Module):
    """Latents as the transformer has them → pixels in -1..1, the whole clip: the first latent frame, then all others in one pass."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        shape = (1, vae.config.z_dim, 1, 1, 1)
        vae.clear_cache()
        self.post_quant_conv = vae.post_quant_conv
        self.decoder = vae.decoder
        self.mean = torch.nn.Buffer(torch.tensor(vae.config.latents_mean).view(shape))
        self.std = torch.nn.Buffer(torch.tensor(vae.config.latents_std).view(shape))
        self._patch_size: int | None = vae.config.patch_size
        self._num_caches = len(vae._feat_map)

    def forward(self, latents_BCTHW: torch.Tensor) -> torch.Tensor:
        """Pixels `[B, 3, T, H, W]`."""
        x: torch.Tensor = self.post_quant_conv(latents_BCTHW * self.std + self.mean)
        rest = x.shape[2] - 1
        cache: list[torch.Tensor | None] = [None] * self._num_caches
        parts = [
            self.decoder(part, feat_cache=cache, feat_idx=[0], first_chunk=i == 0)
            for i, part in enumerate(x.split([1, rest] if rest else [1], dim=2))
        ]
        pixels = torch.cat(parts, dim=2)
        if self._patch_size is not None:
            pixels = unpatchify(pixels, patch_size=self._patch_size)
        return pixels.clamp(-1, 1)
