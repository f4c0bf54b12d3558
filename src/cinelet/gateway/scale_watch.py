"""What scaling must remember between two looks at the service: since when there are as many workers as there are.

Knows nothing of HTTP and metrics. A gateway that looks for the first time knows no past, and so advises to drain nothing for a while.
"""

from __future__ import annotations

from cinelet.jobs.history import Past
from cinelet.jobs.register import Load
from cinelet.scheduling.scale import Advice, ScalePolicy, Situation, advise, peak_rate, recent_rate

BUCKET_S = 300.0
NUM_BUCKETS = 36
"""Three hours of five minutes: enough misses for a quantile, and few enough rows to count at every scrape."""


class ScaleWatch:
    """Turns what a store tells into advice under one policy. One device a worker."""

    def __init__(self, policy: ScalePolicy | None = None) -> None:
        self.policy = policy if policy is not None else ScalePolicy()
        self._num_workers = -1
        self._changed_at = 0.0

    def unchanged_s(self, num_workers: int, now: float) -> float:
        """For how long there are so many workers, as far as anyone looked."""
        if num_workers != self._num_workers:
            self._num_workers, self._changed_at = num_workers, now
        return max(0.0, now - self._changed_at)

    def look(self, load: Load, num_workers: int, past: Past, now: float) -> Advice:
        """The advice of this moment."""
        situation = Situation(
            num_waiting=sum(load.waiting.values()),
            waiting_s=load.waiting_s,
            num_running=load.running,
            running_s=load.running_s,
            ready=num_workers,
            arriving=recent_rate(past.work_s, bucket_s=past.bucket_s),
            peaking=peak_rate(past.work_s, bucket_s=past.bucket_s, calm_s=self.policy.calm_s),
            utilization=min(1.0, load.running / num_workers) if num_workers else None,
            oldest_wait_s=0.0 if load.oldest_at is None else max(0.0, now - load.oldest_at),
            since_change_s=self.unchanged_s(num_workers, now),
        )
        return advise(situation, self.policy)
