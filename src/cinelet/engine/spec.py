"""What an engine is made of, as values: which files, where, in which precision; and the engine made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cinelet.engine.engine import Engine
from cinelet.engine.model import load_model
from cinelet.errors import InvalidValueError
from cinelet.models.adapters import Adapters, GetAdapter, no_adapters


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """What is needed to load an engine; values only, so that it can be sent to another process.

    `expert_devices` names a device for each expert of an A14B model (empty: `device` has both). `adapters` are the folders of those
    that are merged into the weights; `loras` is the folder of those that clips may name. `options` are the engine's own.
    """

    folder: Path
    device: str = "cpu"
    dtype: str = "float32"
    weights: str = "auto"
    text_weights: str = "auto"
    num_threads: int = 0
    adapters: tuple[Path, ...] = ()
    loras: Path | None = None
    expert_devices: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def open_engine(spec: EngineSpec, get_adapter: GetAdapter | None = None) -> Engine:
    """Load the engine of `spec`, which sets torch's threads too. `get_adapter` finds adapters where they may have to be fetched first."""
    if spec.num_threads:
        torch.set_num_threads(spec.num_threads)
    model = load_model(
        spec.folder,
        torch.device(spec.device),
        getattr(torch, spec.dtype),
        weights=spec.weights,
        text_weights=spec.text_weights,
        adapters=spec.adapters,
        expert_devices=[_device(name) for name in spec.expert_devices],
        memory_limit_bytes=spec.options.get("memory_limit_bytes"),
    )
    if get_adapter is None:
        get_adapter = no_adapters if spec.loras is None else Adapters(spec.loras).get
    return Engine(model, get_adapter=get_adapter, **spec.options)


def _device(name: str) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InvalidValueError("expert_devices", name, "must be a device such as cuda:0") from error
