"""What the requests of a load say: the fields of each, from its arrival and what holds for all. Nothing of sending."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cinelet.capacity.trace import Arrival
from cinelet.errors import InvalidValueError, RequestError
from cinelet.video import check_text

DEFAULT_PROMPT = "A red balloon rising at sunset"
MAX_PROMPTS_BYTES = 64 << 20
SEED_SPACE = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Makes the fields of a request: what its arrival says, else what is said here, else left to the service.

    `prompts` are taken in turn. With `first_seed` each request has a seed of its own, counting up from it, so that no cache and no other
    request answers for it; None sends no seed. `tells_deadlines` sends `deadline_s` to the service, `tells_tiers` the field `tier`, which
    cinelet knows.
    """

    prompts: Sequence[str] = (DEFAULT_PROMPT,)
    model: str | None = None
    size: tuple[int, int] | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None
    first_seed: int | None = None
    tells_deadlines: bool = True
    tells_tiers: bool = False

    def fields(self, number: int, arrival: Arrival) -> dict[str, str]:
        """The form fields of the `number`-th request."""
        width, height = self.size or (None, None)
        width = width if arrival.width is None else arrival.width
        height = height if arrival.height is None else arrival.height
        said = {
            "prompt": self.prompts[number % len(self.prompts)] if arrival.prompt is None else arrival.prompt,
            "model": self.model if arrival.model is None else arrival.model,
            "size": None if width is None or height is None else f"{width}x{height}",
            "num_frames": self.num_frames if arrival.num_frames is None else arrival.num_frames,
            "num_inference_steps": self.num_inference_steps if arrival.num_inference_steps is None else arrival.num_inference_steps,
            "seed": None if self.first_seed is None else (self.first_seed + number) % SEED_SPACE,
            "deadline_s": arrival.deadline_s if self.tells_deadlines else None,
            "tier": arrival.tier if self.tells_tiers else None,
        }
        return {name: str(value) for name, value in said.items() if value is not None}


def fresh_seed() -> int:
    """A first seed that no earlier run had, so that nothing is answered from what earlier runs left in caches."""
    return int.from_bytes(os.urandom(4), "big") % SEED_SPACE


def read_prompts(path: Path) -> list[str]:
    """Prompts from a text file, one a line; empty lines are left out. Raises `RequestError`."""
    try:
        if path.stat().st_size > MAX_PROMPTS_BYTES:
            raise InvalidValueError("prompts", path, f"must be at most {MAX_PROMPTS_BYTES:,} bytes")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InvalidValueError("prompts", path, error.strerror or "must be a file that can be read") from error
    except UnicodeDecodeError as error:
        raise InvalidValueError("prompts", path, f"must be UTF-8 text; byte {error.start} is not") from error
    prompts = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            check_text(f"{path.name}, line {number}", line, allow_empty=False)
            prompts.append(line.strip())
    if not prompts:
        raise RequestError(f"{path.name}: has no prompts; one a line")
    return prompts
