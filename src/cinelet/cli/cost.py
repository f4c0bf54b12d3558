"""`cinelet cost`: what a clip costs, and how many GPUs a goal needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cinelet.capacity.contender import GRAMMAR, parse_contenders
from cinelet.capacity.cost_report import NAME, bill_table, write_cost_report
from cinelet.capacity.sizing import Goal, Sizing
from cinelet.cli import scenario
from cinelet.cli.connection import say
from cinelet.errors import InvalidValueError

DEFAULT_MAX_GPUS = 1024
MAX_CURRENCY_CHARS = 8


def cost(
    trace: scenario.Trace = None,
    *,
    gpu_price: Annotated[float, typer.Option("--gpu-price", help="Money for one GPU and hour.")],
    currency: Annotated[str, typer.Option(help="Its name, for the tables.")] = "",
    gpus: Annotated[int | None, typer.Option("--gpus", help="The bill of so many GPUs; without it, the fewest that meet the goal.")] = None,
    slo: Annotated[float | None, typer.Option("--slo", help="Goal: this share of jobs in time, such as 0.95 (the default).")] = None,
    p95: Annotated[float | None, typer.Option("--p95", help="Goal: 95 of 100 clips are there within so many seconds.")] = None,
    max_gpus: Annotated[int, typer.Option(help="Look no further.")] = DEFAULT_MAX_GPUS,
    policy: Annotated[str, typer.Option(help=f"{GRAMMAR}.")] = "cinelet",
    arrivals: scenario.Arrivals = None,
    duration: scenario.Duration = None,
    mix: scenario.MixText = None,
    tiers: scenario.Tiers = None,
    service: scenario.Service = None,
    profile: scenario.Profile = None,
    slots: scenario.Slots = 1,
    batch_line: scenario.LineText = None,
    park: scenario.Park = 0.05,
    cold_start: scenario.ColdStart = 0.0,
    mtbf: scenario.Mtbf = None,
    repair: scenario.Repair = 60.0,
    hit_share: scenario.HitShare = 0.0,
    seed: scenario.Seed = 0,
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write cost.json, cost.html and the curve here.")] = None,
    as_json: scenario.AsJson = False,
) -> None:
    """GPU seconds and money a clip and a thousand calls, and the fewest GPUs that keep a promise under a load."""
    contenders = parse_contenders(policy)
    if len(contenders) != 1:
        raise InvalidValueError("policy", policy, "must be one")
    if gpus is not None and (slo is not None or p95 is not None):
        raise InvalidValueError("gpus", gpus, "give a number of GPUs or a goal, not both")
    if len(currency) > MAX_CURRENCY_CHARS or not currency.isprintable():
        raise InvalidValueError("currency", currency, f"must have at most {MAX_CURRENCY_CHARS} printable characters")
    goal = Goal(slo_attainment=0.95 if slo is None and p95 is None else slo, p95_s=p95)
    fleet = scenario.read_fleet(
        gpus or 1,
        slots=slots,
        batch_line=batch_line,
        park=park,
        cold_start=cold_start,
        mtbf=mtbf,
        repair=repair,
        hit_share=hit_share,
    )
    if report is not None:
        scenario.check_report(report, NAME)
    workload = scenario.read_workload(
        trace=trace, arrivals=arrivals, duration=duration, mix=mix, tiers=tiers, service=service, profile=profile, seed=seed
    )
    sizing = Sizing(workload, fleet, contenders[0], price_an_hour=gpu_price, seed=seed)
    chosen = gpus if gpus is not None else sizing.fewest(goal, max_devices=max_gpus)
    if chosen is None:
        best = sizing.bill(max_gpus)
        reached = f"{100 * best.slo_attainment:.2f} % are in time, p95 is {best.p95_s} s"
        raise InvalidValueError("max-gpus", max_gpus, f"so many do not meet the goal: {reached}; ask for less, or allow more")
    bills = [sizing.bill(chosen)] if gpus is not None else sizing.curve(chosen, max_gpus)
    settings: dict[str, Any] = {
        "load": arrivals or str(trace), "num_jobs": len(workload.arrivals), "policy": contenders[0].name, "seed": seed,
        "gpu_price": gpu_price, "currency": currency or None, "slo": goal.slo_attainment if gpus is None else None,
        "p95": p95,
    }  # fmt: skip
    result = {**sizing.bill(chosen).to_json(), "curve": [bill.to_json() for bill in bills], "settings": settings}
    if as_json:
        scenario.print_json(result)
    else:
        scenario.print_table(bill_table(bills, chosen, currency))
    if report is not None:
        say(f"report: {write_cost_report(report, bills, chosen, result, currency)}")
