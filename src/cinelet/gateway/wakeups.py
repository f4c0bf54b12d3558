"""The store's bell for coroutines: wait until a job may have changed, or any job of a set of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cinelet.jobs import Bell


class Bellpull:
    """What one coroutine heard since it last looked: ids of jobs that moved on."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._changed: set[str] = set()

    def pull(self, job_id: str) -> None:
        """Note a change and wake the waiter."""
        self._changed.add(job_id)
        self._event.set()

    async def wait(self, timeout_s: float) -> set[str]:
        """The ids that changed, as soon as there is one; empty after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        self._event.clear()
        changed, self._changed = self._changed, set()
        return changed


class Wakeups:
    """Listens to `bell` from any thread; wakes coroutines of the loop it was made in."""

    def __init__(self, bell: Bell) -> None:
        self._loop = asyncio.get_running_loop()
        self._of_job: dict[str, set[Bellpull]] = defaultdict(set)
        self._of_all: set[Bellpull] = set()
        self.outbox = asyncio.Event()
        self._stop: Callable[[], None] = bell.listen(self._hear)

    def close(self) -> None:
        """Stop listening."""
        self._stop()

    @contextmanager
    def of_job(self, job_id: str) -> Iterator[Bellpull]:
        """Hear of one job for a `with` block."""
        pull = Bellpull()
        self._of_job[job_id].add(pull)
        try:
            yield pull
        finally:
            self._of_job[job_id].discard(pull)
            if not self._of_job[job_id]:
                del self._of_job[job_id]

    @contextmanager
    def of_all(self) -> Iterator[Bellpull]:
        """Hear of every job for a `with` block."""
        pull = Bellpull()
        self._of_all.add(pull)
        try:
            yield pull
        finally:
            self._of_all.discard(pull)

    def _hear(self, message: str) -> None:
        with suppress(RuntimeError):  # the loop is closing
            self._loop.call_soon_threadsafe(self._ring, message)

    def _ring(self, message: str) -> None:
        kind, _, job_id = message.partition(" ")
        if kind == "outbox":
            self.outbox.set()
        if kind == "job":
            for pull in (*self._of_job.get(job_id, ()), *self._of_all):
                pull.pull(job_id)
