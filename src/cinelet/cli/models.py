"""`cinelet models list|show|check|pull`: what can be used, what it makes, whether its files are whole, and how they get here."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from cinelet.errors import InvalidValueError, ModelFilesError
from cinelet.extras import extra
from cinelet.models import Catalogue, ModelCard, check_model
from cinelet.models.card import FOLDER, PACKAGE
from cinelet.models.files import read_manifest, remedy
from cinelet.settings import load_settings

LIST_WIDTH = 160
"""Columns of the list: names are not cut where the terminal is narrower."""

models = typer.Typer(help="Models: list, show, check, pull.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name of `cinelet models list`, or a path to a checkpoint folder.")]
PullName = Annotated[str, typer.Argument(help="A name of `cinelet models list`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


def _catalogue() -> Catalogue:
    return Catalogue(load_settings().models_dir)


def _facts(card: ModelCard) -> dict[str, Any]:
    installed = {str(folder): read_manifest(folder)["revision"] for folder in card.folders} if card.is_installed else {}
    return {**asdict(card), "is_installed": card.is_installed, "installed_revisions": {key: rev for key, rev in installed.items() if rev}}


@models.command("list")
def list_models(*, as_json: AsJson = False) -> None:
    """All models, and whether they are on this machine."""
    cards = _catalogue().list()
    if as_json:
        print(json.dumps([_facts(card) for card in cards], default=str))  # noqa: T201
        return
    table = Table("name", "size", "frames", "steps", "licence", "installed", "", box=None)
    for card in cards:
        width, height = card.default_size
        steps = str(len(card.timesteps)) if card.timesteps else "/".join(str(count) for count in card.steps.values())
        frames, installed = f"{card.num_frames} at {card.fps} fps", "yes" if card.is_installed else "no"
        table.add_row(card.name, f"{width}x{height}", frames, steps, card.licence, installed, card.title)
    Console(width=LIST_WIDTH).print(table)


@models.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """One model's limits and defaults."""
    facts = _facts(_catalogue().get(name))
    if as_json:
        print(json.dumps(facts, default=str))  # noqa: T201
        return
    table = Table(show_header=False, box=None)
    for key, value in facts.items():
        if value not in ("", None, (), {}):
            table.add_row(key, _text(value))
    Console(soft_wrap=True).print(table)


def _text(value: Any) -> str:
    """A fact as people read it: sizes as 832x480, presets and names with commas."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_size(entry) if isinstance(entry, tuple) else entry}" for key, entry in value.items())
    return ", ".join(str(entry) for entry in value) if isinstance(value, tuple) else str(value)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@models.command()
def check(name: Name, *, as_json: AsJson = False) -> None:
    """Read every file of a model: formats, lengths, tensors, digests."""
    card = _catalogue().get(name)
    total = sum(path.stat().st_size for folder in card.folders for path in folder.rglob("*") if path.is_file())
    with Bar(console=Console(stderr=True), disable=as_json) as bar:
        row = bar.add_task(f"checking {card.name}", total=total)
        reports = check_model(card, contents=True, on_bytes=lambda count: bar.advance(row, count))
        bar.update(row, completed=total)
    faults = [f"{report.path} {report.fault}" for report in reports if report.fault]
    if as_json:
        print(json.dumps({"model": card.name, "num_files": len(reports), "faults": faults}))  # noqa: T201
    if faults:
        raise ModelFilesError(f"model: {' | '.join(faults)}; {remedy(card)}")
    if not as_json:
        print(f"{card.name}: {len(reports)} files, {total / 1e6:.1f} MB, all whole")  # noqa: T201


@models.command()
def pull(name: PullName, *, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Fetch a model from the hub (HF_ENDPOINT, HF_TOKEN). Stopped or broken off, it goes on where it was; what is there is made whole."""
    catalogue = _catalogue()
    card = catalogue.get(name)
    if card.source == FOLDER:
        raise InvalidValueError("model", name, "is a folder of yours, used as it is; pull takes a name of `cinelet models list`")
    done = [] if card.source == PACKAGE else _pull(card, catalogue, is_quiet=quiet or as_json)
    fetched = sum(pulled.fetched_bytes for pulled in done)
    if as_json:
        folders = [{"folder": str(pulled.folder), "commit": pulled.commit, "num_files": pulled.num_files} for pulled in done]
        print(json.dumps({"model": card.name, "fetched_bytes": fetched, "folders": folders}))  # noqa: T201
    elif not done:
        print(f"{card.name} is shipped with cinelet: there is nothing to pull")  # noqa: T201
    else:
        print(f"{card.name}: {fetched / 1e6:.1f} MB fetched, whole in {' and '.join(str(pulled.folder) for pulled in done)}")  # noqa: T201


def _pull(card: ModelCard, catalogue: Catalogue, *, is_quiet: bool) -> list[Any]:
    from cinelet.cli.pull_bar import PullBar  # noqa: PLC0415 - what follows is for this command alone
    from cinelet.models.hub import Hub  # noqa: PLC0415
    from cinelet.models.parcel import parcels  # noqa: PLC0415
    from cinelet.models.puller import Puller  # noqa: PLC0415

    with extra("engine"):
        hub = Hub()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), disable=is_quiet) as bar:
        puller = Puller(hub, PullBar(bar))
        try:
            return [puller.pull(parcel) for parcel in parcels(card, catalogue)]
        except KeyboardInterrupt as error:
            bar.console.print("interrupted; the same command goes on from here")
            raise typer.Exit(130) from error
