"""What arrives: classes of jobs and tiers by their shares, and the texts that name them. Nothing of when it arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cinelet.capacity.arrivals import Instants
from cinelet.capacity.options import read_options
from cinelet.capacity.trace import MAX_DEADLINE_S, MAX_DECODE_SHARE, TIERS, Arrival, Tier
from cinelet.errors import InvalidValueError
from cinelet.video import check_number

CLASS_FIELDS = {
    "share": "share",
    "service": "service_s",
    "decode": "decode_share",
    "deadline": "deadline_factor",
    "width": "width",
    "height": "height",
    "frames": "num_frames",
    "steps": "num_inference_steps",
}
WHOLE = ("width", "height", "frames", "steps")


@dataclass(frozen=True, kw_only=True)
class JobClass:
    """One kind of job in a mix, with its share of the arrivals. `deadline_factor` times `service_s` is its deadline from the arrival."""

    share: float = 1.0
    service_s: float | None = None
    decode_share: float | None = None
    deadline_factor: float | None = None
    model: str | None = None
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None

    @property
    def deadline_s(self) -> float | None:
        """Seconds from the arrival to the deadline; None without a factor."""
        return None if self.deadline_factor is None or self.service_s is None else self.deadline_factor * self.service_s


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What arrives: classes of jobs and tiers, drawn independently of one another by their shares (any positive scale)."""

    classes: tuple[JobClass, ...] = (JobClass(),)
    tiers: Mapping[Tier, float] = field(default_factory=lambda: {"standard": 1.0})


REFERENCE_MIX = Mix(
    classes=(
        JobClass(share=0.25, service_s=8.0, deadline_factor=4.0, num_inference_steps=8),
        JobClass(share=0.60, service_s=60.0, deadline_factor=3.0, num_inference_steps=40),
        JobClass(share=0.15, service_s=240.0, deadline_factor=3.0, num_inference_steps=40),
    ),
    tiers={"free": 0.3, "standard": 0.5, "vip": 0.2},
)
"""Previews, standard clips and long ones, as policies are compared here: 74 seconds of one GPU a job on average."""


def mixed(instants: Instants, mix: Mix, rng: np.random.Generator) -> list[Arrival]:
    """An arrival at each instant, of a class and a tier drawn from the mix."""
    which = rng.choice(len(mix.classes), len(instants), p=_shares([one.share for one in mix.classes]))
    tiers = list(mix.tiers)
    tier_of = rng.choice(len(tiers), len(instants), p=_shares(list(mix.tiers.values())))
    templates = [[_settings(job_class, tier) for tier in tiers] for job_class in mix.classes]
    places = zip(instants.tolist(), which.tolist(), tier_of.tolist(), strict=True)
    return [Arrival(arrival_s=at_s, **templates[job_class][tier]) for at_s, job_class, tier in places]


def parse_mix(text: str) -> tuple[JobClass, ...]:
    """Classes from `name=number,…;…`, such as `share=0.25,service=8,deadline=4;share=0.75,service=60`. Raises `InvalidValueError`."""
    classes = []
    for part in text.split(";"):
        said: dict[str, Any] = read_options("mix", part, CLASS_FIELDS)
        options = {name: round(value) if name in WHOLE else value for name, value in said.items()}
        if "deadline" in options and "service" not in options:
            raise InvalidValueError("mix", part, "a deadline is a factor of service; say service=SECONDS too")
        one = JobClass(**{CLASS_FIELDS[name]: value for name, value in options.items()})
        check_number("mix, decode", one.decode_share, 0.0, MAX_DECODE_SHARE)
        check_number("mix, deadline", one.deadline_s, 0.0, MAX_DEADLINE_S)
        classes.append(one)
    return tuple(classes)


def parse_tiers(text: str) -> dict[Tier, float]:
    """Shares of tiers from `free=0.3,standard=0.5,vip=0.2`. Raises `InvalidValueError`."""
    shares = read_options("tiers", text, TIERS)
    return {tier: shares[tier] for tier in TIERS if tier in shares}


def _settings(job_class: JobClass, tier: Tier) -> dict[str, Any]:
    names = ("model", "width", "height", "num_frames", "num_inference_steps", "service_s", "decode_share", "deadline_s")
    return {"tier": tier, **{name: getattr(job_class, name) for name in names}}


def _shares(weights: Sequence[float]) -> list[float]:
    total = sum(weights)
    if not total > 0 or min(weights) < 0:
        raise InvalidValueError("mix", list(weights), "shares must be numbers from 0 on, with one above 0")
    return [weight / total for weight in weights]
