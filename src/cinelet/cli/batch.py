"""`cinelet batch`: a table of sentences to a folder of clips, on a service or here, each clip once however often it is started."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from cinelet.cli.batch_bar import BatchBar
from cinelet.cli.batch_clip import check_names, clips_of
from cinelet.cli.batch_manifest import Manifest
from cinelet.cli.batch_run import BatchRun
from cinelet.cli.batch_table import RowWish, TableReader, raise_faults
from cinelet.cli.connection import ApiKey, Url, say, service_errors
from cinelet.cli.listing import print_rows
from cinelet.draft import check_place, explained
from cinelet.errors import InvalidValueError, ModelNotFoundError, NotFoundError, RequestError
from cinelet.local import TextToVideoGenerator
from cinelet.sdk import Client, Wish

MAX_CONCURRENCY = 64
MAX_ESTIMATES = 100
"""Shapes that are tried at the service before anything is made; a table has a handful."""
MAX_PROMPT_SHOWN = 60


def batch(
    file: Annotated[Path, typer.Argument(help="A table: .csv, .tsv or .jsonl with a column prompt; one row, one clip or more.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the clips and manifest.jsonl.")],
    *,
    column: Annotated[list[str] | None, typer.Option(metavar="NAME=FIELD", help="Read column NAME as FIELD, such as title=name.")] = None,
    template: Annotated[str | None, typer.Option(help='Make prompts from columns: "A {color} {product} on a table".')] = None,
    model: Annotated[str | None, typer.Option(help="For rows that name none.")] = None,
    preset: Annotated[str | None, typer.Option(help="For rows that name none: draft, standard or final.")] = None,
    steps: Annotated[int | None, typer.Option(help="For rows that name none.")] = None,
    concurrency: Annotated[int, typer.Option(help="Clips under way at once on a service; here it is one.")] = 4,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Make clips again that failed in an earlier run.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a clip for each row of a table. Started again after an interruption, it goes on where it was."""
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise InvalidValueError("concurrency", concurrency, f"must be a whole number from 1 to {MAX_CONCURRENCY}")
    defaults = {name: value for name, value in (("model", model), ("preset", preset), ("steps", steps)) if value is not None}
    reader = TableReader(path=file, columns=_mapping(column or []), template=template, defaults=defaults)
    rows = reader.read()
    unused = reader.unused(list(dict.fromkeys(name for row in rows for name in row.row.cells)))
    if unused:
        say(f"not used: the columns {', '.join(unused)}")
    generator = TextToVideoGenerator() if url is None else None
    with service_errors():
        if generator is not None:
            _check_here(generator, reader, rows)
        else:
            _check_at_service(url, api_key, reader, rows)
        with explained(output):
            output.mkdir(parents=True, exist_ok=True)
        check_place(output / "clip.mp4")
        with Manifest(output) as manifest, BatchBar(quiet=quiet) as bar:
            clips = [clip for row in rows for clip in clips_of(row, output, manifest)]
            check_names(clips)
            run = BatchRun(manifest, clips, bar, retry_failed=retry_failed)
            try:
                if generator is not None:
                    run.make_here(generator)
                else:
                    asyncio.run(run.make_at_service(url, api_key, concurrency))
            except KeyboardInterrupt as error:
                say("interrupted; jobs that the service accepted go on. Run the same command again to go on")
                raise typer.Exit(130) from error
            outcomes = run.outcomes()
    _summarise(outcomes, as_json=as_json)
    if any(outcome["state"] != "completed" for outcome in outcomes):
        raise typer.Exit(1)


def _mapping(columns: Sequence[str]) -> dict[str, str]:
    """`NAME=FIELD` of the command line; a name may hold an equals sign, a field cannot."""
    mapping = {}
    for column in columns:
        name, equals, field = column.rpartition("=")
        if not equals or not name:
            raise InvalidValueError("column", column, "must be NAME=FIELD, such as title=prompt")
        mapping[name] = field
    return mapping


def _check_here(generator: TextToVideoGenerator, reader: TableReader, rows: Sequence[RowWish]) -> None:
    """Plan every row, which takes no time, and raise all faults at once."""
    faults = []
    for row in rows:
        try:
            generator.plan(generator.settle(row.wish)[0])
        except InvalidValueError as error:
            faults.append(reader.fault(row.row, error))
        except NotFoundError as error:
            faults.append(f"{reader.place(row.row)}: {error.message}")
    raise_faults(faults)


def _check_at_service(url: str | None, api_key: str | None, reader: TableReader, rows: Sequence[RowWish]) -> None:
    """Ask for an estimate of each shape in the table, and raise at once what the service would refuse later."""
    faults = []
    shapes: dict[Wish, RowWish] = {}
    for row in rows:
        shapes.setdefault(replace(row.wish, request=replace(row.wish.request, prompt="a", seed=None)), row)
    with Client(url, api_key) as client:
        for wish, row in islice(shapes.items(), MAX_ESTIMATES):
            try:
                client.estimate(wish.request, extra=wish.extra)
            except (RequestError, ModelNotFoundError) as error:
                faults.append(f"{reader.place(row.row)}: {error.message}")
            except NotFoundError:
                break  # a service without estimates tells with each clip
    raise_faults(faults)


def _summarise(outcomes: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """The result on stdout; on stderr how many there are of each kind, and every failure with its row."""
    if as_json:
        print(json.dumps(outcomes, ensure_ascii=False))  # noqa: T201 - a result
    else:
        names = ("row", "clip", "state", "seed", "path")
        print_rows((*names, "prompt"), [[*(one[name] for name in names), one["prompt"][:MAX_PROMPT_SHOWN]] for one in outcomes])
    for one in outcomes:
        if one["state"] == "failed":
            say(f"row {one['row']}, clip {one['clip']}: failed; {one['reason']}")
    counts = Counter(one["state"] for one in outcomes)
    say(", ".join(f"{count} {state}" for state, count in counts.items()))
