"""Draws the training curves of the runs that are there as one picture.

python -m training.pocket.plot_curves --runs runs/pocket --out docs/images/pocket_training.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

PANELS = (
    ("vae", "loss", "autoencoder: loss"),
    ("vae", "psnr", "autoencoder: PSNR, dB"),
    ("text", "loss", "text encoder: loss"),
    ("transformer", "loss", "transformer: flow-matching loss"),
)


def read(folder: Path, key: str) -> tuple[list[float], list[float]]:
    """Steps and values of one number; a run that was resumed tells a step twice, and the later report counts."""
    points: dict[float, float] = {}
    path = folder / "log.jsonl"
    for line in path.read_text().splitlines() if path.exists() else []:
        entry = json.loads(line)
        if key in entry:
            points[entry["step"]] = entry[key]
    steps = sorted(points)
    return steps, [points[step] for step in steps]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/pocket"))
    parser.add_argument("--out", type=Path, default=Path("docs/images/pocket_training.png"))
    args = parser.parse_args()
    panels = [panel for panel in PANELS if read(args.runs / panel[0], panel[1])[0]]
    figure, axes = plt.subplots(1, len(panels), figsize=(3.5 * len(panels), 3), constrained_layout=True, squeeze=False)
    for axis, (folder, key, title) in zip(axes[0], panels, strict=True):
        axis.plot(*read(args.runs / folder, key), color="#3465a4")
        axis.set(title=title, xlabel="step")
        if key == "loss":
            axis.set_yscale("log")
        axis.grid(alpha=0.3)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=90)


if __name__ == "__main__":
    main()
