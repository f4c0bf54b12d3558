"""When stepping several clips together pays: only where the measured line `a·n + b` of a step's seconds says so.

A large clip keeps the device busy by itself: b is near zero and a second clip only makes both slower. Small ones share the fixed
part b. The fit is BentoML's idea (least squares over the last measured batches), kept per shape.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

MIN_GAIN = 0.03
"""Each further clip must make a step per clip so much cheaper; less is noise, and a longer wait for those who run already."""
NUM_SAMPLES = 50
GATHER_S = 0.02
"""How long a free device waits for a second clip where joining pays: nothing beside a step, enough for a client's burst."""


@dataclass(frozen=True)
class BatchLine:
    """Seconds of one step of n clips: `a * n + b`."""

    a: float
    b: float

    def seconds(self, num: int) -> float:
        """Of one step of `num` clips."""
        return self.a * num + self.b

    def pays(self, num: int) -> bool:
        """Whether the `num`-th clip makes a step cheaper for each."""
        if num <= 1:
            return True
        return self.seconds(num) / num <= (1 - MIN_GAIN) * self.seconds(num - 1) / (num - 1)


class BatchFit:
    """The line of one shape, from what steps took. Until two sizes were seen, joining is tried: what pays is learnt by doing."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float]] = deque(maxlen=NUM_SAMPLES)

    def note(self, num: int, seconds: float) -> None:
        """A step of `num` clips took so long."""
        self._samples.append((num, seconds))

    def line(self) -> BatchLine | None:
        """The least-squares line, neither part below zero; None before two sizes were seen."""
        if len({num for num, _ in self._samples}) < 2:
            return None
        nums, seconds = np.array(self._samples).T
        a, b = np.polyfit(nums, seconds, 1)
        if a < 0:
            return BatchLine(0.0, float(seconds.mean()))
        return BatchLine(float(a), max(0.0, float(b)))
