"""How many jobs waited and how many devices worked, over time: a bounded number of samples of a run of any length."""

from __future__ import annotations

MAX_SAMPLES = 2000
FIRST_EVERY_S = 1.0


class Timeline:
    """Samples (instant, jobs waiting, devices busy, devices up). When there are too many, every second one is dropped."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, int, int, int]] = []
        self.next_at = 0.0
        self._every_s = FIRST_EVERY_S

    def note(self, now: float, num_waiting: int, num_busy: int, num_up: int) -> None:
        """Keep a sample, where its time has come (`now >= next_at`; the caller asks first, which is cheaper)."""
        self.samples.append((now, num_waiting, num_busy, num_up))
        if len(self.samples) > MAX_SAMPLES:
            self.samples = self.samples[::2]
            self._every_s *= 2
        self.next_at = now + self._every_s
