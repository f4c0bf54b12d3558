"""`cinelet export`: a model as ONNX files for small machines and TensorRT. What is in them, `cinelet.edge` knows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from cinelet.errors import InvalidValueError
from cinelet.extras import extra
from cinelet.local import TextToVideoGenerator
from cinelet.models import Catalogue, plan
from cinelet.settings import load_settings
from cinelet.video import PRESETS, Plan, VideoRequest

PROMPT = "A red balloon rising at sunset"
"""Kept where no other is named, so that an export can be tried."""

Name = Annotated[str, typer.Argument(metavar="MODEL", help="A name of `cinelet models list`, or a path to a checkpoint folder.")]
To = Annotated[Path, typer.Option("--to", help="A new or empty folder.")]
Shape = Annotated[str | None, typer.Option(help="WIDTHxHEIGHTxFRAMES of the clips; left out, the model's own.")]
Int8 = Annotated[bool, typer.Option("--int8", help="Add transformers with int8 weights.")]
Prompts = Annotated[list[str] | None, typer.Option("--prompt", help="Keep this prompt's embeddings in the export; may come again.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


def export(name: Name, to: To, shape: Shape = None, prompt: Prompts = None, *, int8: Int8 = False, quiet: Quiet = False) -> None:
    """Write a model as ONNX files. Takes minutes for small models and much memory for large ones."""
    size = parse_shape(shape) if shape is not None else (None, None, None)
    card = Catalogue(load_settings().models_dir).get(name)
    prompts = prompt or [PROMPT]
    plans: dict[str, Plan] = {
        preset: plan(
            VideoRequest(prompt=prompts[0], model=card.name, preset=preset, width=size[0], height=size[1], num_frames=size[2], seed=0), card
        )
        for preset in PRESETS
    }
    with extra("engine"):
        from cinelet.edge.exporter import export_model, stages  # noqa: PLC0415 - loads torch
    engine = TextToVideoGenerator(model=card.name, device="cpu", dtype="float32").engine(card.name)
    steps = stages(engine.model, int8=int8)
    with Bar(
        SpinnerColumn(),
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet,
    ) as bar:
        row = bar.add_task("", total=len(steps))
        manifest = export_model(
            engine,
            plans,
            to,
            prompts=prompts,
            int8=int8,
            on_stage=lambda stage: bar.update(row, description=stage, completed=steps.index(stage)),
        )
        bar.update(row, completed=len(steps))
    total = sum(path.stat().st_size for path in to.iterdir())
    print(f"{to}: {manifest.model}, {manifest.width}x{manifest.height}x{manifest.num_frames}, {total / 1e6:.1f} MB")  # noqa: T201


def parse_shape(text: str) -> tuple[int, int, int]:
    """`160x96x17` as width, height, frames. Raises `InvalidValueError`."""
    match = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})x([0-9]{1,6})", text.strip().lower())
    if match is None:
        raise InvalidValueError("shape", text, "must be WIDTHxHEIGHTxFRAMES, such as 160x96x17")
    width, height, num_frames = (int(part) for part in match.groups())
    return width, height, num_frames
