"""A training run's folder: resumable state, a log of numbers, a learning-rate curve, averaged weights.

Knows nothing of what is trained.
"""

from __future__ import annotations

import copy
import json
import time
from math import cos, pi
from pathlib import Path
from typing import Any

import torch
from torch import nn


class Run:
    """One folder: `state.pt` (newest resumable state, replaced whole) and `log.jsonl` (one line a report)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.started = time.monotonic()

    def save(self, **state: Any) -> None:
        """Replace the resumable state; a kill in the middle leaves the older one."""
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def find_state(self) -> dict[str, Any] | None:
        """The newest state, or None at the first start."""
        path = self.folder / "state.pt"
        return torch.load(path, weights_only=True) if path.exists() else None

    def log(self, **values: float) -> None:
        """Append one report to `log.jsonl` and print it."""
        line = {k: round(v, 6) for k, v in values.items()} | {"elapsed_s": round(time.monotonic() - self.started, 1)}
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(" ".join(f"{k}={v:g}" for k, v in line.items()), flush=True)


class Average:
    """Exponential moving average of a module's weights (the weights that are evaluated and shipped)."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Pull the average towards `module`; early steps weigh more so that the start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mean, value in zip(self.module.parameters(), module.parameters(), strict=True):
            mean.lerp_(value.float(), 1 - decay)


def learning_rate(step: int, total: int, peak: float, warmup: int = 200, floor: float = 0.02) -> float:
    """Linear warm-up, then a cosine from `peak` to `floor * peak` at `total`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * cosine((step - warmup) / max(1, total - warmup), floor)


def cosine(share: float, floor: float = 0.02) -> float:
    """From 1 at the start to `floor` at the end of a training, along a half cosine."""
    return floor + (1 - floor) * 0.5 * (1 + cos(pi * min(1.0, share)))
