"""`cinelet models list|show|check`: what can be used, what it makes, and whether its files are whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from cinelet.errors import ModelFilesError
from cinelet.models import Catalogue, ModelCard, check_files
from cinelet.settings import load_settings

models = typer.Typer(help="Models: list, show, check.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name of `cinelet models list`, or a path to a checkpoint folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _catalogue() -> Catalogue:
    return Catalogue(load_settings().models_dir)


def _facts(card: ModelCard) -> dict[str, Any]:
    return {**asdict(card), "folder": str(card.folder), "is_installed": card.is_installed}


@models.command("list")
def list_models(*, as_json: AsJson = False) -> None:
    """All models, and whether they are on this machine."""
    cards = _catalogue().list()
    if as_json:
        print(json.dumps([_facts(card) for card in cards]))  # noqa: T201
        return
    table = Table("name", "size", "frames", "steps", "installed", "", box=None)
    for card in cards:
        width, height = card.default_size
        steps = "/".join(str(count) for count in card.steps.values())
        table.add_row(
            card.name, f"{width}x{height}", f"{card.num_frames} at {card.fps} fps", steps, "yes" if card.is_installed else "no", card.title
        )
    Console().print(table)


@models.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """One model's limits and defaults."""
    facts = _facts(_catalogue().get(name))
    if as_json:
        print(json.dumps(facts))  # noqa: T201
        return
    table = Table(show_header=False, box=None)
    for key, value in facts.items():
        table.add_row(key, str(value))
    Console(soft_wrap=True).print(table)


@models.command()
def check(name: Name, *, as_json: AsJson = False) -> None:
    """Read every file of a model: formats, lengths, digests."""
    card = _catalogue().get(name)
    total = sum(path.stat().st_size for path in card.folder.rglob("*") if path.is_file())
    with Bar(console=Console(stderr=True), disable=as_json) as bar:
        row = bar.add_task(f"checking {card.name}", total=total)
        reports = check_files(card.folder, contents=True, on_bytes=lambda count: bar.advance(row, count))
        bar.update(row, completed=total)
    faults = [f"{report.path} {report.fault}" for report in reports if report.fault]
    if as_json:
        print(json.dumps({"model": card.name, "num_files": len(reports), "faults": faults}))  # noqa: T201
    if faults:
        raise ModelFilesError("model: " + " | ".join(faults))
    if not as_json:
        print(f"{card.name}: {len(reports)} files, {total / 1e6:.1f} MB, all whole")  # noqa: T201
