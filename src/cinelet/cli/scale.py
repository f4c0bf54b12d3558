"""`cinelet scale advise`: how many devices a running service should have, and why."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Annotated, Any

import numpy as np
import typer

from cinelet.capacity.forecast import Series, foresee
from cinelet.capacity.report import cell_text
from cinelet.cli.connection import ApiKey, Url, say, service_errors
from cinelet.cli.listing import print_rows
from cinelet.errors import RequestError, UnavailableError
from cinelet.scheduling.scale import Advice, ScalePolicy, Situation, advise, peak_rate, recent_rate
from cinelet.sdk.address import Address
from cinelet.sdk.exchange import Call, Script
from cinelet.sdk.protocol import Protocol, parse
from cinelet.sdk.transport import Transport

scale = typer.Typer(help="How many devices the load needs.", no_args_is_help=True)

DEFAULTS = ScalePolicy()
RECENT_BUCKET_S, RECENT_S = 300.0, 3 * 3600.0
"""What the service's own gauge looks at."""
FAR_FROM_S = 600.0
"""From this cold start on, a forecast by time of day is better than the recent rate (docs/guides/forecasting.md)."""
FAR_S = 14 * 86_400.0
TIMEOUT_S = 30.0


@scale.callback()
def scaling() -> None:
    """How many devices the load needs."""


