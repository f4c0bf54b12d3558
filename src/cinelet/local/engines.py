"""Settings to engines: where adapters lie, on which device and in which precision a model runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cinelet.errors import InvalidValueError
from cinelet.models import LORAS, Adapters, ModelCard
from cinelet.settings import Settings

if TYPE_CHECKING:
    import torch

    from cinelet.engine.spec import EngineSpec


def open_adapters(settings: Settings) -> Adapters:
    """The LoRA adapters of a setting: in a folder, or in a bucket of which a folder keeps what was used."""
    where = settings.loras
    if where is None or "://" not in where:
        return Adapters(settings.models_dir / LORAS if where is None else Path(where))
    from cinelet.storage import open_shelf  # noqa: PLC0415 - needs the server extra

    cache = settings.models_dir / f"{LORAS}-cache"
    return Adapters(cache, fetch=open_shelf(where, cache).fetch)


def engine_spec(card: ModelCard, settings: Settings) -> EngineSpec:
    """The engine of a model as the settings want it."""
    from cinelet.engine.acceleration import Acceleration  # noqa: PLC0415
    from cinelet.engine.spec import EngineSpec  # noqa: PLC0415

    device = device_named(settings.device)
    return EngineSpec(
        folder=card.folder,
        device=str(device),
        dtype=str(dtype_named(settings.dtype, device)).removeprefix("torch."),
        weights=settings.weights,
        text_weights=settings.text_weights,
        num_threads=settings.num_threads,
        adapters=card.adapters,
        loras=open_adapters(settings).folder,
        expert_devices=tuple(settings.expert_devices),
        options={
            "memory_limit_bytes": settings.memory_limit_bytes,
            "decode_beside": settings.decode_beside,
            "acceleration": Acceleration(attention=settings.attention, compile=settings.compile),
        },
    )


def device_named(name: str) -> torch.device:
    """The device of a setting; `auto` takes CUDA where there is one. Raises `InvalidValueError`."""
    import torch  # noqa: PLC0415

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidValueError("device", name, "this machine has no CUDA device; use cpu or auto")
    return torch.device(name)


def dtype_named(name: str, device: torch.device) -> torch.dtype:
    """The precision of a setting; `auto` takes float32 on a CPU, bfloat16 on a GPU."""
    import torch  # noqa: PLC0415

    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
