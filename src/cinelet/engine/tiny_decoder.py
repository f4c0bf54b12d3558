"""A tiny decoder: latents → frames in a few flat convolutions with one frame of memory. A preview tier: quick, and rough.

The layout is that of the public TAEHV decoders (github.com/madebyollin/taehv, MIT: `taew2_1`, `taew2_2`), whose safetensors are
read by their own key names; the pocket model has a small one of its own. A frame sees the frame before it and none after, so
latent frames may be passed one by one with the same result. Knows nothing of ladders, plans or tiers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from cinelet.errors import ModelFilesError

LOUDEST = 3.0
"""Latents are bent softly into ±3 standard deviations, as TAEHV does."""


@dataclass(frozen=True, kw_only=True)
class TinyConfig:
    """Shape of a tiny decoder. The defaults are those of `taew2_1`; `taew2_2` has 48 latent channels and patches of 2.

    Each of three levels has its width and number of blocks, and ends by growing space and time by these factors; the fourth width is
    that of the last layer. `is_normalised` says which latents it was trained on: of mean 0 and deviation 1 (`taew*`), or in the
    autoencoder's own scale (`lighttae*`).
    """

    latent_channels: int = 16
    widths: tuple[int, int, int, int] = (256, 128, 64, 64)
    blocks: tuple[int, int, int] = (3, 3, 3)
    grow_space: tuple[int, int, int] = (2, 2, 2)
    grow_time: tuple[int, int, int] = (1, 2, 2)
    patch_size: int = 1
    is_normalised: bool = True

    @property
    def stride(self) -> tuple[int, int]:
        """Frames and pixels that a latent stands for."""
        return prod(self.grow_time), prod(self.grow_space) * self.patch_size


class SoftClamp(nn.Module):
    """Latents bent into ±`LOUDEST`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        return torch.tanh(x / LOUDEST) * LOUDEST


class MemoryBlock(nn.Module):
    """Three convolutions over a frame and the one before it, beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(_conv(2 * width, width), nn.ReLU(), _conv(width, width), nn.ReLU(), _conv(width, width))
        self.act = nn.ReLU()

    def forward(self, x_NCHW: torch.Tensor, before_NCHW: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        result: torch.Tensor = self.act(self.conv(torch.cat([x_NCHW, before_NCHW], dim=1)) + x_NCHW)
        return result


class GrowTime(nn.Module):
    """Each frame becomes `factor` frames."""

    def __init__(self, width: int, factor: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width * factor, 1, bias=False)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """`factor` times as many frames, in order."""
        _, channels, height, width = x_NCHW.shape
        grown: torch.Tensor = self.conv(x_NCHW)
        return grown.reshape(-1, channels, height, width)


class TinyDecoder(nn.Module):
    """The decoder of one `TinyConfig`; the numbers of its layers are those in the public files' keys."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        layers: list[nn.Module] = [SoftClamp(), _conv(config.latent_channels, widths[0]), nn.ReLU()]
        for level in range(3):
            layers += [MemoryBlock(widths[level]) for _ in range(config.blocks[level])]
            layers += [nn.Upsample(scale_factor=config.grow_space[level]), GrowTime(widths[level], config.grow_time[level])]
            layers.append(_conv(widths[level], widths[level + 1], bias=False))
        self.decoder = nn.ModuleList([*layers, nn.ReLU(), _conv(widths[3], 3 * config.patch_size**2)])

    def stream(self, parts_BCTHW: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Pixels `[B, C, T, H, W]` of about -1..1, not clamped, part by part of the latents.

        The first latent frame stands for one frame of the clip, as in Wan's autoencoders: what it grows before that is dropped.
        """
        memory: dict[int, torch.Tensor] = {}
        surplus = self.config.stride[0] - 1
        for part_BCTHW in parts_BCTHW:
            batch = len(part_BCTHW)
            x = part_BCTHW.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)
            for i, layer in enumerate(self.decoder):
                if isinstance(layer, MemoryBlock):
                    x_BTCHW = x.unflatten(0, (batch, -1))
                    first = memory.get(i, torch.zeros_like(x_BTCHW[:, :1]))
                    before = torch.cat([first, x_BTCHW[:, :-1]], dim=1)
                    memory[i] = x_BTCHW[:, -1:]
                    x = layer(x, before.flatten(0, 1))
                else:
                    x = layer(x)
            pixels = nn.functional.pixel_shuffle(x, self.config.patch_size).unflatten(0, (batch, -1)).transpose(1, 2)
            yield pixels[:, :, surplus:] * 2 - 1
            surplus = 0

    def forward(self, latents_BCTHW: torch.Tensor) -> torch.Tensor:
        """All frames in one pass; `latents_BCTHW` in the scale that the configuration says."""
        return next(self.stream(iter([latents_BCTHW])))


def load_tiny_decoder(folder: Path, *, latent_channels: int, stride: tuple[int, int]) -> TinyDecoder:
    """The tiny decoder of `folder`, in float32, for latents of so many channels and this stride of (frames, pixels).

    An encoder in the same file is left alone. Raises `ModelFilesError` where it does not load, or is for other latents.
    """
    try:
        config = read_config(folder / "config.json")
        decoder = TinyDecoder(config)
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            names = [name for name in file.keys() if name.startswith("decoder.")]  # noqa: SIM118 - not a dict
            tensors = {name: file.get_tensor(name) for name in names}
        decoder.load_state_dict(_fitting(decoder, tensors))
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelFilesError(f"model: {folder} does not load as a tiny decoder", detail=repr(error)) from error
    if (config.latent_channels, config.stride) != (latent_channels, stride):
        raise ModelFilesError(
            f"model: {folder} decodes {config.latent_channels} channels of stride {config.stride}, the model makes "
            f"{latent_channels} of stride {stride}"
        )
    return decoder.eval().requires_grad_(False)


def read_config(path: Path) -> TinyConfig:
    """The configuration of a file. Raises ValueError for keys that no tiny decoder has."""
    values: dict[str, Any] = json.loads(path.read_text())
    unknown = set(values) - {field.name for field in fields(TinyConfig)}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    tuples: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return TinyConfig(**tuples)


def _fitting(decoder: TinyDecoder, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Some public files keep what grows two frames where one is wanted: the later one is taken, as TAEHV does."""
    for i, layer in enumerate(decoder.decoder):
        name = f"decoder.{i}.conv.weight"
        if isinstance(layer, GrowTime) and name in tensors:
            tensors[name] = tensors[name][-layer.conv.out_channels :]
    return tensors


def _conv(wide: int, out: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(wide, out, 3, padding=1, bias=bias)
