"""The simulator against reality: the same three traces on a real `cinelet serve` with the pocket model and in `capacity`.

    python -m benchmarks.calibration

Three classes of clips; a steady trace, one that swells and ebbs, and a bursty one. What a clip of each class takes beside the device is
measured first, alone; how much of its device seconds is its decode, how far they are from the service's own prediction and what passes
between two in a rehearsal, another steady trace. Compared are median, p95 and the share of kept promises, by the service's clock, with
three simulations that differ in the device seconds of a clip:

- `simulated`: as the service predicted them when it accepted the clip, times how far such predictions were off in the rehearsal;
- `rehearsed`: the mean of its class in the rehearsal, minutes before;
- `replayed`: what it then took. What is left apart here is not of prices.

Whose place a clip takes is decided, as in the service, by the prediction of its acceptance.

In the same runs the quotes given at acceptance are held against what came. Writes results/calibration.json and
docs/images/calibration.png.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from benchmarks.playing import Life, lives_of, play, turn_s
from benchmarks.record import ROOT, scratch, write
from cinelet.capacity import Arrival
from cinelet.capacity.arrivals import bursty, daily, poisson
from cinelet.capacity.charts import Chart
from cinelet.capacity.fleet import Fleet
from cinelet.capacity.load.sample import Sample
from cinelet.capacity.load.summary import ETA_BAND
from cinelet.capacity.simulator import Simulator
from cinelet.capacity.trace import Tier
from cinelet.capacity.workload import Workload
from cinelet.scheduling import policy_named, promise_s
from tests.support.service import Service

CLASSES = {"preview": (3, 5, 96, 64), "standard": (5, 9, 96, 64), "large": (10, 17, 160, 96)}
"""Steps, frames, width, height: small clips, since a quarter of an hour must hold so many bursts that their median means something."""
SHARES = {"preview": 0.35, "standard": 0.5, "large": 0.15}
TIERS: dict[Tier, float] = {"free": 0.4, "standard": 0.5, "vip": 0.1}
LOAD = {"steady": 0.6, "changing": 0.55, "bursty": 0.5}
SWING = 0.6
NUM_WAVES = 3
"""Of the changing load, between 0.22 and 0.88."""
DISPERSION = 20.0
WINDOW_MEANS = 32.0
"""A burst lasts as long as so many mean clips take: 16 requests are expected in it on one device."""
NUM_OF_A_CLASS = 12
NUM_WARM = 8
"""The first clips of a process take up to a quarter longer."""
NUM_REHEARSED = 160
REHEARSAL_SEED = 12
PARK_S = 0.02


def clip(kind: str, at: float, tier: Tier, service_s: float | None = None, decode_share: float | None = None) -> Arrival:
    """One request of a class."""
    steps, frames, width, height = CLASSES[kind]
    return Arrival(
        arrival_s=at,
        tier=tier,
        num_inference_steps=steps,
        num_frames=frames,
        width=width,
        height=height,
        service_s=service_s,
        decode_share=decode_share,
    )


def kind_of(arrival: Arrival) -> str:
    """The class of a request, by its size."""
    size = (arrival.num_inference_steps, arrival.num_frames, arrival.width, arrival.height)
    return next(kind for kind, one in CLASSES.items() if one == size)


@dataclass(frozen=True)
class Rehearsal:
    """What a steady trace told of each class: mean device seconds, their share of the service's prediction, the share of the decode in
    them; and what passes between two clips."""

    device_s: dict[str, float]
    overrun: dict[str, float]
    decode_share: dict[str, float]
    between_s: float


class Stage:
    """A real service, and what its own clock says of the traces played on it."""

    def __init__(self, service: Service) -> None:
        self._url = service.url
        self._store = Path(service.settings["store"])

    def play(self, arrivals: Sequence[Arrival]) -> list[tuple[Sample, Life]]:
        """Each request and its clip, in the order of the arrivals."""
        asked = [replace(arrival, service_s=None, decode_share=None) for arrival in arrivals]
        samples = sorted(play(self._url, asked), key=lambda one: one.number)
        return list(zip(samples, lives_of(self._store, samples), strict=True))

    def alone_s(self) -> tuple[dict[str, float], dict[str, float]]:
        """Of each class, made alone, the classes in turn: device seconds, and what a clip takes beside them."""
        made: dict[str, list[Life]] = {kind: [] for kind in CLASSES}
        for turn in range(NUM_WARM + NUM_OF_A_CLASS):
            for kind in CLASSES:
                [(_, life)] = self.play([clip(kind, 0.0, "standard")])
                if turn >= NUM_WARM:
                    made[kind].append(life)
        device_s = {kind: statistics.median(life.device_s for life in clips) for kind, clips in made.items()}
        return device_s, {kind: statistics.median(life.took_s - life.device_s for life in clips) for kind, clips in made.items()}

    def rehearse(self, alone_s: Mapping[str, float]) -> Rehearsal:
        """Clips made while gateway and callers want the cores too."""
        arrivals = trace("steady", alone_s, NUM_REHEARSED, seed=REHEARSAL_SEED)
        made: dict[str, list[Life]] = {kind: [] for kind in CLASSES}
        for arrival, (_, life) in zip(arrivals, self.play(arrivals), strict=True):
            made[kind_of(arrival)].append(life)

        def mean(of: Callable[[Life], float]) -> dict[str, float]:
            return {kind: statistics.mean(map(of, lives)) for kind, lives in made.items()}

        device_s, work_s, decode_s = mean(lambda life: life.device_s), mean(lambda life: life.work_s), mean(lambda life: life.decode_s)
        return Rehearsal(
            device_s=device_s,
            overrun={kind: device_s[kind] / work_s[kind] for kind in CLASSES},
            decode_share={kind: decode_s[kind] / device_s[kind] for kind in CLASSES},
            between_s=turn_s([life for lives in made.values() for life in lives]),
        )


def trace(
    name: str,
    device_s: Mapping[str, float],
    num: int,
    *,
    decode_shares: Mapping[str, float] | None = None,
    num_devices: int = 1,
    seed: int = 11,
) -> list[Arrival]:
    """About `num` requests at the load of the trace."""
    shares = decode_shares or dict.fromkeys(CLASSES, 0.0)
    rng = np.random.default_rng(seed)
    mean_s = sum(SHARES[kind] * device_s[kind] for kind in CLASSES)
    rate = num_devices * LOAD[name] / mean_s
    duration_s = num / rate
    if name == "steady":
        instants = poisson(rate, duration_s, rng)
    elif name == "changing":
        instants = daily(rate, duration_s, rng, swing=SWING, period_s=duration_s / NUM_WAVES)
    else:
        instants = bursty(rate, duration_s, rng, dispersion=DISPERSION, window_s=WINDOW_MEANS * mean_s)
    kinds = rng.choice(list(SHARES), len(instants), p=list(SHARES.values()))
    tiers = [list(TIERS)[number] for number in rng.choice(len(TIERS), len(instants), p=list(TIERS.values()))]
    return [
        clip(kind, float(at), tier, device_s[kind], shares[kind]) for at, kind, tier in zip(instants, map(str, kinds), tiers, strict=True)
    ]


def simulate(arrivals: Sequence[Arrival], device_s: Sequence[float], beside_s: Sequence[float], between_s: float) -> list[float]:
    """Latencies in the order of the arrivals, each of which occupies the device for so long, and for what passes before the next.

    That is a part of what a clip made alone takes beside its device seconds, so it counts once.
    """

    def occupying(arrival: Arrival, seconds: float) -> Arrival:
        decode_s = (arrival.decode_share or 0.0) * seconds
        return replace(arrival, service_s=between_s + seconds, decode_share=decode_s / (between_s + seconds))

    arrivals = list(map(occupying, arrivals, device_s))
    tally = Simulator(policy_named("cinelet"), Fleet(num_devices=1, park_s=PARK_S), Workload(arrivals=arrivals).jobs()).run()
    latency = np.empty(len(arrivals))
    latency[tally.column("number")] = tally.column("latency_s")
    return list(latency - between_s + np.array(beside_s))


def promises(arrivals: Sequence[Arrival]) -> list[float]:
    """Within how many seconds each was promised."""
    return [promise_s(arrival.tier, arrival.service_s or 0.0) for arrival in arrivals]


def figures(latencies: Sequence[float], promised_s: Sequence[float], beside_s: Sequence[float]) -> dict[str, float]:
    """Median, p95, kept promises. The promise is about the device's work: what is beside it does not count against it."""
    kept = [latency - beside <= promise for latency, promise, beside in zip(latencies, promised_s, beside_s, strict=True)]
    return {
        "p50_s": round(float(np.percentile(latencies, 50)), 3),
        "p95_s": round(float(np.percentile(latencies, 95)), 3),
        "slo_attainment": round(float(np.mean(kept)), 4),
    }


