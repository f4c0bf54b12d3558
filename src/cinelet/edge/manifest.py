"""What lies in an exported folder: `export.json`, written last, so that a folder that has one is whole. Knows no torch, no ONNX."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cinelet.edge.walk import Walk
from cinelet.errors import ModelFilesError, NotFoundError

FORMAT = 1
FILE = "export.json"
TEXT_TOKENS = 512
"""Wan's text length: what a prompt's padding stands for."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One ONNX file: its tensors by name with their axes (a number, or the name of an axis that is free)."""

    file: str
    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: Mapping[str, tuple[int | str, ...]]

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            object.__setattr__(self, name, {key: tuple(axes) for key, axes in getattr(self, name).items()})


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A model exported for one shape of clip.

    `digest` names what draws, as in the engine. `latent_shape` is `(C, T, H, W)`; `boundary` the timestep below which the second
    transformer works; `walks` the sampler's steps by preset; `prompts` text → file of embeddings `[L, D]`, `negative_prompt` the file of
    the negative prompt's; `scheduler` the checkpoint's own settings; `sha256` of each file.
    """

    model: str
    digest: str
    width: int
    height: int
    num_frames: int
    fps: int
    latent_shape: tuple[int, int, int, int]
    num_tokens: int
    expand_timesteps: bool
    boundary: float | None
    guidance_scale: float
    guidance_scale_2: float
    sampler: str
    flow_shift: float
    scheduler: Mapping[str, Any]
    walks: Mapping[str, Walk]
    transformers: tuple[Graph, ...]
    transformers_int8: tuple[Graph, ...]
    decoder: Graph
    prompts: Mapping[str, str]
    negative_prompt: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write `export.json` into `folder`."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_manifest(folder: Path) -> Manifest:
    """What `folder` holds. Raises `NotFoundError` where no export is, `ModelFilesError` where it cannot be used."""
    path = folder / FILE
    if not path.is_file():
        raise NotFoundError(f"export: {folder} holds no export (no {FILE}); make one with cinelet export")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise ModelFilesError(f"export: {path} is of format {values['format']}; this cinelet reads {FORMAT}")
        known = {name.name for name in fields(Manifest)}
        plain = {name: value for name, value in values.items() if name in known}
        plain |= {
            "latent_shape": tuple(values["latent_shape"]),
            "walks": {preset: Walk(**walk) for preset, walk in values["walks"].items()},
            "transformers": tuple(Graph(**graph) for graph in values["transformers"]),
            "transformers_int8": tuple(Graph(**graph) for graph in values["transformers_int8"]),
            "decoder": Graph(**values["decoder"]),
        }
        manifest = Manifest(**plain)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFilesError(f"export: {path} is damaged", detail=repr(error)) from error
    missing = [name for name in manifest.sha256 if not (folder / name).is_file()]
    if missing:
        raise ModelFilesError(f"export: {folder / missing[0]} is missing")
    return manifest
