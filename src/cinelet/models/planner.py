"""Request → plan: the model's defaults filled in, the model's limits held. Pure; says nothing of load or waiting."""

from __future__ import annotations

import secrets
from typing import TypeVar

from cinelet.errors import InvalidValueError
from cinelet.models.card import NO_STEP_CACHE, ModelCard
from cinelet.video import STOCHASTIC_SAMPLERS, Plan, VideoRequest

T = TypeVar("T")

SEED_BITS = 31
"""Drawn seeds stay below 2^31, so that every client language can carry them."""


def plan(request: VideoRequest, card: ModelCard, seed: int | None = None) -> Plan:
    """What will be done for `request` on the model of `card`. Raises `InvalidValueError` naming field, value and limit.

    `seed` is used where the request has none; None draws one.
    """
    width, height = _size(request, card)
    num_frames = card.num_frames if request.num_frames is None else request.num_frames
    if num_frames > card.max_frames:
        raise InvalidValueError("num_frames", num_frames, f"{card.name} makes 1 to {card.max_frames} frames")
    if request.image is not None and not card.takes_image:
        raise InvalidValueError("image", request.image, f"{card.name} takes no start image")
    if card.timesteps:
        _check_distilled(request, card)
    if _given(request.step_cache, "off") != "off":
        _check_step_cache(request, card)
    if request.vae is not None and request.vae not in card.vae_tiers:
        raise InvalidValueError("vae", request.vae, f"{card.name} has no {request.vae} decoder; use {' or '.join(card.vae_tiers)}")
    if request.seed is not None:
        seed = request.seed
    elif seed is None:
        seed = secrets.randbits(SEED_BITS)
    guidance_scale = _given(request.guidance_scale, card.guidance_scale)
    # One scale asked for is meant for both experts, as in the reference; the card's own pair differs where it says so.
    guidance_scale_2 = card.guidance_scale_2 if request.guidance_scale is None else guidance_scale
    return Plan(
        prompt=request.prompt,
        negative_prompt=_given(request.negative_prompt, card.negative_prompt),
        model=card.name,
        width=width,
        height=height,
        num_frames=num_frames,
        fps=_given(request.fps, card.fps),
        num_inference_steps=_given(request.num_inference_steps, card.steps[request.preset]),
        guidance_scale=guidance_scale,
        guidance_scale_2=_given(request.guidance_scale_2, guidance_scale_2),
        sampler=_given(request.sampler, card.sampler),
        flow_shift=_given(request.flow_shift, card.flow_shift),
        seed=seed,
        variation_seed=_given(request.variation_seed, 0),
        variation_strength=request.variation_strength,
        loras=request.loras,
        vae=_given(request.vae, "full"),
        step_cache=_given(request.step_cache, "off"),
        timesteps=card.timesteps,
        image=request.image,
        window_frames=card.window_frames if num_frames > card.window_frames else 0,
    )


def _check_distilled(request: VideoRequest, card: ModelCard) -> None:
    """A distilled model was trained for its own noise levels, without guidance; anything else draws rubbish."""
    num_steps = len(card.timesteps)
    fixed = {"num_inference_steps": num_steps, "guidance_scale": 1.0, "guidance_scale_2": 1.0, "sampler": card.sampler, "step_cache": "off"}
    for name, value in fixed.items():
        asked = getattr(request, name)
        if asked is not None and asked != value:
            raise InvalidValueError(name, asked, f"{card.name} is a distilled model and takes {value} only")


def _check_step_cache(request: VideoRequest, card: ModelCard) -> None:
    """Steps are drawn on only where the model was measured, and by a solver that adds no noise on the way."""
    if not card.has_step_cache:
        raise InvalidValueError("step_cache", request.step_cache, f"{card.name} takes off only: {NO_STEP_CACHE}")
    sampler = _given(request.sampler, card.sampler)
    if sampler in STOCHASTIC_SAMPLERS:
        raise InvalidValueError("step_cache", request.step_cache, f"the sampler {sampler} draws noise at each step and takes off only")


def _given(value: T | None, default: T) -> T:
    """`value` unless it is None; zero and the empty text are values."""
    return default if value is None else value


def _size(request: VideoRequest, card: ModelCard) -> tuple[int, int]:
    width = _given(request.width, card.default_size[0])
    height = _given(request.height, card.default_size[1])
    multiple = card.size_multiple
    for name, side in (("width", width), ("height", height)):
        if side % multiple:
            below = max(multiple, side // multiple * multiple)
            raise InvalidValueError(
                name, side, f"{card.name} takes multiples of {multiple}; the nearest are {below} and {below + multiple}"
            )
    if width * height > card.max_pixels:
        raise InvalidValueError(
            "size",
            f"{width}x{height}",
            f"{card.name} makes at most {card.max_pixels:,} pixels a frame, such as {card.default_size[0]}x{card.default_size[1]}",
        )
    return width, height
