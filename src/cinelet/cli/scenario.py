"""What `simulate` and `cost` are asked about: the load, what it costs, the machines. One set of options for both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cinelet.capacity import REFERENCE_MIX, SPECS, Mix, Source, parse_arrivals, parse_mix, parse_tiers
from cinelet.capacity.charts import check_charts
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.pricing import Pricing, open_pricing
from cinelet.capacity.report import ReportTable, cell_text, finite
from cinelet.capacity.workload import Workload
from cinelet.cli.listing import print_rows
from cinelet.draft import check_place, explained
from cinelet.errors import InvalidValueError
from cinelet.models import Catalogue
from cinelet.scheduling.batch import BatchLine
from cinelet.settings import Settings
from cinelet.video import check_integer

Trace = Annotated[Path | None, typer.Argument(metavar="[TRACE]", help="A trace: CSV with arrival_s and more.")]
Arrivals = Annotated[str | None, typer.Option(metavar="KIND:NAME=NUMBER,…", help=f"Instead of a trace: {'; '.join(SPECS)}.")]
Duration = Annotated[float | None, typer.Option(help="Seconds of load; needed with --arrivals, cuts a trace.")]
MixText = Annotated[
    str | None,
    typer.Option("--mix", help="Classes of jobs: share=0.8,service=8,decode=0.2,deadline=4;share=0.2,service=60. Default: three of them."),
]
Tiers = Annotated[str | None, typer.Option(help="Shares of tiers: free=0.5,vip=0.1,standard=0.4.")]
Service = Annotated[float | None, typer.Option(help="Seconds of work of arrivals that do not say their own.")]
Profile = Annotated[Path | None, typer.Option(metavar="FILE", help="A measured profile: work by shape, of arrivals without service_s.")]
Slots = Annotated[int, typer.Option(help="Clips that a device steps together at most.")]
LineText = Annotated[str | None, typer.Option("--batch-line", metavar="A,B", help="Seconds of a step of n clips: A * n + B.")]
Park = Annotated[float, typer.Option(help="Seconds a park costs.")]
ColdStart = Annotated[float, typer.Option(help="Seconds to load a model on a device that holds another.")]
Mtbf = Annotated[float | None, typer.Option(help="Mean seconds between deaths of one worker.")]
Repair = Annotated[float, typer.Option(help="Seconds until a dead worker is back.")]
HitShare = Annotated[float, typer.Option(help="Share of arrivals that the result cache answers.")]
Seed = Annotated[int, typer.Option(help="Of arrivals and faults: the same seed gives the same numbers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

PLAIN_LINE = BatchLine(1.0, 0.0)


def read_workload(
    *,
    trace: Path | None,
    arrivals: str | None,
    duration: float | None,
    mix: str | None,
    tiers: str | None,
    service: float | None,
    profile: Path | None,
    seed: int,
) -> Workload:
    """The load that was named. Raises `RequestError` with one line about what is wrong."""
    if (trace is None) == (arrivals is None):
        raise InvalidValueError("arrivals", arrivals or "", "give a trace or --arrivals, one of them")
    check_integer("seed", seed, 0, 2**63 - 1)
    source = Source(text=str(trace), path=trace) if trace is not None else parse_arrivals(arrivals or "")
    pricing = None if profile is None else open_pricing(profile, Catalogue(Settings().models_dir))
    drawn = source.draw(duration, np.random.default_rng(seed), _mix(mix, tiers, service, pricing))
    if not drawn:
        raise InvalidValueError("duration", duration, f"nothing arrives in it ({source.text}, seed {seed})")
    return Workload(arrivals=drawn, service_s=service, pricing=pricing)


def read_fleet(
    num_gpus: int,
    *,
    slots: int = 1,
    batch_line: str | None = None,
    park: float = Fleet.park_s,
    cold_start: float = 0.0,
    mtbf: float | None = None,
    repair: float = Fleet.repair_s,
    hit_share: float = 0.0,
) -> Fleet:
    """The machines that were named. Raises `InvalidValueError`."""
    return Fleet(
        num_devices=num_gpus,
        slots=slots,
        line=_batch_line(batch_line, slots),
        park_s=park,
        cold_start_s=cold_start,
        mtbf_s=inf if mtbf is None else mtbf,
        repair_s=repair,
        hit_share=hit_share,
    )


def check_report(folder: Path, name: str) -> None:
    """Raise now what writing the report would raise after the work."""
    check_charts()
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    check_place(folder / f"{name}.html")


def print_json(data: Mapping[str, Any]) -> None:
    """On stdout, in one line."""
    print(json.dumps(finite(data), ensure_ascii=False))  # noqa: T201 - a result


def print_table(table: ReportTable) -> None:
    """For people, or as tab-separated lines."""
    print_rows(table.columns, [[cell_text(cell) for cell in row] for row in table.rows])


def _mix(mix: str | None, tiers: str | None, service: float | None, pricing: Pricing | None) -> Mix:
    """The named mix; else, where nothing says how long jobs take, the reference mix."""
    is_plain = mix is None and (service is not None or pricing is not None)
    base = Mix() if is_plain else REFERENCE_MIX
    classes = base.classes if mix is None else parse_mix(mix)
    return replace(base, classes=classes, tiers=base.tiers if tiers is None else parse_tiers(tiers))


def _batch_line(text: str | None, slots: int) -> BatchLine:
    limit = "must be A,B: seconds a clip and seconds a step, numbers from 0, such as 0.4,0.6"
    if text is None:
        if slots > 1:
            raise InvalidValueError("batch-line", "", f"more than one slot needs the line; {limit}")
        return PLAIN_LINE
    try:
        a, b = map(float, text.split(","))
    except ValueError as error:
        raise InvalidValueError("batch-line", text, limit) from error
    return BatchLine(a, b)
