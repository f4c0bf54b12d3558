"""Many submissions, few transactions: while one is written, those that come meanwhile gather for the next. Nobody waits on purpose.

A durable commit costs about the same for one row as for thirty (benchmarks/service.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cinelet.errors import CineletError, InternalError, UnavailableError
from cinelet.jobs import Accepted, Submission

MAX_BATCH = 64
MAX_WAITING = 2000
"""Submissions that wait for their transaction; beyond that the door is closed for a moment."""
RETRY_AFTER_S = 2.0

Accept = Callable[[Sequence[Submission]], list[Accepted | CineletError]]


class Turnstile:
    """Hands submissions to `accept`, which runs in a thread, one batch at a time."""

    def __init__(self, accept: Accept, *, on_batch: Callable[[int], None] = lambda _: None) -> None:
        self._accept = accept
        self._on_batch = on_batch
        self._waiting: list[tuple[Submission, asyncio.Future[Accepted]]] = []
        self._turning: asyncio.Task[None] | None = None

    async def pass_through(self, submission: Submission) -> Accepted:
        """Accept one submission, durably. Raises what refuses it, `UnavailableError` when too many wait."""
        if len(self._waiting) >= MAX_WAITING:
            raise UnavailableError(f"queue: {MAX_WAITING:,} submissions wait to be written", retry_after_s=RETRY_AFTER_S)
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, answer))
        if self._turning is None or self._turning.done():
            self._turning = asyncio.create_task(self._turn())
        return await answer

    async def _turn(self) -> None:
        """Write batch after batch until nobody waits."""
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            self._on_batch(len(batch))
            try:
                answers: Sequence[Accepted | CineletError] = await asyncio.to_thread(self._accept, [submission for submission, _ in batch])
            except CineletError as error:
                answers = [error] * len(batch)
            except Exception as error:  # noqa: BLE001 - each who waits must hear of it
                answers = [InternalError("intake: a submission could not be written", detail=repr(error))] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue  # the client left; its job is accepted all the same
                if isinstance(answer, CineletError):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
