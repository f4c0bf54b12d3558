"""How much memory a generation will need, known before it starts, and what "out of memory" looks like on each device."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from cinelet.engine.decoder import LADDER, Rung
from cinelet.engine.model import WanModel

TRANSFORMER_BUFFERS = 10
"""Live copies of the hidden states at the busiest point of a block (states, norms in float32, q, k, v, rotated copies, output)."""
FFN_BUFFERS = 2
"""Live copies of the feed-forward layer's inner states (before and after the activation)."""
DECODER_BUFFERS = 7
"""Live copies of the decoder's widest feature map in a residual block (input, shortcut, padded, normalised, output, caches)."""
RUNTIME_BYTES = 450 << 20
"""What Python, torch and the model libraries hold before any weight is loaded (measured on Linux, CPU build)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Predicted bytes: weights, one denoising forward, and a decode by each rung of the ladder."""

    weights: int
    denoise: int
    decode: Mapping[Rung, int]

    def peak(self, rung: Rung = "full") -> int:
        """The larger of denoising and decoding, on top of the weights."""
        return self.weights + max(self.denoise, self.decode[rung])

    def first_rung_within(self, limit_bytes: int) -> Rung | None:
        """The fastest decode that stays within `limit_bytes`, or None if none does (or the denoising does not)."""
        return next((rung for rung in LADDER if self.peak(rung) <= limit_bytes), None)


def estimate(model: WanModel, latent_shape: tuple[int, ...], group_size: int, forwards: int) -> MemoryEstimate:
    """Prediction for `group_size` clips of one latent shape; `forwards` is 2 where guidance joins both passes, else 1."""
    config = model.experts[0].config
    width = config.num_attention_heads * config.attention_head_dim
    values = model.num_tokens(latent_shape) * (TRANSFORMER_BUFFERS * width + FFN_BUFFERS * config.ffn_dim)
    bytes_per_value = torch.finfo(model.dtype).bits // 8
    return MemoryEstimate(
        weights=model.weights_bytes,
        denoise=values * group_size * forwards * bytes_per_value,
        decode={rung: _decode_bytes(model, latent_shape, rung) for rung in LADDER},
    )


def _decode_bytes(model: WanModel, latent_shape: tuple[int, ...], rung: Rung) -> int:
    config = model.vae.config
    patch = config.patch_size or 1
    _, latent_frames, height, width = latent_shape
    frames = latent_frames * config.scale_factor_temporal
    pixels = height * width * config.scale_factor_spatial**2
    channels = (config.decoder_base_dim or config.base_dim) * max(1, config.dim_mult[1])
    one_pass = min(1.0, (config.scale_factor_temporal + 2) / frames)
    share = {"full": 1.0, "frames": one_pass, "tiles": 0.25 * one_pass}[rung]
    features = pixels // patch**2 * channels * frames * share * DECODER_BUFFERS
    return int(4 * (features + pixels * frames * 3 * 2))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device or the machine had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error).lower()


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory used so far: of the device's allocator on a GPU, of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
