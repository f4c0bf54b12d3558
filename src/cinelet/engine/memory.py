"""How much memory a generation will need, known before it starts, and what "out of memory" looks like on each device."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from cinelet.engine.decoder import LADDER, Rung
from cinelet.engine.model import WanModel

TRANSFORMER_BUFFERS = 20
"""Live copies of the hidden states at the busiest point of a block (21 MiB seen for one guided clip of the pocket model)."""
FFN_BUFFERS = 2
"""Live copies of the feed-forward layer's inner states (before and after the activation)."""
DECODER_BUFFERS = 7
"""Live copies of the decoder's widest feature map in a residual block (input, shortcut, padded, normalised, output, caches)."""
RUNTIME_BYTES = 410 << 20
"""What Python, torch and the model libraries hold beside the weights (391 MiB after import on Linux, CPU build, and some for loading)."""
DECODER_BASE_BYTES = 100 << 20
"""What the convolution library keeps for the decoder whatever the clip (pocket model on a CPU: 139 MiB for the smallest rung in all)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Predicted bytes: what is there before any work (libraries and weights), one denoising forward, a decode by each rung."""

    resident: int
    denoise: int
    decode: Mapping[Rung, int]

    def peak(self, rung: Rung = "full") -> int:
        """The larger of denoising and decoding, on top of what is there before."""
        return self.resident + max(self.denoise, self.decode[rung])

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
        resident=RUNTIME_BYTES + model.weights_bytes,
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
    return DECODER_BASE_BYTES + int(4 * (features + pixels * frames * 3 * 2))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device or the machine had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error).lower()


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory used so far: of the device's allocator on a GPU, of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's memory too: its high-water mark outlives exec
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
