"""A Wan model in memory: its parts as diffusers and transformers made them, and the few facts the engine asks of them.

Reads the diffusers folder layout of Wan2.1 and Wan2.2 (dense or two experts, Wan2.1 or Wan2.2 autoencoder) from local
files, safetensors only. Knows nothing of names, downloads or defaults: the catalogue does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors import SafetensorError
from transformers import AutoTokenizer, UMT5EncoderModel
from transformers.utils import logging as transformers_logging

from cinelet.engine.lora import merge
from cinelet.engine.precision import compute_dtype, describe, half_dtype, shrink, stored_bytes
from cinelet.engine.step_cache import Smoothness, read_table
from cinelet.engine.tiny_decoder import TinyDecoder, load_tiny_decoder
from cinelet.engine.usage import free_memory_bytes, used_memory_bytes
from cinelet.errors import InvalidValueError, ModelFilesError
from cinelet.models.adapters import read_folder
from cinelet.models.card import TINY_VAE


@dataclass(frozen=True, eq=False)
class WanModel:
    """The loaded parts. `experts` is the dense transformer alone, or the high-noise expert and then the low-noise one.

    `boundary` is the timestep (of `num_train_timesteps`) from which on the high-noise expert works; None when dense. `smoothness` says
    which steps may be drawn on from earlier ones; None where nobody measured it. `dtype` is what the transformer computes in, `precision`
    what its layers were found to hold and, where that differs, the text encoder's. `tiny_decoder` is None where the checkpoint has none.
    `loaded_bytes` is what was in use once all was loaded (0: nobody read it), `expert_devices` where the experts compute (empty: `device`).
    """

    tokenizer: Any
    text_encoder: Any
    experts: tuple[Any, ...]
    vae: Any
    scheduler_config: Mapping[str, Any]
    boundary: float | None
    expand_timesteps: bool
    dtype: torch.dtype
    device: torch.device
    digest: str
    smoothness: Smoothness | None = None
    precision: str = "float32"
    tiny_decoder: TinyDecoder | None = None
    loaded_bytes: int = 0
    expert_devices: tuple[torch.device, ...] = ()

    def expert_device(self, index: int) -> torch.device:
        """Where an expert computes: its own device, or the model's."""
        return self.expert_devices[index] if self.expert_devices else self.device

    def expert_at(self, timestep: torch.Tensor) -> int:
        """Which expert denoises at `timestep`: 0, or 1 below the boundary."""
        return int(self.boundary is not None and timestep.item() < self.boundary)

    def latent_shape(self, width: int, height: int, num_frames: int) -> tuple[int, int, int, int]:
        """Latents `(C, T, H, W)` that hold at least `num_frames` frames of `width` x `height` pixels."""
        config = self.vae.config
        return (
            config.z_dim,
            -(-(num_frames - 1) // config.scale_factor_temporal) + 1,
            height // config.scale_factor_spatial,
            width // config.scale_factor_spatial,
        )

    def num_tokens(self, latent_shape: tuple[int, ...]) -> int:
        """Tokens of one forward."""
        return prod(size // patch for size, patch in zip(latent_shape[1:], self.experts[0].config.patch_size, strict=True))

    @property
    def weights_bytes(self) -> int:
        """Memory of all weights as loaded."""
        modules = (self.text_encoder, self.vae, *self.experts)
        return sum(stored_bytes(module) for module in modules)


def load_model(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    *,
    weights: str = "auto",
    text_weights: str = "auto",
    adapters: Sequence[Path] = (),
    expert_devices: Sequence[torch.device] = (),
    memory_limit_bytes: int | None = None,
) -> WanModel:
    """Load a checkpoint folder onto `device`; the transformer and text encoder in `dtype`, the autoencoder in float32.

    `weights` and `text_weights` (`precision.Weights`) keep the transformer's or the text encoder's weights in another type. The adapters
    in the folders `adapters` become part of the weights. Raises `ModelFilesError` where a part is missing or does not load,
    `InvalidValueError` for an adapter that does not fit. Weights beyond `memory_limit_bytes`, or beyond what a GPU has left, stay in the
    machine's memory, all but the autoencoder's: `Residency` brings them in turn.
    """
    index = _read_json(folder / "model_index.json")
    scheduler_config = _read_json(folder / "scheduler" / "scheduler_config.json")
    options = {"use_safetensors": True, "local_files_only": True}
    names = [name for name in ("transformer", "transformer_2") if (index.get(name) or [None])[0] is not None]
    ratio = index.get("boundary_ratio")
    _require(bool(names), folder, "its model_index.json names no transformer")
    _require(ratio is None or (isinstance(ratio, float) and len(names) == 2), folder, f"boundary_ratio {ratio!r} needs two experts")
    _require("num_train_timesteps" in scheduler_config, folder, "its scheduler has no num_train_timesteps")
    try:
        with _quiet():
            own = compute_dtype(weights, dtype)
            experts = tuple(WanTransformer3DModel.from_pretrained(folder / name, torch_dtype=own, **options) for name in names)
            text_encoder, report = UMT5EncoderModel.from_pretrained(
                folder / "text_encoder", dtype=compute_dtype(text_weights, dtype), output_loading_info=True, **options
            )
            vae = AutoencoderKLWan.from_pretrained(folder / "vae", torch_dtype=torch.float32, **options)
            tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelFilesError(f"model: {folder} does not load as a Wan checkpoint", detail=repr(error)) from error
    _require(not report["missing_keys"], folder, "its text encoder lacks tensors")
    merged = merge(experts, [read_folder(adapter) for adapter in adapters])
    for module in (*experts, text_encoder, vae):
        _require(not any(p.is_meta for p in module.parameters()), folder, f"{type(module).__name__} lacks tensors")
        module.eval().requires_grad_(False)
    for module, kept in (*((expert, weights) for expert in experts), (text_encoder, text_weights), (vae, "float32")):
        shrink(module, kept, device)
    if expert_devices and len(expert_devices) != len(experts):
        raise InvalidValueError("expert_devices", len(expert_devices), f"names one device for each of the model's {len(experts)} experts")
    _place(experts, text_encoder, vae, device=device, expert_devices=expert_devices, limit_bytes=memory_limit_bytes)
    precision = describe(experts, text_encoder)
    return WanModel(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        experts=experts,
        vae=vae,
        scheduler_config=scheduler_config,
        boundary=None if ratio is None else ratio * scheduler_config["num_train_timesteps"],
        expand_timesteps=bool(index.get("expand_timesteps", False)),
        dtype=own,
        device=device,
        digest=digest_of(folder) + merged + ("" if precision == "float32" else f" {precision}"),
        precision=precision,
        tiny_decoder=_load_tiny_decoder(folder / TINY_VAE, vae, device),
        smoothness=read_table(folder),
        loaded_bytes=used_memory_bytes(device),
        expert_devices=tuple(expert_devices),
    )


def _place(
    experts: Sequence[Any],
    text_encoder: Any,
    vae: Any,
    *,
    device: torch.device,
    expert_devices: Sequence[torch.device],
    limit_bytes: int | None,
) -> None:
    """Each part onto its device where all fit there; else the autoencoder alone."""
    vae.to(device)
    parts = [(text_encoder, device), *zip(experts, expert_devices or [device] * len(experts), strict=True)]
    room = [limit for limit in (limit_bytes, free_memory_bytes(device)) if limit is not None]
    if not room or sum(stored_bytes(part) for part, place in parts if place == device) <= min(room):
        for part, place in parts:
            part.to(place)


def _load_tiny_decoder(folder: Path, vae: Any, device: torch.device) -> TinyDecoder | None:
    if not folder.is_dir():
        return None
    stride = (vae.config.scale_factor_temporal, vae.config.scale_factor_spatial)
    tiny = load_tiny_decoder(folder, latent_channels=vae.config.z_dim, stride=stride)
    return tiny.to(device, half_dtype(device))


def _require(is_so: bool, folder: Path, fault: str) -> None:
    if not is_so:
        raise ModelFilesError(f"model: {folder} is no whole Wan checkpoint: {fault}")


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of the libraries while a model loads: the caller has one of its own."""
    was_enabled = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            transformers_logging.enable_progress_bar()


def digest_of(folder: Path) -> str:
    """A short name of what draws latents and full frames: of every configuration, and each weight file's length, header and ends."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(path for pattern in ("model_index.json", "*/*.json") for path in folder.glob(pattern)):
        if path.parent.name == TINY_VAE:
            continue
        digest.update(f"{path.relative_to(folder)} ".encode() + path.read_bytes())
    for path in sorted(path for path in folder.glob("*/*.safetensors") if path.parent.name != TINY_VAE):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    return digest.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelFilesError(f"model: {path} is missing or no JSON", detail=repr(error)) from error
    if not isinstance(result, dict):
        raise ModelFilesError(f"model: {path} is no JSON object")
    return result
