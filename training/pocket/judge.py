"""A model and the classifier that reads its clips: each label of each prompt is right or wrong.

The classifier is taken at its word. How good a clip looks is not measured here: sheet.py is for eyes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cinelet.engine import Engine
from cinelet.models import ModelCard, plan
from cinelet.video import Plan, SamplerName, StepCache, VaeTier, VideoRequest
from training.pocket.classifier import Classifier, recorded_accuracy
from training.pocket.prompts import Row
from training.pocket.world import FPS, HEIGHT, LABELS, NUM_FRAMES, WIDTH

BATCH = 8
"""Clips that are generated together."""

Accuracies = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How clips are generated, beside prompts and seeds; `guidance_scale` None is the model's own. A distilled model has its own steps."""

    steps: int = 16
    sampler: SamplerName = "unipc"
    guidance_scale: float | None = None
    vae: VaeTier = "full"
    step_cache: StepCache = "off"


def plan_of(row: Row, card: ModelCard, settings: Settings) -> Plan:
    """The plan of one row's clip: the world's size and length, seeded by the row's number."""
    own_way = {} if card.timesteps else asdict(settings)
    request = VideoRequest(
        prompt=row.prompt,
        width=WIDTH,
        height=HEIGHT,
        num_frames=NUM_FRAMES,
        fps=FPS,
        num_inference_steps=own_way.get("steps"),
        sampler=own_way.get("sampler"),
        guidance_scale=own_way.get("guidance_scale"),
        vae=settings.vae,
        step_cache=settings.step_cache,
        seed=row.number,
    )
    return plan(request, card)


@dataclass(frozen=True)
class Judged:
    """A row, the clip that came of it (uint8 `[T, H, W, C]`) and the names that the classifier read."""

    row: Row
    frames: NDArray[np.uint8]
    answer: Mapping[str, str]

    def is_right(self, label: str) -> bool | None:
        """Whether the clip shows what was asked; None where the row asks for nothing."""
        return self.answer[label] == self.row.labels[label] if label in self.row.labels else None


class Judge:
    """A model and the classifier that reads its clips."""

    def __init__(self, card: ModelCard, engine: Engine, classifier: Classifier) -> None:
        self.card = card
        self.engine = engine
        self.classifier = classifier

    def judge(self, rows: Sequence[Row], settings: Settings) -> Iterator[Judged]:
        """Generate and read every row's clip, `BATCH` at a time, with a bar on stderr."""
        with tqdm(total=len(rows), unit="clip", desc=f"{settings.sampler}, {settings.steps} steps", file=sys.stderr) as bar:
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                clips = self.generate([plan_of(row, self.card, settings) for row in batch])
                for row, frames, answer in zip(batch, clips, self.classifier.predict(clips), strict=True):
                    yield Judged(row, frames, answer)
                bar.update(len(batch))

    def generate(self, plans: Sequence[Plan]) -> list[NDArray[np.uint8]]:
        """The plans' clips, denoised together."""
        running = [self.engine.admit(plan) for plan in plans]
        while groups := self.engine.groups(running):
            for group in groups:
                self.engine.step(group)
        return [self.engine.finish(trajectory).frames for trajectory in running]


def accuracies(judged: Sequence[Judged]) -> Accuracies:
    """Share of right clips by label, over the rows that have the label; None where none has."""
    verdicts = {label: [clip.is_right(label) for clip in judged] for label in LABELS}
    counted = {label: [verdict for verdict in found if verdict is not None] for label, found in verdicts.items()}
    return {label: sum(found) / len(found) if found else None for label, found in counted.items()}


def summarise(judged: Sequence[Judged], settings: Settings, seconds: float) -> dict[str, Any]:
    """The accuracies over all rows and by language, and how they came about."""
    by_language: dict[str, list[Judged]] = {}
    for clip in judged:
        by_language.setdefault(clip.row.language, []).append(clip)
    return {
        **accuracies(judged),
        "num_prompts": len(judged),
        "by_language": {name: {**accuracies(some), "num_prompts": len(some)} for name, some in sorted(by_language.items())},
        "classifier": recorded_accuracy(),
        **asdict(settings),
        "seconds": round(seconds, 2),
    }
