"""`cinelet load`: requests at their instants on any service of the videos API, and what became of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cinelet.capacity import SPECS, TIERS, Arrival, Mix, Source, parse_arrivals, parse_mix, parse_ramp, parse_tiers
from cinelet.capacity.charts import check_charts
from cinelet.capacity.load import Endpoint, Probe, Wishes, summarise, write_load_report
from cinelet.capacity.load.report import tier_table
from cinelet.capacity.load.wishes import fresh_seed, read_prompts
from cinelet.capacity.report import cell_text
from cinelet.cli.connection import ApiKey, Url, say, service_errors
from cinelet.cli.listing import print_rows
from cinelet.cli.load_bar import LoadBar
from cinelet.draft import check_place, explained
from cinelet.errors import InvalidValueError
from cinelet.sdk.address import Address
from cinelet.video import MAX_STEPS, check_integer, check_number, check_text

DEFAULT_TIMEOUT_S = 600.0
MAX_TIMEOUT_S = 86_400.0
DEFAULT_IN_FLIGHT = 10_000
MAX_IN_FLIGHT = 1_000_000
CHECK_TIMEOUT_S = 10.0
DEFAULT_FILE_LIMIT = 1024
SPARE_FILES = 128
"""Files kept for looks, the report and the process itself, of those the system lets it open."""


def load(
    trace: Annotated[Path | None, typer.Argument(metavar="[TRACE]", help="A trace: CSV with arrival_s and more.")] = None,
    *,
    arrivals: Annotated[str | None, typer.Option(metavar="KIND:NAME=NUMBER,…", help=f"Instead of a trace: {'; '.join(SPECS)}.")] = None,
    ramp: Annotated[str | None, typer.Option(metavar="RATE:SECONDS,…", help="Instead of a trace: stages, such as 0.1:60,0.5:60.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds of load; needed with --arrivals.")] = None,
    mix: Annotated[str | None, typer.Option(help="Classes of requests: share=0.8,steps=8;share=0.2,steps=40,width=832,height=480.")] = None,
    tiers: Annotated[str | None, typer.Option(help="Shares of tiers: free=0.5,vip=0.1,standard=0.4.")] = None,
    tier_key: Annotated[list[str] | None, typer.Option(metavar="TIER=KEY", help="API key for the requests of a tier.")] = None,
    prompt: Annotated[str | None, typer.Option(help="For arrivals without one.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="A text file, one prompt a line, taken in turn.")] = None,
    model: Annotated[str | None, typer.Option(help="For arrivals without one.")] = None,
    size: Annotated[str | None, typer.Option(help="For arrivals without one, such as 832x480.")] = None,
    num_frames: Annotated[int | None, typer.Option(help="For arrivals without one.")] = None,
    steps: Annotated[int | None, typer.Option(help="For arrivals without one.")] = None,
    seeds: Annotated[
        bool, typer.Option("--seeds/--no-seeds", help="Give each request a seed of its own, so that no cache answers.")
    ] = True,
    deadlines: Annotated[bool, typer.Option("--deadlines/--no-deadlines", help="Tell the service deadline_s.")] = True,
    send_tiers: Annotated[bool, typer.Option("--send-tiers", help="Tell the service each request's tier, instead of by keys.")] = False,
    obey: Annotated[bool, typer.Option("--obey", help="Wait out refusals (429) as told and try again.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds after which a request is given up.")] = DEFAULT_TIMEOUT_S,
    max_in_flight: Annotated[
        int, typer.Option(help="Requests under way at once; beyond it the sender lags, and says so.")
    ] = DEFAULT_IN_FLIGHT,
    seed: Annotated[int | None, typer.Option(help="Of the arrivals: the same seed draws the same load.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write load.json, load.html, plots and requests.csv here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Send requests at their instants, whatever the answers do, and tell latency by tier from the intended instant."""
    address = Address.find(url, api_key, os.environ)
    source = _source(trace, arrivals, ramp)
    check_number("timeout", timeout, 0.001, MAX_TIMEOUT_S)
    check_integer("max_in_flight", max_in_flight, 1, MAX_IN_FLIGHT)
    check_integer("seed", seed, 0, 2**63 - 1)
    keys = _keys(tier_key or [])
    wishes = Wishes(
        prompts=_prompts(prompt, prompts),
        model=model,
        size=_size(size),
        num_frames=_count("num_frames", num_frames, 100_000),
        num_inference_steps=_count("steps", steps, MAX_STEPS),
        first_seed=fresh_seed() if seeds else None,
        tells_deadlines=deadlines,
        tells_tiers=send_tiers,
    )
    seed = fresh_seed() if seed is None else seed
    planned = source.draw(duration, np.random.default_rng(seed), _mix(mix, tiers))
    if not planned:
        raise InvalidValueError("duration", duration, f"no request falls into it ({source.text}, seed {seed})")
    if report is not None:
        _check_report(report)
    if not send_tiers:
        _tell_labels(planned, keys)
    settings = {
        "url": address.url,
        "arrivals": source.text,
        "seed": seed,
        "first_request_seed": wishes.first_seed,
        "timeout_s": timeout,
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }

    async def run() -> tuple[Probe, float]:
        max_submissions = max(1, min(max_in_flight, _file_limit() - SPARE_FILES))
        async with Endpoint(address.url, lambda tier: keys.get(tier, address.api_key), max_submissions=max_submissions) as endpoint:
            await endpoint.check(sorted({one.tier for one in planned}), CHECK_TIMEOUT_S)
            probe = Probe(endpoint, wishes, timeout_s=timeout, max_in_flight=max_in_flight, obeys=obey)
            _stop_on_interrupt(probe)
            with LoadBar(probe, len(planned), quiet=quiet) as bar:
                watching = asyncio.create_task(bar.watch())
                try:
                    await probe.run(planned)
                finally:
                    watching.cancel()
            return probe, probe.now_s

    with service_errors():
        probe, took_s = asyncio.run(run())
        summary = summarise(probe.samples, num_planned=len(planned), duration_s=took_s, settings=settings)
        _print(summary, as_json=as_json)
        if report is not None:
            say(f"report: {write_load_report(report, summary, probe.samples)}")
    if probe.is_interrupted:
        raise typer.Exit(130)
    if not summary["num_completed"]:
        raise typer.Exit(1)


