"""The id of a job: `video_<region>_<ULID>`. Any region can tell from it where the job lives; ids of one region sort by age."""

from __future__ import annotations

import random
import re

from ulid import ULIDGenerator

from cinelet.errors import InvalidValueError

PATTERN = re.compile(r"video_([a-z0-9]{1,12})_[0-9A-HJKMNP-TV-Z]{26}")
ULIDS = ULIDGenerator(randomness=lambda _: random.randbytes(10))
"""Ids are no secrets. Asking the kernel for each one's bits gave other threads the interpreter at each (benchmarks/service.py)."""
REGION = re.compile(r"[a-z0-9]{1,12}")


def new_id(region: str, now: float) -> str:
    """A fresh id of a job accepted at `now` (unix seconds) in `region`. Raises `InvalidValueError` for a malformed region."""
    if not REGION.fullmatch(region):
        raise InvalidValueError("region", region, "must be 1 to 12 of a to z and 0 to 9")
    return f"video_{region}_{ULIDS.generate(now)}"


def is_id(text: str) -> bool:
    """Whether `text` has the form of a job id. Nothing else ever reaches the database or builds a key."""
    return PATTERN.fullmatch(text) is not None


def region_of(job_id: str) -> str | None:
    """The region where a job lives, or None where `job_id` is no id."""
    match = PATTERN.fullmatch(job_id)
    return match[1] if match else None
