"""The catalogue: model names → cards, from `catalogue.toml` and from folders a user names by path."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any

from cinelet.errors import ModelFilesError, NotFoundError, show
from cinelet.models.adapters import PACKAGED
from cinelet.models.card import FOLDER, PACKAGE, ModelCard
from cinelet.video import PRESETS

HERE = Path(__file__).parent
LORAS = "loras"
"""The folder of adapters beside the checkpoints, one folder an adapter."""
PIXEL_BUDGET, FRAME_BUDGET = 1280 * 720, 241
"""Limits of a checkpoint that has no card: the largest official size of Wan2.2, and ten seconds at 24 fps."""


class Catalogue:
    """All models known by name; `models_dir` holds the checkpoints that are not shipped."""

    def __init__(self, models_dir: Path) -> None:
        entries = tomllib.loads((HERE / "catalogue.toml").read_text(encoding="utf-8"))
        self._cards = {name: _card(name, entries, models_dir) for name in entries}

    def list(self) -> list[ModelCard]:
        """Every card, in the catalogue's order."""
        return list(self._cards.values())

    def get(self, name: str) -> ModelCard:
        """The card of a catalogue name, or of a checkpoint folder given by its path. Raises `NotFoundError`."""
        if name in self._cards:
            return self._cards[name]
        if "/" in name or name.startswith("."):
            return card_of_folder(Path(name))
        close = difflib.get_close_matches(name, self._cards, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise NotFoundError(f"model: {show(name)} is unknown; known are {', '.join(self._cards)}, or a path to a checkpoint folder{hint}")


def _card(name: str, entries: dict[str, dict[str, Any]], models_dir: Path) -> ModelCard:
    own = entries[name]
    home = own.get("base", name)
    entry = {**entries[home], **own}
    pairs = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
    if entry.get("timesteps"):
        entry["steps"] = dict.fromkeys(PRESETS, len(entry["timesteps"]))
    is_packaged = entries[home]["source"] == PACKAGE
    loras = PACKAGED if is_packaged else models_dir / LORAS
    return ModelCard(
        name=name,
        folder=HERE / home if is_packaged else models_dir / home,
        adapters=tuple(loras / lora for lora in entry.get("loras", ())),
        **{**entry, **pairs, "resolutions": {label: tuple(size) for label, size in entry["resolutions"].items()}},
    )


def card_of_folder(folder: Path) -> ModelCard:
    """A card for a checkpoint without one: limits from its configuration, defaults in the manner of Wan2.2's 480p.

    Raises `NotFoundError` where no checkpoint is, `ModelFilesError` where its configuration is unreadable.
    """
    if not (folder / "model_index.json").is_file():
        raise NotFoundError(f"model: {show(str(folder))} holds no checkpoint (no model_index.json)")
    try:
        vae = json.loads((folder / "vae/config.json").read_text())
        scheduler = json.loads((folder / "scheduler/scheduler_config.json").read_text())
        transformer = json.loads((folder / "transformer/config.json").read_text())
        index = json.loads((folder / "model_index.json").read_text())
    except (OSError, ValueError) as error:
        raise ModelFilesError(f"model: {folder} has no readable configuration", detail=repr(error)) from error
    stride = (vae.get("scale_factor_temporal", 4), vae.get("scale_factor_spatial", 8))
    multiple = max(16, stride[1] * transformer["patch_size"][1])
    return ModelCard(
        name=str(folder),
        title=f"checkpoint in {folder}",
        source=FOLDER,
        folder=folder,
        size_multiple=multiple,
        latent_stride=stride,
        architecture=_architecture(transformer),
        default_size=(832 // multiple * multiple, 480 // multiple * multiple),
        max_pixels=PIXEL_BUDGET,
        max_frames=FRAME_BUDGET,
        num_frames=81,
        fps=16,
        guidance_scale=5.0,
        guidance_scale_2=5.0,
        flow_shift=scheduler.get("flow_shift", 3.0),
        sampler="unipc",
        steps={"draft": 16, "standard": 25, "final": 40},
        takes_image=_takes_image(index, transformer, vae),
    )


def _takes_image(index: dict[str, Any], transformer: dict[str, Any], vae: dict[str, Any]) -> bool:
    """Whether the engine reads a start image with this checkpoint: in the first frame's place, or as further channels."""
    has_channels = transformer.get("in_channels", 16) > vae.get("z_dim", 16) and transformer.get("image_dim") is None
    return bool(index.get("expand_timesteps")) or has_channels


def _architecture(transformer: dict[str, Any]) -> tuple[int, int, int]:
    """Width, layers and feed-forward width of a transformer's configuration; Wan2.1's 1.3B where it is silent."""
    dim = transformer.get("num_attention_heads", 12) * transformer.get("attention_head_dim", 128)
    return dim, transformer.get("num_layers", 30), transformer.get("ffn_dim", 8960)
