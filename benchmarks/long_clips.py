"""Long clips: what happens where windows meet, whether the clip still shows what was asked, and memory against length.

    python -m benchmarks.long_clips [--prompts 8] [--lengths 17 65 129] [--sheet OUT.png]
    python -m benchmarks.long_clips --memory-only

Pictures: the change from frame to frame where two windows overlap against the median elsewhere, and the labels that the classifier reads
in each stretch of 17 frames. Memory: each length in a process of its own, because a process's high-water mark never falls.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from tqdm import tqdm

from benchmarks.engine import CPU, PROMPTS, Ours
from benchmarks.record import write
from cinelet.engine import Engine
from cinelet.engine.usage import peak_memory_bytes
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.settings import load_settings
from cinelet.video import Plan, VideoRequest
from cinelet.windows import latent_frames, windows
from training.pocket.classifier import Classifier, load_classifier
from training.pocket.prompts import Row, read_rows, spread
from training.pocket.world import LABELS, NUM_FRAMES

HELD_OUT = Path(__file__).parents[1] / "training/pocket/held_out_prompts.jsonl"
LENGTHS = (17, 65, 129)
MEMORY_LENGTHS = (17, 33, 81, 161)
MEMORY_STEPS = 1
"""Peak memory does not grow with steps."""
SHEET_COLUMNS = 13


def generate(engine: Engine, plan: Plan) -> NDArray[np.uint8]:
    trajectory = engine.admit(plan)
    while not trajectory.is_done:
        engine.step([trajectory])
    return engine.finish(trajectory).frames


def overlaps(plan: Plan, stride: int) -> set[int]:
    """Frames that two windows drew together."""
    num_latents, length = (latent_frames(count, stride) for count in (plan.num_frames, plan.window_frames))
    seen = np.zeros(num_latents, int)
    for window in windows(num_latents, length):
        seen[window.start : window.stop] += 1
    return {
        frame for latent in np.flatnonzero(seen > 1).tolist() for frame in range(max(0, stride * latent - stride + 1), stride * latent + 1)
    }


def changes(frames: NDArray[np.uint8], meeting: set[int]) -> dict[str, float]:
    """The mean change of a pixel from frame to frame: the median, and as times of it the largest and the mean where windows meet."""
    steps = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean((1, 2, 3))
    where = [step for i, step in enumerate(steps) if i in meeting or i + 1 in meeting]
    elsewhere = float(np.median([step for i, step in enumerate(steps) if not (i in meeting or i + 1 in meeting)]))
    found = {"median_change": elsewhere, "largest_change": float(steps.max()) / elsewhere}
    return found | ({"change_where_windows_meet": float(np.mean(where)) / elsewhere} if where else {})


def labels(frames: NDArray[np.uint8], row: Row, classifier: Classifier) -> dict[str, float]:
    """Of the stretches as long as the world's clips: the share that shows each label, and whether all show the same one."""
    answers = classifier.predict([frames[i : i + NUM_FRAMES] for i in range(0, len(frames) - NUM_FRAMES + 1, NUM_FRAMES - 1)])
    right = {label: float(np.mean([answer[label] == row.labels[label] for answer in answers])) for label in LABELS if label in row.labels}
    return right | {f"same_{label}": float(len({answer[label] for answer in answers}) == 1) for label in LABELS}


def pictures(card: ModelCard, rows: Sequence[Row], lengths: Sequence[int], sheet: Path | None) -> dict[str, dict[str, float]]:
    engine, classifier = Ours(card.folder).engine, load_classifier()
    results, strips = {}, []
    for length in lengths:
        found: list[dict[str, float]] = []
        for row in tqdm(rows, unit="clip", desc=f"{length} frames", file=sys.stderr):
            made = plan(VideoRequest(prompt=row.prompt, num_frames=length, seed=row.number), card)
            frames = generate(engine, made)
            found.append(changes(frames, overlaps(made, card.latent_stride[0])) | labels(frames, row, classifier))
            strips.append(np.concatenate(list(frames[np.linspace(0, length - 1, SHEET_COLUMNS).round().astype(int)]), axis=1))
        names = sorted(set().union(*found))
        results[str(length)] = {name: round(float(np.mean([one[name] for one in found if name in one])), 3) for name in names}
    if sheet:
        Image.fromarray(np.concatenate(strips)).save(sheet)
    return results


def measure_memory(card: ModelCard, length: int) -> dict[str, float]:
    """One clip in this process; MiB."""
    engine = Ours(card.folder).engine
    made = plan(VideoRequest(prompt=PROMPTS[0], num_frames=length, num_inference_steps=MEMORY_STEPS, seed=0), card)
    predicted = engine.memory(made).peak()
    frames = generate(engine, made)
    peak = peak_memory_bytes(CPU)
    return {name: round(size / 2**20, 1) for name, size in {"frames": frames.nbytes, "peak": peak, "predicted": predicted}.items()}


def memory(card: ModelCard) -> dict[str, dict[str, float]]:
    results = {}
    for length in MEMORY_LENGTHS:
        command = [sys.executable, "-m", "benchmarks.long_clips", "--model", card.name, "--here", str(length)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results[str(length)] = json.loads(done.stdout.splitlines()[-1])
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--prompts", type=int, default=8, help="how many held-out prompts, evenly spaced over the file")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, metavar="FRAMES")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="also write a picture of the clips, a row each")
    parser.add_argument("--memory-only", action="store_true")
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    card = Catalogue(load_settings().models_dir).get(args.model)
    if args.here:
        print(json.dumps(measure_memory(card, args.here)))
        return
    results: dict[str, Any] = {"model": card.name, "memory_mib": memory(card)}
    if not args.memory_only:
        rows = [row for row in read_rows(HELD_OUT) if set(row.labels) >= {"subject", "scene", "motion"}]
        results["pictures"] = pictures(card, spread(rows, args.prompts), args.lengths, args.sheet)
    Console().print(results)
    print(write("long_clips", results))


if __name__ == "__main__":
    main()