def _source(trace: Path | None, arrivals: str | None, ramp: str | None) -> Source:
    if sum(one is not None for one in (trace, arrivals, ramp)) != 1:
        raise InvalidValueError("arrivals", arrivals or "", "give one of a trace, --arrivals and --ramp")
    if trace is not None:
        return Source(text=str(trace), path=trace)
    return parse_ramp(ramp) if ramp is not None else parse_arrivals(arrivals or "")


def _mix(mix: str | None, tiers: str | None) -> Mix:
    default = Mix()
    return Mix(
        classes=default.classes if mix is None else parse_mix(mix),
        tiers=default.tiers if tiers is None else parse_tiers(tiers),
    )


def _keys(pairs: Sequence[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for pair in pairs:
        tier, equals, key = pair.partition("=")
        if not equals or not key or tier not in TIERS:
            raise InvalidValueError("tier_key", f"{tier}=(hidden)", f"must be TIER=KEY with one of the tiers {', '.join(TIERS)}")
        keys[tier] = key
    return keys


def _prompts(prompt: str | None, path: Path | None) -> Sequence[str]:
    if prompt is not None and path is not None:
        raise InvalidValueError("prompts", path, "give --prompt or --prompts, not both")
    if path is not None:
        return read_prompts(path)
    if prompt is None:
        return Wishes().prompts
    check_text("prompt", prompt, allow_empty=False)
    return (prompt,)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()) or len(text) > 11:
        raise InvalidValueError("size", text, "must be WIDTHxHEIGHT in pixels, such as 832x480")
    return int(width), int(height)


def _count(name: str, value: int | None, high: int) -> int | None:
    check_integer(name, value, 1, high)
    return value


def _check_report(folder: Path) -> None:
    """Raise before the load what writing the report would raise after it."""
    check_charts()
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    check_place(folder / "load.html")


def _tell_labels(planned: Sequence[Arrival], keys: dict[str, str]) -> None:
    unkeyed = sorted({one.tier for one in planned} - set(keys))
    if len(unkeyed) > 1:
        say(f"note: {', '.join(unkeyed)} have no key of their own (--tier-key, or --send-tiers); the service cannot tell them apart")


def _file_limit() -> int:
    """How many files this process may have open; connections are files."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return DEFAULT_FILE_LIMIT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_IN_FLIGHT if soft == resource.RLIM_INFINITY else soft


def _stop_on_interrupt(probe: Probe) -> None:
    """The first Ctrl-C ends the run with a report, a second one ends the process."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        probe.stop()

    with suppress(NotImplementedError):  # Windows: Ctrl-C ends without a report there
        loop.add_signal_handler(signal.SIGINT, stop)


def _print(summary: dict[str, Any], *, as_json: bool) -> None:
    """The result on stdout; what must not be overlooked on stderr."""
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))  # noqa: T201 - a result
    else:
        table = tier_table(summary)
        print_rows(table.columns, [[cell_text(cell) for cell in row] for row in table.rows])
        _say_more(summary)
    for reason, count in summary["reasons"].items():
        say(f"{count} x {reason}")
    for warning in summary["warnings"]:
        say(f"warning: {warning}")


def _say_more(summary: dict[str, Any]) -> None:
    eta, naive, lag = summary["eta"], summary["naive_latency"], summary["lag"]
    say(f"{60 * (summary['throughput_per_s'] or 0.0):.3g} clips a minute over {summary['duration_s']:.0f} s")
    say(f"naive latency (from the actual send): p99 {cell_text(naive['p99_s'])} s; the sender's lag: p99 {cell_text(lag['p99_s'])} s")
    if eta["num_quotes"]:
        say(f"ETA: {eta['num_quotes']} quotes, median error {eta['median_error']:.0%}, {eta['share_within_35_percent']:.0%} within ±35 %")
