"""`cinelet loras list|check|add`: which LoRA adapters there are, whether their files are whole, and taking in new ones."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cinelet.errors import ConflictError, InvalidValueError, ModelFilesError
from cinelet.local import open_adapters
from cinelet.models import AdapterFiles
from cinelet.models.adapters import ABOUT, half_of, read_folder
from cinelet.settings import load_settings
from cinelet.video import LORA_NAME

loras = typer.Typer(help="LoRA adapters: list, check, add.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _facts(files: AdapterFiles) -> dict[str, Any]:
    return {
        "name": files.name,
        "title": files.title,
        "trigger": files.trigger,
        "base": files.base,
        "strengths": files.strengths,
        "files": [str(path) for path in files.paths],
        "size_bytes": files.size_bytes,
        "digest": files.digest,
    }


@loras.command("list")
def list_loras(*, as_json: AsJson = False) -> None:
    """All adapters on this machine."""
    adapters = open_adapters(load_settings())
    facts = []
    for name in adapters.names():
        try:
            facts.append(_facts(adapters.get(name)))
        except ModelFilesError as error:
            facts.append({"name": name, "fault": error.message})
    if as_json:
        print(json.dumps(facts))  # noqa: T201
        return
    table = Table("name", "for", "files", "MB", "trigger", "", box=None)
    for entry in facts:
        if "fault" in entry:
            table.add_row(entry["name"], "", "", "", "", entry["fault"])
        else:
            kind = "pair" if len(entry["files"]) == 2 else "one"
            table.add_row(entry["name"], entry["base"] or "any", kind, f"{entry['size_bytes'] / 1e6:.1f}", entry["trigger"], entry["title"])
    Console(soft_wrap=True).print(table)


@loras.command()
def check(name: Annotated[str, typer.Argument(help="A name of `cinelet loras list`.")], *, as_json: AsJson = False) -> None:
    """Read an adapter's files: form, halves, digest. Whether it fits a model shows when it is loaded."""
    facts = _facts(open_adapters(load_settings()).get(name))
    if as_json:
        print(json.dumps(facts))  # noqa: T201
        return
    print(f"{name}: {len(facts['files'])} files, {facts['size_bytes'] / 1e6:.1f} MB, whole; digest {facts['digest']}")  # noqa: T201


@loras.command()
def add(
    name: Annotated[str, typer.Argument(help="The name that requests will use.")],
    files: Annotated[list[Path], typer.Argument(help="One safetensors file, or the two of a pair.", exists=True, dir_okay=False)],
    *,
    title: Annotated[str, typer.Option(help="What it does.")] = "",
    trigger: Annotated[str, typer.Option(help="Words that wake it in a prompt.")] = "",
    base: Annotated[str, typer.Option(help="The model it was made for; others then refuse it.")] = "",
    scale: Annotated[float, typer.Option(help="Its strength at scale 1.")] = 1.0,
) -> None:
    """Copy an adapter into the folder of adapters, whole or not at all."""
    if not LORA_NAME.fullmatch(name):
        raise InvalidValueError("name", name, "has 1 to 64 letters, digits, dots, dashes or underscores")
    folder = open_adapters(load_settings()).folder
    if (folder / name).exists():
        raise ConflictError(f"loras: {folder / name} exists already; remove it first, or take another name")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".add-", dir=folder) as scratch:
        draft = Path(scratch) / name
        draft.mkdir()
        for file in files:
            half = half_of(file) if len(files) > 1 else ""
            shutil.copyfile(file, draft / (f"{half}_noise{file.suffix}" if half else file.name))
        about = {"title": title, "trigger": trigger, "base": base, "scale": scale}
        (draft / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        added = read_folder(draft)
        draft.rename(folder / name)
    print(f"{name}: {len(added.paths)} files in {folder / name}")  # noqa: T201
