"""Latents → frames: the ladder of decodes from fastest to smallest, and cheap previews.

Every rung gives the clip of the reference's `AutoencoderKLWan.decode` (tiles: but for blended seams). The reference
decodes one latent frame at a time; because the autoencoder is causal and carries its history in a cache, several latent
frames may be passed at once with the same result, which keeps the device busier. The ladder trades that for memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify
from numpy.typing import NDArray

from cinelet.video import OnFrames

Rung = Literal["full", "frames", "tiles"]
LADDER: tuple[Rung, ...] = ("full", "frames", "tiles")
"""`full`: all later latent frames in one pass (of a long clip a window's); `frames`: one a pass; `tiles`: overlapping tiles as well."""

TILE_PIXELS, TILE_STRIDE = 256, 192
"""Side and distance of tiles in pixels, the reference's own defaults; smaller clips use half their own size."""


class Decoder:
    """The autoencoder's decoding half for one model, in the type of its weights."""

    ladder = LADDER

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        shape = (1, vae.config.z_dim, 1, 1, 1)
        self._mean = torch.tensor(vae.config.latents_mean, device=vae.device).view(shape)
        self._std = torch.tensor(vae.config.latents_std, device=vae.device).view(shape)
        self._projection: torch.Tensor | None = None

    @torch.no_grad()
    def decode(
        self,
        latents_CTHW: torch.Tensor,
        num_frames: int,
        rung: Rung = "full",
        on_frames: OnFrames | None = None,
        max_pass: int = 0,
    ) -> NDArray[np.uint8]:
        """Frames uint8 `[num_frames, H, W, C]`; `on_frames` gets those of each pass.

        `max_pass` bounds the latent frames of one pass on the first rung (0: no bound), so that a long clip needs no more than a short one.
        """
        latents_BCTHW = self.denormalise(latents_CTHW).to(self._vae.dtype)
        longest = (max_pass or latents_BCTHW.shape[2]) if rung == "full" else 1
        parts = self._decode_tiles(latents_BCTHW) if rung == "tiles" else self._decode_passes(latents_BCTHW, longest)
        return collect(parts, num_frames, on_frames)

    def denormalise(self, latents_CTHW: torch.Tensor) -> torch.Tensor:
        """The latents in the autoencoder's own scale, float32, with a batch axis."""
        return latents_CTHW.float()[None] * self._std + self._mean

    def _decode_passes(self, latents_BCTHW: torch.Tensor, longest: int) -> Iterator[torch.Tensor]:
        vae = self._vae
        x = vae.post_quant_conv(latents_BCTHW)
        parts = (x[:, :, :1], *x[:, :, 1:].split(longest, dim=2)) if x.shape[2] > 1 else (x,)
        vae.clear_cache()
        try:
            for i, part in enumerate(parts):
                pixels = vae.decoder(part, feat_cache=vae._feat_map, feat_idx=[0], first_chunk=i == 0)
                yield self._to_pixels(pixels)
        finally:
            vae.clear_cache()

    def _decode_tiles(self, latents_BCTHW: torch.Tensor) -> Iterator[torch.Tensor]:
        vae = self._vae
        scale = vae.config.scale_factor_spatial
        height, width = (side * scale for side in latents_BCTHW.shape[-2:])
        tile, stride = tile_sides(height // scale, width // scale, scale)
        vae.enable_tiling(tile, tile, stride, stride)
        try:
            yield vae.decode(latents_BCTHW, return_dict=False)[0][0].transpose(0, 1)
        finally:
            vae.disable_tiling()

    def _to_pixels(self, output_BCTHW: torch.Tensor) -> torch.Tensor:
        patch = self._vae.config.patch_size
        pixels: torch.Tensor = output_BCTHW if patch is None else unpatchify(output_BCTHW, patch_size=patch)
        return pixels[0].transpose(0, 1)

    @property
    def has_projection(self) -> bool:
        """Whether previews need no decode any more."""
        return self._projection is not None

    @torch.no_grad()
    def preview(self, latents_CTHW: torch.Tensor) -> NDArray[np.uint8]:
        """A rough picture for each latent frame, uint8 `[T', H', W', C]` at latent size: one small matrix, no decode."""
        if self._projection is None:
            self._projection = fit_projection(self)
        pixels = torch.einsum("cthw,cr->trhw", latents_CTHW.float(), self._projection[:-1]) + self._projection[-1][None, :, None, None]
        return to_uint8(pixels)


def collect(parts_TCHW: Iterator[torch.Tensor], num_frames: int, on_frames: OnFrames | None) -> NDArray[np.uint8]:
    """The first `num_frames` frames, uint8 `[T, H, W, C]`, of pixels that come in parts; each part is told as it comes."""
    frames: NDArray[np.uint8] = np.empty(0, np.uint8)
    done = 0
    for part_TCHW in parts_TCHW:
        part = to_uint8(part_TCHW[: num_frames - done])
        if done == 0:
            frames = np.empty((num_frames, *part.shape[1:]), np.uint8)
        frames[done : done + len(part)] = part
        if on_frames:
            on_frames(done, part)
        done += len(part)
    return frames


def to_uint8(pixels_TCHW: torch.Tensor) -> NDArray[np.uint8]:
    """Pixels in -1..1 to uint8 `[T, H, W, C]`, rounded to the nearest as diffusers' video processor exports them."""
    result: NDArray[np.uint8] = quantise(pixels_TCHW).permute(0, 2, 3, 1).cpu().numpy()
    return result


def quantise(pixels_TCHW: torch.Tensor) -> torch.Tensor:
    """Pixels in -1..1 to uint8 of the same axes."""
    return pixels_TCHW.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)


def tile_sides(height: int, width: int, scale: int) -> tuple[int, int]:
    """Side and distance of tiles in pixels for latents of so many rows and columns, each of `scale` pixels."""
    tile = max(4 * scale, min(TILE_PIXELS, max(height, width) // 2 * scale))
    return tile, max(scale, tile * TILE_STRIDE // TILE_PIXELS // scale * scale)


def fit_projection(decoder: Decoder, side: int = 16, num_samples: int = 8) -> torch.Tensor:
    """The linear map `[C + 1, 3]` from a latent to its mean colour, learnt from the autoencoder itself.

    Smooth random latents are decoded as single frames and their block means regressed on the latents (least squares,
    fixed seed), so any checkpoint has previews without a table of constants.
    """
    generator = torch.Generator().manual_seed(0)
    channels = decoder._mean.shape[1]
    coarse = torch.randn((num_samples, channels, side // 4, side // 4), generator=generator) * 1.2
    latents = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear").to(decoder._mean.device)
    colours = []
    for sample in latents:
        frame = decoder.decode(sample[:, None], 1)
        blocks = torch.from_numpy(frame).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        colours.append(torch.nn.functional.adaptive_avg_pool2d(blocks, side)[0])
    inputs = latents.permute(0, 2, 3, 1).reshape(-1, channels).cpu()
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    targets = torch.stack(colours).permute(0, 2, 3, 1).reshape(-1, 3)
    solution: torch.Tensor = torch.linalg.lstsq(inputs, targets).solution
    return solution.to(decoder._mean.device)
