"""Clips on their way out: encoded and uploaded in threads while the device goes on. Knows nothing of how, `Delivery` does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from cinelet.jobs import Lease
from cinelet.worker.run import Run

T = TypeVar("T")

MAX_DELIVERIES = 4
"""At once; each holds its frames in memory."""


class Deliveries:
    """Up to `MAX_DELIVERIES` at work; `on_end` is called from their threads. A job may be on its way twice, as draft and as clip."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._threads = ThreadPoolExecutor(MAX_DELIVERIES, "cinelet-delivery")
        self._under_way: dict[str, tuple[Run, Future[str]]] = {}

    def __bool__(self) -> bool:
        return bool(self._under_way)

    @property
    def is_full(self) -> bool:
        """Whether the next one has to wait for one to end."""
        return len(self._under_way) >= MAX_DELIVERIES

    @property
    def runs(self) -> list[Run]:
        """Whose clips are under way: their leases are still to be renewed."""
        return [run for run, _ in self._under_way.values()]

    def begin(self, run: Run, deliver: Callable[[Lease, T], str], what: T) -> None:
        """Let `deliver` have `what` in a thread; it returns the state that the job came to."""
        future = self._threads.submit(deliver, run.lease, what)
        future.add_done_callback(lambda _: self._on_end())
        self._under_way[run.name] = (run, future)

    def take_ended(self) -> list[tuple[Run, str]]:
        """Those that have ended since, with their job's state, and forget them. What a delivery raised is raised."""
        ended = [name for name, (_, future) in self._under_way.items() if future.done()]
        return [(run, future.result()) for run, future in map(self._under_way.pop, ended)]

    def close(self) -> None:
        """Wait for all of them."""
        self._threads.shutdown()
