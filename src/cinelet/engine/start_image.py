"""A start image on its way into a clip: pixels → condition, condition → what the model reads at each step.

Two layouts, both as diffusers' `WanImageToVideoPipeline` has them (0.42):

- *first frame* (Wan2.2 TI2V): the image's latent stands in the place of the first latent frame at every step and at the end, and
  the timestep of its tokens is 0: nothing of it is noise.
- *channels* (I2V of Wan2.1 and 2.2): the image and grey frames behind it are encoded as a clip, which the model reads beside the
  latents as further channels, with a mask of the frames that are known.

A trajectory without a condition passes through unchanged. Nothing here reads files, scales or crops: pixels come at the clip's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from cinelet.engine.model import WanModel
from cinelet.engine.trajectory import Trajectory
from cinelet.errors import InvalidValueError
from cinelet.video import Plan

Layout = Literal["none", "first frame", "channels"]


def layout_of(model: WanModel) -> Layout:
    """How the model reads a start image. Those that want one through CLIP as well (Wan2.1's I2V) are not offered: `none`."""
    config = model.experts[0].config
    if model.expand_timesteps:
        return "first frame"
    num_latents = model.vae.config.z_dim
    num_known = num_latents + model.vae.config.scale_factor_temporal
    return "channels" if config.in_channels == num_latents + num_known and config.image_dim is None else "none"


def check_image(model: WanModel, plan: Plan, image_HWC: NDArray[np.uint8] | None) -> None:
    """An image comes exactly where the plan names one, at the clip's size, to a model that reads it. Raises `InvalidValueError`."""
    layout = layout_of(model)
    if plan.image is not None and layout == "none":
        raise InvalidValueError("image", plan.image, "this model takes no start image")
    if plan.image is None and layout == "channels":
        raise InvalidValueError("image", None, "this model makes clips from a start image only")
    if (plan.image is None) != (image_HWC is None):
        raise InvalidValueError("image", plan.image, "its pixels come with the plan that names it, and with no other")
    if image_HWC is None:
        return
    if image_HWC.dtype != np.uint8 or image_HWC.shape != (plan.height, plan.width, 3):
        came = f"{image_HWC.dtype} {list(image_HWC.shape)}"
        raise InvalidValueError("image", came, f"must be uint8 [{plan.height}, {plan.width}, 3], as the clip's frames")


@torch.no_grad()
def condition(model: WanModel, image_HWC: NDArray[np.uint8], num_latent_frames: int) -> torch.Tensor:
    """What the trajectory keeps of the image, float32 on the model's device: `[C, 1, H, W]` of the latents, or `[mask + C, T, H, W]`."""
    vae = model.vae
    pixels_CHW = torch.tensor(image_HWC, device=vae.device).permute(2, 0, 1).float() / 127.5 - 1
    pixels_BCTHW = pixels_CHW[None, :, None]
    is_clip = layout_of(model) == "channels"
    if is_clip:
        num_grey = (num_latent_frames - 1) * vae.config.scale_factor_temporal
        pixels_BCTHW = torch.nn.functional.pad(pixels_BCTHW, (0, 0, 0, 0, 0, num_grey))
    latents_CTHW: torch.Tensor = vae.encode(pixels_BCTHW.to(vae.dtype)).latent_dist.mode()[0].float()
    mean, std = (torch.tensor(values, device=vae.device).view(-1, 1, 1, 1) for values in (vae.config.latents_mean, vae.config.latents_std))
    latents_CTHW = ((latents_CTHW - mean) / std).to(model.device)
    if not is_clip:
        return latents_CTHW
    mask_CTHW = latents_CTHW.new_zeros(vae.config.scale_factor_temporal, *latents_CTHW.shape[1:])
    mask_CTHW[:, 0] = 1
    return torch.cat([mask_CTHW, latents_CTHW])


def model_input(trajectory: Trajectory) -> torch.Tensor:
    """What the model reads of a trajectory at its next step, `[C, T, H, W]`."""
    if trajectory.condition_CTHW is None or begins_with_image(trajectory):
        return settled(trajectory)
    return torch.cat([trajectory.latents_CTHW, trajectory.condition_CTHW])


def settled(trajectory: Trajectory) -> torch.Tensor:
    """The latents with the image's own in their place. The solver's copy goes on as if they were noise, as in the reference."""
    if trajectory.condition_CTHW is None or not begins_with_image(trajectory):
        return trajectory.latents_CTHW
    return torch.cat([trajectory.condition_CTHW, trajectory.latents_CTHW[:, 1:]], dim=1)


def begins_with_image(trajectory: Trajectory) -> bool:
    """Whether the first latent frame is the image's own: then the condition has the latents' channels and no mask."""
    held = trajectory.condition_CTHW
    return held is not None and len(held) == len(trajectory.latents_CTHW)


def token_timesteps(group: Sequence[Trajectory], num_tokens: int) -> torch.Tensor:
    """The noise level of each token, `[B, tokens]`, frame by frame: 0 for those of a start image."""
    timesteps_BN = torch.stack([trajectory.sampler.timestep for trajectory in group])[:, None].repeat(1, num_tokens)
    for timesteps_N, trajectory in zip(timesteps_BN, group, strict=True):
        if begins_with_image(trajectory):
            timesteps_N[: num_tokens // trajectory.latents_CTHW.shape[1]] = 0
    return timesteps_BN