@scale.command("advise")
def advise_command(
    *,
    min_devices: Annotated[int, typer.Option("--min", help="Fewest devices.")] = DEFAULTS.min_devices,
    max_devices: Annotated[int, typer.Option("--max", help="Most devices.")] = DEFAULTS.max_devices,
    warm: Annotated[int, typer.Option(help="Idle devices to keep beyond what the forecast needs.")] = DEFAULTS.num_warm,
    target_wait: Annotated[float, typer.Option(help="Seconds that work may wait for a device.")] = DEFAULTS.target_wait_s,
    cold_start: Annotated[float, typer.Option(help="Seconds from asking for a device to its first step.")] = DEFAULTS.cold_start_s,
    max_utilization: Annotated[float, typer.Option(help="Share of the devices that may be planned to be busy.")] = DEFAULTS.max_utilization,
    min_utilization: Annotated[float, typer.Option(help="Below this share busy, all that is too much goes.")] = DEFAULTS.min_utilization,
    calm: Annotated[float, typer.Option(help="Seconds without a change before anything is drained.")] = DEFAULTS.calm_s,
    quantile: Annotated[float, typer.Option(help="Share of outcomes that the estimate of arriving work should cover.")] = 0.75,
    starting: Annotated[int, typer.Option(help="Devices on their way: asked for, not yet at work.")] = 0,
    draining: Annotated[int, typer.Option(help="Workers that are still there but will go.")] = 0,
    since_change: Annotated[float | None, typer.Option(help="Seconds since the last change; left out, as the service saw it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Say how many devices a service should have. Changes nothing: whoever owns the devices follows it, or not."""
    policy = ScalePolicy(
        min_devices=min_devices,
        max_devices=max_devices,
        num_warm=warm,
        target_wait_s=target_wait,
        cold_start_s=cold_start,
        max_utilization=max_utilization,
        min_utilization=min_utilization,
        calm_s=calm,
    )
    with service_errors():
        queue = ask(url, api_key, RECENT_S, RECENT_BUCKET_S)
        is_far = cold_start > FAR_FROM_S
        arriving = _arriving_far(url, api_key, policy, quantile) if is_far else None
        now = situation_of(queue, policy, quantile, arriving=arriving, starting=starting, draining=draining, since_change_s=since_change)
        _print(advise(now, policy), now, as_json=as_json)


def ask(url: str | None, api_key: str | None, history_s: float, bucket_s: float) -> Mapping[str, Any]:
    """`GET /v1/queue` with its history. Raises what the SDK raises, and `UnavailableError` where the service knows no history."""

    def script(protocol: Protocol) -> Script[Any]:
        answer = yield from protocol.answer(
            Call(method="GET", path="/queue", params={"history_s": str(history_s), "bucket_s": str(bucket_s)})
        )
        return parse(answer.body)

    address = Address.find(url, api_key, os.environ)
    transport = Transport(address, TIMEOUT_S)
    try:
        queue = transport.run(script(Protocol(url=address.url)))
    finally:
        transport.close()
    if not isinstance(queue, dict) or not isinstance(queue.get("accepted"), dict):
        raise UnavailableError("url: the service does not tell what it accepted; it is no cinelet service, or an older one")
    return queue


def situation_of(
    queue: Mapping[str, Any],
    policy: ScalePolicy,
    quantile: float,
    *,
    arriving: float | None,
    starting: int,
    draining: int,
    since_change_s: float | None,
) -> Situation:
    """What the service told, as the decision wants it; `arriving` None takes the recent rate."""
    work_s, bucket_s = queue["accepted"]["work_seconds"], queue["accepted"]["bucket_seconds"]
    workers, running = queue["workers"], queue["running"]
    return Situation(
        num_waiting=sum(queue["waiting"].values()),
        waiting_s=queue["waiting_seconds"],
        num_running=running,
        running_s=queue["running_seconds"],
        ready=max(0, workers - draining),
        starting=starting,
        draining=draining,
        arriving=recent_rate(work_s, bucket_s=bucket_s, quantile=quantile) if arriving is None else arriving,
        peaking=peak_rate(work_s, bucket_s=bucket_s, calm_s=policy.calm_s),
        utilization=min(1.0, running / workers) if workers else None,
        oldest_wait_s=queue["oldest_wait_seconds"],
        since_change_s=queue["workers_unchanged_seconds"] if since_change_s is None else since_change_s,
    )


def _arriving_far(url: str | None, api_key: str | None, policy: ScalePolicy, quantile: float) -> float | None:
    """The forecast for a cold start from now, in device-seconds a second; None where there is too little history for one."""
    bucket_s = max(600.0, min(policy.cold_start_s, 3600.0))
    work_s = np.array(ask(url, api_key, FAR_S, bucket_s)["accepted"]["work_seconds"])
    came = np.flatnonzero(work_s)
    values = work_s[came[0] :] if len(came) else work_s[:0]  # the service is no older than its first job
    try:
        foresight = foresee(
            Series(start_s=0.0, bucket_s=bucket_s, values=values, measure="work"),
            num_ahead=max(1, round(policy.cold_start_s / bucket_s)),
            quantile=quantile,
        )
    except RequestError as error:
        say(f"{error.message}; the recent rate is used")
        return None
    say(f"forecast: {foresight.method}, on {len(values):,} buckets of {bucket_s:g} s")
    return float(foresight.upper[-1]) / bucket_s


def as_dict(advice: Advice, now: Situation) -> dict[str, Any]:
    """The advice and what it rests on, for programs. A wait without any device is null."""
    told: dict[str, Any] = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(advice).items()}
    told["wait_s"] = told["wait_s"] if isfinite(advice.wait_s) else None
    return {**told, "situation": asdict(now)}


def _print(advice: Advice, now: Situation, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(as_dict(advice, now)))  # noqa: T201 - a result
        return
    facts = [
        ("advice", advice.action),
        ("devices", f"{advice.num_devices} now, {advice.target_devices} wanted"),
        ("why", advice.reason),
        ("waiting", f"{now.num_waiting} jobs, {cell_text(now.waiting_s)} s of work, {cell_text(advice.wait_s)} s to wait"),
        ("running", f"{now.num_running} jobs, {cell_text(now.running_s)} s left"),
        ("arriving", f"work for {advice.arriving:.2f} devices"),
        ("floor, reaction", f"{advice.floor_devices}, {advice.reaction_devices} devices"),
    ]
    if advice.num_recall or advice.num_start or advice.num_drain:
        facts.append(("to do", f"take back {advice.num_recall}, start {advice.num_start}, drain {advice.num_drain}"))
    print_rows(None, facts)
