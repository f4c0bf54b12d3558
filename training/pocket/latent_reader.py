"""A classifier that reads latents: it tells the transformer, while that is trained, whether its subject can still be recognised.

    python -m training.pocket.latent_reader --minutes 5

A squared error hardly counts the small marks that tell a cat from a dog; a network that must name them does. It sees other data
through another eye than the judge of generated clips (classifier.py), which stays apart from all training.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from training.pocket.arithmetic import autocast
from training.pocket.classifier import EDGES, Block, Classifier, halve
from training.pocket.encode_clips import LATENT_SHAPE, open_latents, scene_of, statistics
from training.pocket.muon import MuonWithAdamW
from training.pocket.run import Run, cosine
from training.pocket.world import LABELS

WIDTH = 96
HELD_OUT_SHARE = 0.05
"""So many of the clips, the last ones, are kept for the reader's own test."""
MOST_NOISE = 0.25
"""Latents are read with noise of up to so many of their standard deviations. With more, and blurred, the reader learns to forgive what the
judge of clips does not, and nobody asks for crisp marks any more."""


class LatentReader(Classifier):
    """Normalised latents `[B, C, T, H, W]` → logits by label."""

    def __init__(self) -> None:
        channels, length = LATENT_SHAPE[:2]
        stem = [nn.Conv2d(2 * channels, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        super().__init__(WIDTH, eye=nn.Sequential(*stem, Block(64), *halve(64, WIDTH), Block(WIDTH)), length=length)

    def forward(self, latents_BCTHW: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits `[B, names]` for each label."""
        return super().forward(latents_BCTHW.transpose(1, 2))


def load_reader(folder: Path) -> LatentReader:
    """The trained reader, frozen."""
    reader = LatentReader()
    reader.load_state_dict(torch.load(folder / "state.pt", weights_only=True)["reader"])
    return reader.eval().requires_grad_(False)


def targets_of(indices: Sequence[int]) -> dict[str, torch.Tensor]:
    """Which name of each label the training clips show, `[B]` each."""
    scenes = [scene_of(i) for i in indices]
    return {label: torch.tensor([names.index(getattr(scene, label)) for scene in scenes]) for label, names in LABELS.items()}


def misread(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> torch.Tensor:
    """Cross-entropy in nats, summed over the labels, `[B]`."""
    return torch.stack([F.cross_entropy(logits[label].float(), targets[label], reduction="none") for label in LABELS]).sum(0)


def spoil(clip: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Latents `[B, C, T, H, W]` a little noisy, as an unfinished denoising leaves them."""
    noise = torch.rand(len(clip), 1, 1, 1, 1, generator=rng) * MOST_NOISE
    return clip + noise * torch.randn(clip.shape, generator=rng)


@torch.no_grad()
def accuracy(reader: LatentReader, clips: torch.Tensor, indices: Sequence[int]) -> dict[str, float]:
    """Share of normalised latents that are read right, by label."""
    reader.eval()
    logits, targets = reader(clips), targets_of(indices)
    return {label: (logits[label].argmax(1) == targets[label]).float().mean().item() for label in LABELS}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--latents", type=Path, default=Path("runs/pocket/latents"))
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/latent_reader"))
    args = parser.parse_args()

    torch.manual_seed(0)
    run = Run(args.out)
    latents = open_latents(args.latents)
    mean, std = statistics(latents)
    reader = LatentReader()
    optimizer = MuonWithAdamW(reader, EDGES, lr=args.lr, weight_decay=0.02)
    step, spent_s = 0, 0.0
    if state := run.find_state():
        reader.load_state_dict(state["reader"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent_s = state["step"], state["spent_s"]
    clips = (torch.from_numpy(np.array(latents)).float() - mean) / std
    held_out = range(len(clips) - math.ceil(HELD_OUT_SHARE * len(clips)), len(clips))
    total, began, budget_s = 0.0, time.monotonic() - spent_s, 60 * args.minutes
    while spent_s < budget_s:
        indices = np.random.default_rng(step).integers(held_out.start, size=args.batch)
        reader.train()
        with autocast():
            logits = reader(spoil(clips[indices], torch.Generator().manual_seed(step)))
        loss = misread(logits, targets_of(indices.tolist())).mean()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(reader.parameters(), 2.0)
        optimizer.step(args.lr * min((step + 1) / 40, cosine(spent_s / budget_s)))
        step, spent_s, total = step + 1, time.monotonic() - began, total + loss.item()
        if step % 50 == 0:
            run.log(step=step, loss=total / 50)
            total = 0.0
        if step % 200 == 0 or spent_s >= budget_s:
            run.log(step=step, **accuracy(reader, clips[held_out.start :], held_out))
            run.save(reader=reader.state_dict(), optimizer=optimizer.state_dict(), step=step, spent_s=spent_s)


if __name__ == "__main__":
    main()