def apart(simulated: Mapping[str, float], real: Mapping[str, float]) -> dict[str, float]:
    """How far simulated figures are from real ones, as a share of these."""
    return {key: round(abs(simulated[key] / real[key] - 1), 4) for key in real}


def quotes(errors: ArrayLike) -> dict[str, float]:
    """How far quotes were from what came, from the error of each as a share of it."""
    off = np.abs(errors)
    return {"median_error": round(float(np.median(off)), 4), "share_within_35_percent": round(float((off <= ETA_BAND).mean()), 4)}


def compare(
    arrivals: Sequence[Arrival], played: Sequence[tuple[Sample, Life]], rehearsal: Rehearsal, beside_of: Mapping[str, float]
) -> tuple[dict[str, Any], list[float], list[float]]:
    """Figures of one trace, and its latencies, real and simulated."""
    lives = [life for _, life in played]
    kinds = list(map(kind_of, arrivals))
    beside_s = [beside_of[kind] for kind in kinds]
    as_told = [
        replace(arrival, deadline_s=life.due_at - life.created_at, predicted_s=life.work_s)
        for arrival, life in zip(arrivals, lives, strict=True)
    ]
    seconds = {
        "simulated": (as_told, [life.work_s * rehearsal.overrun[kind] for kind, life in zip(kinds, lives, strict=True)]),
        "rehearsed": (arrivals, [rehearsal.device_s[kind] for kind in kinds]),
        "replayed": (as_told, [life.device_s for life in lives]),
    }
    latencies = {"real": [(sample.lag_s or 0.0) + life.took_s for sample, life in played]}
    latencies |= {way: simulate(asked, device_s, beside_s, rehearsal.between_s) for way, (asked, device_s) in seconds.items()}
    found = {way: figures(latency_s, promises(arrivals), beside_s) for way, latency_s in latencies.items()}
    told = quotes([sample.eta_s / life.took_s - 1 for sample, life in played if sample.eta_s is not None])
    off = {f"{way}_apart": apart(found[way], found["real"]) for way in seconds}
    return {"requests": len(arrivals), **found, **off, "quotes": told}, latencies["real"], latencies["simulated"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--requests", type=int, default=320, help="about so many in each trace")
    args = parser.parse_args()
    result: dict[str, Any] = {}
    chart = Chart("Simulated against real latency", x="latency (s)", y="% of requests", log="x")
    with (
        scratch("calibration") as folder,
        Service(Path(folder), max_wait_s=100_000) as service,
    ):
        stage = Stage(service)
        alone_s, beside_of = stage.alone_s()
        rehearsal = stage.rehearse(alone_s)
        result["between_s"] = round(rehearsal.between_s, 3)
        by_class = {"alone_s": alone_s, "beside_s": beside_of, "device_s": rehearsal.device_s, "overrun": rehearsal.overrun}
        for name, by_kind in {**by_class, "decode_share": rehearsal.decode_share}.items():
            result[name] = {kind: round(figure, 3) for kind, figure in by_kind.items()}
        print(result)
        for name in LOAD:
            arrivals = trace(name, rehearsal.device_s, args.requests, decode_shares=rehearsal.decode_share)
            played = stage.play(arrivals)
            result[name], real_s, simulated_s = compare(arrivals, played, rehearsal, beside_of)
            print(name, result[name])
            chart.shares(real_s, f"{name}, real")
            chart.shares(simulated_s, f"{name}, simulated")
    (ROOT / "docs/images/calibration.png").write_bytes(chart.png())
    write("calibration", result)


if __name__ == "__main__":
    main()
