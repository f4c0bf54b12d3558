"""The decoders of one model by tier: full in float32, half in 16 bits, tiny by another network. None stands in for another.

Each decodes by the rungs of its own ladder. Knows nothing of memory limits; the engine picks the rung.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cinelet.engine.decoder import Decoder, Rung, collect
from cinelet.engine.model import WanModel
from cinelet.engine.precision import half_dtype
from cinelet.engine.tiny_decoder import TinyDecoder
from cinelet.errors import InvalidValueError
from cinelet.video import OnFrames, VaeTier


class TinyTier:
    """The tiny decoder with the verbs of `Decoder`. It has no tiles: a latent frame at a time is small enough."""

    ladder: tuple[Rung, ...] = ("full", "frames")

    def __init__(self, network: TinyDecoder, full: Decoder) -> None:
        self._network = network
        self._full = full

    @torch.no_grad()
    def decode(
        self,
        latents_CTHW: torch.Tensor,
        num_frames: int,
        rung: Rung = "full",
        on_frames: OnFrames | None = None,
        max_pass: int = 0,
    ) -> NDArray[np.uint8]:
        """As `Decoder.decode`."""
        is_normalised = self._network.config.is_normalised
        latents_BCTHW = latents_CTHW[None] if is_normalised else self._full.denormalise(latents_CTHW)
        longest = (max_pass or latents_BCTHW.shape[2]) if rung == "full" else 1
        return collect(self._parts(latents_BCTHW, longest), num_frames, on_frames)

    def _parts(self, latents_BCTHW: torch.Tensor, longest: int) -> Iterator[torch.Tensor]:
        dtype = next(self._network.parameters()).dtype
        for pixels_BCTHW in self._network.stream(iter(latents_BCTHW.to(dtype).split(longest, dim=2))):
            yield pixels_BCTHW[0].transpose(0, 1)


class Tiers:
    """A model's decoders. The half one is made, from a copy of the weights, when the first clip asks for it."""

    def __init__(self, model: WanModel, full: Decoder) -> None:
        self._model = model
        self._full = full
        self._half: Decoder | None = None
        self._tiny = None if model.tiny_decoder is None else TinyTier(model.tiny_decoder, full)

    def check(self, tier: VaeTier) -> None:
        """Raise `InvalidValueError` where the model has no decoder of this tier."""
        if tier == "tiny" and self._tiny is None:
            raise InvalidValueError("vae", tier, "this model has no tiny decoder; it takes full and half")

    def get(self, tier: VaeTier) -> Decoder | TinyTier:
        """The decoder of a tier. Raises `InvalidValueError`."""
        self.check(tier)
        if tier == "full":
            return self._full
        if tier == "tiny" and self._tiny is not None:
            return self._tiny
        if self._half is None:
            self._half = Decoder(_halved(self._model))
        return self._half


def named(rung: Rung, tier: VaeTier) -> str:
    """What a clip's record says of its decode: `frames` for the full tier, else `frames:half` or `frames:tiny`."""
    return rung if tier == "full" else f"{rung}:{tier}"


def _halved(model: WanModel) -> nn.Module:
    """A copy of the autoencoder in 16 bits, without its encoder."""
    vae: nn.Module = copy.deepcopy(model.vae, {id(model.vae.encoder): nn.Identity()})
    return vae.to(half_dtype(model.device)).eval().requires_grad_(False)
