"""The distilled pocket model beside the one it came from: what prompts got right, and seconds of one clip from sentence to frames.

    python -m benchmarks.few_steps [--limit 150]

Clips are timed one at a time, the configurations in turn for each prompt, so that a slow moment meets all of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from benchmarks.record import write
from training.pocket.evaluate import HELD_OUT, make_judge
from training.pocket.judge import Judge, Settings, accuracies, plan_of
from training.pocket.prompts import Row, read_rows, spread
from training.pocket.world import LABELS

CONFIGURATIONS = {"pocket-fast, 4 steps": ("pocket-fast", 4), "pocket, 16 steps": ("pocket", 16), "pocket, 25 steps": ("pocket", 25)}
FAST, REFERENCE = "pocket-fast, 4 steps", "pocket, 16 steps"
NUM_TIMED = 8


def seconds(judges: dict[str, Judge], rows: list[Row]) -> dict[str, list[float]]:
    """Of one clip after another; the first of each only warms up."""
    took: dict[str, list[float]] = {name: [] for name in CONFIGURATIONS}
    for number, row in enumerate([rows[0], *rows]):
        for name, (model, steps) in CONFIGURATIONS.items():
            plan = plan_of(row, judges[model].card, Settings(steps=steps))
            began = time.perf_counter()
            judges[model].generate([plan])
            if number:
                took[name].append(time.perf_counter() - began)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--limit", type=int, default=150, help="judge so many prompts with each")
    args = parser.parse_args()
    rows = list(spread(read_rows(HELD_OUT), args.limit))
    judges = {model: make_judge(model) for model, _ in CONFIGURATIONS.values()}
    took = seconds(judges, rows[:NUM_TIMED])
    figures: dict[str, Any] = {}
    for name, (model, steps) in CONFIGURATIONS.items():
        right = accuracies(list(judges[model].judge(rows, Settings(steps=steps))))
        figures[name] = {label: round(right[label] or 0.0, 4) for label in LABELS} | {"clip_s": round(statistics.median(took[name]), 3)}
        print(name, figures[name])
    ratios = [one / other for one, other in zip(took[REFERENCE], took[FAST], strict=True)]
    worst = max(figures[REFERENCE][label] - figures[FAST][label] for label in LABELS)
    path = write(
        "few_steps",
        {
            "num_prompts": len(rows),
            "configurations": figures,
            "times_as_fast": round(statistics.median(ratios), 2),
            "largest_loss_in_points": round(100 * worst, 1),
        },
    )
    print(path)


if __name__ == "__main__":
    main()
