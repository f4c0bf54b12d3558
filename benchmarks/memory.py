"""Peak memory of one clip: the stock pipeline, cinelet by each rung of the decode ladder, and what cinelet predicted.

    python -m benchmarks.memory [--model pocket]

Each in a process of its own, because a process's high-water mark never falls.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

from benchmarks.engine import CPU, PROMPTS, Ours, Stock
from benchmarks.record import write
from cinelet.engine.decoder import LADDER, Rung
from cinelet.engine.memory import peak_memory_bytes
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.settings import load_settings
from cinelet.video import Plan, VideoRequest

STEPS = 2
"""Peak memory does not grow with steps."""


def plan_of(card: ModelCard) -> Plan:
    return plan(VideoRequest(prompt=PROMPTS[0], model=card.name, num_inference_steps=STEPS, seed=0), card)


def measure(kind: str, card: ModelCard) -> dict[str, float]:
    """Run one clip in this process; MiB at the peak, and predicted where cinelet runs."""
    if kind == "stock":
        Stock(card.folder).run([plan_of(card)])
        return {"peak_mib": round(peak_memory_bytes(CPU) / 2**20, 1)}
    engine = Ours(card.folder).engine
    rung: Rung = next(rung for rung in LADDER if rung == kind)
    trajectory = engine.admit(plan_of(card))
    while not trajectory.is_done:
        engine.step([trajectory])
    engine.decoder.decode(trajectory.latents_CTHW, trajectory.plan.num_frames, rung)
    predicted = engine.memory(trajectory.plan).peak(rung)
    return {"peak_mib": round(peak_memory_bytes(CPU) / 2**20, 1), "predicted_mib": round(predicted / 2**20, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--here", choices=["stock", *LADDER], help=argparse.SUPPRESS)
    args = parser.parse_args()
    card = Catalogue(load_settings().models_dir).get(args.model)
    if args.here:
        print(json.dumps(measure(args.here, card)))
        return
    table = Table("", "peak", "predicted")
    results = {}
    for kind in ("stock", *LADDER):
        command = [sys.executable, "-m", "benchmarks.memory", "--model", args.model, "--here", kind]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results[kind] = json.loads(done.stdout.splitlines()[-1])
        predicted = results[kind].get("predicted_mib")
        table.add_row(kind, f"{results[kind]['peak_mib']:.0f} MiB", f"{predicted:.0f} MiB" if predicted else "-")
    Console().print(table)
    print(write("memory", {"model": card.name, "one_clip": results}))


if __name__ == "__main__":
    main()
