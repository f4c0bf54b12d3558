"""What can be asked for: the offered models and their capabilities."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

from fastapi import APIRouter, Request

from cinelet.gateway.door import door_of
from cinelet.gateway.schemas import ERRORS
from cinelet.models import AdapterFiles, ModelCard
from cinelet.video import SAMPLERS

router = APIRouter(prefix="/v1", tags=["models"], responses=ERRORS)

SINCE = 1_767_225_600
"""1 January 2026: the contract wants a time of creation, catalogue entries have none."""


@router.get("/models")
async def list_models(request: Request) -> dict[str, Any]:
    """The offered models."""
    door = door_of(request)
    await door.let_read(request)
    return {"object": "list", "data": [summary(door.desk.card(name)) for name in door.desk.models]}


@router.get("/models/{model}")
async def get_model(request: Request, model: str) -> dict[str, Any]:
    """One of them."""
    door = door_of(request)
    await door.let_read(request)
    return summary(door.desk.card(model))


@router.get("/videos/models")
async def list_video_models(request: Request) -> dict[str, Any]:
    """The offered models with sizes, steps and defaults."""
    door = door_of(request)
    await door.let_read(request)
    cards = [door.desk.card(name) for name in door.desk.models]
    return {"object": "list", "data": [capabilities(card, await door.desk.adapters_for(card)) for card in cards]}


def summary(card: ModelCard) -> dict[str, Any]:
    """The contract's `Model` object."""
    return {"id": card.name, "object": "model", "created": SINCE, "owned_by": "cinelet"}


def capabilities(card: ModelCard, adapters: Sequence[AdapterFiles] = ()) -> dict[str, Any]:
    """What the model makes, in the words of OpenRouter's API and our own; `adapters` are those that its clips may name."""
    sizes = sorted({card.default_size, *card.resolutions.values()})
    return {
        **summary(card),
        "name": card.title,
        "supported_sizes": [f"{width}x{height}" for width, height in sizes],
        "supported_resolutions": list(card.resolutions),
        "supported_aspect_ratios": sorted({f"{width // gcd(width, height)}:{height // gcd(width, height)}" for width, height in sizes}),
        "supported_frame_images": ["first_frame"] if card.takes_image else [],
        "generate_audio": False,
        "seed": True,
        "default_size": f"{card.default_size[0]}x{card.default_size[1]}",
        "size_multiple": card.size_multiple,
        "max_pixels": card.max_pixels,
        "num_frames": card.num_frames,
        "max_frames": card.max_frames,
        "fps": card.fps,
        "guidance_scale": card.guidance_scale,
        "flow_shift": card.flow_shift,
        "sampler": card.sampler,
        "samplers": list(SAMPLERS),
        "steps": dict(card.steps),
        "vae_tiers": list(card.vae_tiers),
        "step_caches": list(card.step_caches),
        "loras": [{"name": files.name, "title": files.title, "trigger": files.trigger} for files in adapters],
    }
