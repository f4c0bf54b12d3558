"""`cinelet simulate`: a load on machines that need not exist, decided by the scheduler that the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cinelet.capacity.contender import GRAMMAR, parse_contenders
from cinelet.capacity.simulation import simulate as play_all
from cinelet.capacity.simulation_report import NAME, policy_table, tier_table, write_simulation_report
from cinelet.cli import scenario
from cinelet.cli.connection import say


def simulate(
    trace: scenario.Trace = None,
    *,
    gpus: Annotated[int, typer.Option("--gpus", help="How many devices.")],
    policy: Annotated[str, typer.Option(help=f"One or several, separated by commas: {GRAMMAR}.")] = "cinelet",
    preempt: Annotated[bool, typer.Option("--preempt/--no-preempt", help="--no-preempt: no policy parks a running job.")] = True,
    degrade: Annotated[bool, typer.Option("--degrade", help="Every client permits lighter clips.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Admission may refuse.")] = False,
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
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write simulation.json, simulation.html and plots here.")] = None,
    as_json: scenario.AsJson = False,
) -> None:
    """Play a load on any number of devices, by one policy or several, and tell who was in time."""
    contenders = parse_contenders(policy, may_preempt=preempt, may_degrade=degrade, may_refuse=refuse)
    fleet = scenario.read_fleet(
        gpus,
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
    simulation = play_all(workload, fleet, contenders, seed)
    summaries = simulation.summaries()
    settings = {"load": arrivals or str(trace), "gpus": gpus, "seed": seed, "num_jobs": len(workload.arrivals)}
    result: dict[str, Any] = {**next(iter(summaries.values()))} if len(summaries) == 1 else {"policies": summaries}
    result |= {"settings": settings | ({"policy": contenders[0].name} if len(summaries) == 1 else {})}
    if as_json:
        scenario.print_json(result)
    else:
        scenario.print_table(policy_table(summaries))
        if len(summaries) == 1:
            scenario.print_table(tier_table(summaries))
    if report is not None:
        say(f"report: {write_simulation_report(report, simulation, result)}")
