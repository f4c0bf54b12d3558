"""How much memory a generation will need, known before it starts, and what "out of memory" looks like on each device.

What a stage holds beside the weights is found by walking the model's own classes, built from its configuration, on tensors without data
(`cinelet.engine.footprint`). Constants stand only for what belongs to the libraries. `benchmarks/memory.py` compares with real peaks of
engines that have a limit; without one a CPU's C library keeps some of what was freed (`frugal`).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch import nn

from cinelet.engine.decoder import LADDER, Decoder, Rung, quantise, tile_sides
from cinelet.engine.denoiser import FOLD_BELOW_TOKENS
from cinelet.engine.footprint import walk
from cinelet.engine.model import WanModel
from cinelet.engine.precision import half_dtype
from cinelet.engine.prompt import MAX_TOKENS
from cinelet.engine.residency import PLACEMENTS, Placement, StageWeights, weights_by_placement
from cinelet.engine.tiny_decoder import TinyDecoder
from cinelet.engine.windowed import window_shape
from cinelet.video import VaeTier

RUNTIME_BYTES = 425 << 20
"""Python, torch and the model libraries in a process that has loaded a model, where nobody read it (425 MiB seen on Linux, CPU build)."""
FIRST_STEP_BYTES, FIRST_DECODE_BYTES = 19 << 20, 28 << 20
"""What the first step and the first decode add for good on a CPU: code, compiled kernels (17.7 to 19.3 and 25.4 to 35 MiB seen)."""
GPU_WORKSPACE_BYTES = 64 << 20
"""Workspaces of cuBLAS (32 MiB on Hopper by torch's documentation) and cuDNN. Not verified on a GPU."""
SHORT_PROMPT_TOKENS = 64
"""Prompt tokens where padding is folded; the sentences of the benchmarks have 10 to 40."""
WALKED_BLOCKS = 2
"""Blocks are alike, and each frees what it used: two show the peak of any number."""
TILES_WALKED_FRAMES = 3
"""A causal decoder holds the most from its third pass on: its caches are full."""
LONGEST_SIDE_TOKENS = 4096
"""More than any side or length of a clip has: a question about a clip that the model cannot make is answered too."""
MAX_KNOWN_SHAPES = 64
M_MMAP_THRESHOLD, MAPPED_FROM_BYTES = -3, 1 << 20
"""glibc's parameter (malloc.h), and from which size on a block is mapped by itself: below what matters, above most of a small step's."""
USUALLY_MAPPED_FROM_BYTES = 32 << 20
"""Where glibc's own threshold comes to rest (DEFAULT_MMAP_THRESHOLD_MAX)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Predicted bytes: the libraries, the weights by placement and stage, one denoising forward, a decode by each rung."""

    base: int
    weights: Mapping[Placement, StageWeights]
    denoise: int
    decode: Mapping[Rung, int]

    @property
    def resident(self) -> int:
        """What is there before any work, with all weights on the device."""
        return self.base + self.weights["all"].denoise

    def peak(self, rung: Rung = "full", placement: Placement = "all") -> int:
        """The largest of encoding, denoising and decoding, with the weights that each keeps on the device."""
        weights = self.weights[placement]
        return self.base + max(weights.encode, weights.denoise + self.denoise, weights.decode + self.decode[rung])

    def step_peak(self, placement: Placement = "all") -> int:
        """Denoising alone."""
        return self.base + self.weights[placement].denoise + self.denoise

    def first_within(self, limit_bytes: int, placements: Sequence[Placement] = PLACEMENTS) -> tuple[Placement, Rung] | None:
        """The first rung of the ladder that stays within `limit_bytes`: whole frames in any placement before tiles, which have seams."""
        rungs = [(placement, rung) for placement in placements for rung in LADDER[:-1]]
        rungs += [(placement, LADDER[-1]) for placement in placements]
        return next(((placement, rung) for placement, rung in rungs if self.peak(rung, placement) <= limit_bytes), None)

    def first_rung_within(self, limit_bytes: int) -> Rung | None:
        """The fastest decode that stays within `limit_bytes` with all weights on the device, or None."""
        found = self.first_within(limit_bytes, ("all",))
        return None if found is None else found[1]


class Foresight:
    """Predicts for one model. The first question about a shape takes a fraction of a second, later ones nothing."""

    def __init__(self, model: WanModel) -> None:
        self._model = model
        self._weights = weights_by_placement(model)
        self._on_cpu = model.device.type == "cpu"
        self._denoise = lru_cache(MAX_KNOWN_SHAPES)(self._walk_forward)
        self._decode = lru_cache(MAX_KNOWN_SHAPES)(self._walk_decodes)

    def estimate(
        self, latent_shape: tuple[int, ...], group_size: int = 1, forwards: int = 1, window: int = 0, tier: VaeTier = "full"
    ) -> MemoryEstimate:
        """Prediction for `group_size` clips of one latent shape; `forwards` is 2 where guidance joins both passes, else 1.

        `window` is the latent frames of one forward and of one pass of the first rung, 0 where both take all.
        """
        denoise = self._denoise(window_shape(latent_shape, window), group_size * forwards)
        decode = self._decode(tuple(latent_shape), window, tier)
        first_step, first_decode = (FIRST_STEP_BYTES, FIRST_DECODE_BYTES) if self._on_cpu else (GPU_WORKSPACE_BYTES, GPU_WORKSPACE_BYTES)
        return MemoryEstimate(
            base=self._base,
            weights=self._weights,
            denoise=denoise + first_step,
            decode={rung: size + first_decode for rung, size in decode.items()},
        )

    @cached_property
    def _base(self) -> int:
        """What is there beside the weights: read when the model was loaded, or the constant."""
        if not self._on_cpu:
            return 0
        return self._model.loaded_bytes - self._weights["all"].denoise if self._model.loaded_bytes else RUNTIME_BYTES

    @cached_property
    def _expert(self) -> Any:
        config = self._model.experts[0].config
        blocks = min(WALKED_BLOCKS, config.num_layers)
        with torch.device("meta"):
            twin = WanTransformer3DModel.from_config({**config, "num_layers": blocks, "rope_max_seq_len": LONGEST_SIDE_TOKENS})
        return nn.Module.to(twin, self._model.dtype)

    def _vae(self, tier: VaeTier) -> Any:
        with torch.device("meta"):
            twin = AutoencoderKLWan.from_config(self._model.vae.config)
        return nn.Module.to(twin, half_dtype(self._model.device)) if tier == "half" else twin

    def _walk_forward(self, latent_shape: tuple[int, ...], rows: int) -> int:
        """Bytes of one denoising forward."""
        return walk(lambda: self._forward(latent_shape, rows), on_cpu=self._on_cpu)

    def _forward(self, latent_shape: tuple[int, ...], rows: int) -> Iterator[torch.Tensor]:
        config = self._expert.config
        tokens = self._model.num_tokens(latent_shape)
        prompt = SHORT_PROMPT_TOKENS if tokens < FOLD_BELOW_TOKENS else MAX_TOKENS
        levels = (rows, tokens) if self._model.expand_timesteps else (rows,)
        yield self._expert(
            hidden_states=torch.empty(rows, config.in_channels, *latent_shape[1:], dtype=self._model.dtype),
            timestep=torch.empty(levels),
            encoder_hidden_states=torch.empty(rows, prompt, config.text_dim, dtype=self._model.dtype),
            return_dict=False,
        )[0].float()

    def _walk_decodes(self, latent_shape: tuple[int, ...], window: int, tier: VaeTier) -> dict[Rung, int]:
        """Bytes of a decode by each rung; none needs more than the one before."""
        sizes: dict[Rung, int] = {}
        for rung in LADDER:
            sizes[rung] = min([self._walk_decode(latent_shape, window, tier, rung), *sizes.values()])
        return sizes

    def _walk_decode(self, latent_shape: tuple[int, ...], window: int, tier: VaeTier, rung: Rung) -> int:
        """Bytes of a decode, on a CPU with the frames."""
        channels, num_latents, height, width = latent_shape
        config = self._model.vae.config
        frame_values: int = height * width * config.scale_factor_spatial**2 * 3
        num_frames = (num_latents - 1) * config.scale_factor_temporal + 1
        frames: int = num_frames * frame_values if self._on_cpu else 0
        if rung == "tiles" and tier != "tiny":
            tile, stride = (side // config.scale_factor_spatial for side in tile_sides(height, width, config.scale_factor_spatial))
            shape = (channels, min(num_latents, TILES_WALKED_FRAMES), min(tile, height), min(tile, width))
            one_tile = walk(lambda: self._passes(shape, 1, tier), on_cpu=self._on_cpu)
            clip: int = num_frames * frame_values * (2 if tier == "half" else 4)
            covered = prod(sum(min(tile, side - at) for at in range(0, side, stride)) / side for side in (height, width))
            # diffusers' tiled_decode keeps all tiles, beside them the joined rows, the clip put together, and its clamped copy
            return frames + int(covered * clip) + max(one_tile, 3 * clip)
        longest = (window or num_latents) if rung == "full" else 1
        shape = (channels, min(num_latents, 1 + 2 * longest), height, width)
        return frames + walk(lambda: self._passes(shape, longest, tier), on_cpu=self._on_cpu)

    def _passes(self, shape: tuple[int, ...], longest: int, tier: VaeTier) -> Iterator[torch.Tensor]:
        """A decode in passes of `longest` latent frames, to the frames of each pass."""
        if tier == "tiny" and self._model.tiny_decoder is not None:
            tiny = self._model.tiny_decoder
            twin = TinyDecoder(tiny.config).to(next(tiny.parameters()).dtype)
            for part_BCTHW in twin.stream(iter(torch.empty(1, *shape, dtype=next(twin.parameters()).dtype).split(longest, dim=2))):
                yield quantise(part_BCTHW[0].transpose(0, 1))
            return
        vae = self._vae(tier)
        decoder = Decoder(vae)
        latents_BCTHW = decoder.denormalise(torch.empty(shape)).to(vae.dtype)
        for part_TCHW in decoder._decode_passes(latents_BCTHW, longest):
            yield quantise(part_TCHW)


@contextmanager
def frugal(device: torch.device) -> Iterator[None]:
    """Meanwhile the C library gives each freed block of a CPU's tensors back at once: less memory, a slower decode.

    Without it freed memory stays with the process where something in use lies above it: one decode in many passes was seen to hold 1.6
    times what it used. Elsewhere than under glibc nothing happens.
    """
    libc = ctypes.CDLL(None) if device.type == "cpu" and sys.platform == "linux" else None
    if libc is None or not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):
        yield
        return
    libc.malloc_trim(0)
    libc.mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_THRESHOLD, USUALLY_MAPPED_FROM_BYTES)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device or the machine had no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "not enough memory" in str(error).lower()
