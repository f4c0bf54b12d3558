"""Peak memory predicted before the launch and measured after it, over twelve kinds of clip, and of the stock pipeline.

    python -m benchmarks.memory [--model pocket]

Each in a process of its own, because a process's high-water mark never falls. None of the shapes was used to find the constants of
`cinelet.engine.memory`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.engine import CPU, PROMPTS, Ours, Stock
from benchmarks.record import RESULTS, write
from cinelet.engine.decoder import Rung
from cinelet.engine.usage import peak_memory_bytes
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.settings import load_settings
from cinelet.video import Plan, VideoRequest

ALLOWED_ERROR = 0.10
MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """One kind of work: `group` clips in one forward, one of them decoded by `rung`."""

    width: int
    height: int
    num_frames: int
    rung: Rung = "full"
    group: int = 1
    join_guidance: bool = True

    @property
    def name(self) -> str:
        guidance = "" if self.join_guidance else ", guidance apart"
        return f"{self.width}x{self.height}x{self.num_frames}, {self.group} clip{'s' * (self.group > 1)}, {self.rung}{guidance}"


CASES = (
    Case(96, 64, 5),
    Case(160, 96, 17),
    Case(160, 96, 33, "frames"),
    Case(160, 96, 17, "tiles"),
    Case(160, 96, 17, group=4),
    Case(160, 96, 17, join_guidance=False),
    Case(160, 96, 33, "tiles", group=8),
    Case(160, 96, 65, "frames"),
    Case(192, 128, 33),
    Case(192, 128, 33, "frames"),
    Case(320, 192, 17),
    Case(320, 192, 17, "tiles", group=3),
)


def plan_of(card: ModelCard, case: Case) -> Plan:
    """One step: the peak does not grow with steps."""
    drawn = plan(VideoRequest(prompt=PROMPTS[0], model=card.name, num_inference_steps=1, seed=0), card)
    return replace(drawn, width=case.width, height=case.height, num_frames=case.num_frames)


def measure(card: ModelCard, case: Case) -> dict[str, float]:
    """Predict, then run the case in this process. The limit is the predicted peak itself, so that the engine takes the wanted rung."""
    engine = Ours(card.folder).engine
    engine.denoiser.join_guidance = case.join_guidance
    wanted = plan_of(card, case)
    foreseen = engine.memory(wanted, case.group)
    predicted = foreseen.peak(case.rung)
    engine.memory_limit_bytes = engine.memory(wanted).peak(case.rung)
    group = [engine.admit(replace(wanted, seed=seed)) for seed in range(case.group)]
    engine.step(group)
    video = engine.finish(group[0])
    if video.decode != case.rung:
        raise SystemExit(f"{case.name}: was decoded by {video.decode}")
    real = peak_memory_bytes(CPU)
    return {
        "predicted_mib": round(predicted / MIB, 1),
        "real_mib": round(real / MIB, 1),
        "before_mib": round(foreseen.resident / MIB, 1),
        "error": round(predicted / real - 1, 4),
        "error_of_work": round((predicted - foreseen.resident) / (real - foreseen.resident) - 1, 4),
    }


def run(*args: str) -> dict[str, Any]:
    """What a child process found out."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.memory", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def draw(results: list[dict[str, Any]], path: Path) -> Path:
    """Predicted against real, with the allowed error as a band."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - only for the picture

    real, predicted = ([row[key] for row in results] for key in ("real_mib", "predicted_mib"))
    ends = [0.95 * min(real), 1.05 * max(real)]
    figure, axes = plt.subplots(figsize=(5.2, 5))
    axes.fill_between(ends, [end * (1 - ALLOWED_ERROR) for end in ends], [end * (1 + ALLOWED_ERROR) for end in ends], alpha=0.15)
    axes.plot(ends, ends, linewidth=1)
    axes.scatter(real, predicted, s=24, color="black", zorder=3)
    axes.set(xlabel="measured peak, MiB", ylabel="predicted peak, MiB", title="Peak memory of the pocket model on a CPU")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    args = parser.parse_args()
    card = Catalogue(load_settings().models_dir).get(args.model)
    if args.here == "stock":
        Stock(card.folder).run([plan_of(card, CASES[1])])
        print(json.dumps({"peak_mib": round(peak_memory_bytes(CPU) / MIB, 1)}))
        return
    if args.here:
        print(json.dumps(measure(card, CASES[int(args.here)])))
        return
    table = Table("", "predicted", "measured", "error", "error of what the work adds")
    results = []
    for number, case in enumerate(CASES):
        row = run("--model", args.model, "--here", str(number))
        results.append({"name": case.name, **asdict(case), **row})
        table.add_row(
            case.name,
            f"{row['predicted_mib']:.0f} MiB",
            f"{row['real_mib']:.0f} MiB",
            f"{row['error']:+.1%}",
            f"{row['error_of_work']:+.1%}",
        )
    Console().print(table)
    stock = run("--model", args.model, "--here", "stock")
    worst = max(abs(row["error"]) for row in results)
    values = {"model": card.name, "allowed_error": ALLOWED_ERROR, "worst_error": worst, "cases": results}
    print(f"worst error {worst:.1%}", write("memory", {**values, "stock": {"case": CASES[1].name, **stock}}))
    print(draw(results, RESULTS / "memory.png"))


if __name__ == "__main__":
    main()
