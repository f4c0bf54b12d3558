"""The sender: every request at its instant, whatever became of the ones before, and each followed to its end.

Latency counts from the intended instant. A generator that waits for an answer before it sends the next request stops measuring
exactly while the service stands still ("coordinated omission"); this one goes on sending. Where it cannot (too many under way,
no connection, a busy machine), the request's clock runs all the same, and the delay is told as lag. Nothing of files or plots.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from cinelet.capacity.load.endpoint import DONE, GIVEN_UP, View
from cinelet.capacity.load.sample import Outcome, Sample
from cinelet.capacity.load.wishes import Wishes
from cinelet.capacity.trace import Arrival
from cinelet.sdk.exchange import Lost

QUEUED_SHARE, RUNNING_SHARE = 0.05, 0.02
"""How long to wait before the next look, as a share of the time waited so far: a completion is seen at most that much late."""
MIN_PAUSE_S = 0.05
MAX_QUEUED_PAUSE_S, MAX_RUNNING_PAUSE_S = 5.0, 1.0
"""Thousands may be queued, a few run: looking often at those that run costs the service little."""
DEFAULT_RETRY_S = 5.0
"""What an obedient client waits after a refusal that says nothing."""
TOO_MANY = 429
LOST_JOB = (401, 403, 404, 410)


class Service(Protocol):
    """What the probe asks of a service; `Endpoint` over HTTP."""

    async def submit(self, fields: dict[str, str], tier: str, on_sent: Callable[[], None]) -> View | Lost:
        """Hand in; `on_sent` is called when the request really leaves."""

    async def look(self, job_id: str, tier: str) -> View | Lost:
        """How a video is now."""


class Probe:
    """Plays arrivals against a service. `run` once; `stop` from a signal handler ends it with what there is.

    `timeout_s` counts from the send; what is unfinished then is `timed_out`, and the service may go on with it. `obeys` waits out refusals
    with Retry-After and tries again until the timeout, as an obedient client does.
    """

    def __init__(
        self,
        service: Service,
        wishes: Wishes,
        *,
        timeout_s: float,
        max_in_flight: int,
        obeys: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.samples: list[Sample] = []
        self.counts: Counter[Outcome] = Counter()
        self.is_interrupted = False
        self._service = service
        self._wishes = wishes
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(max_in_flight)
        self._obeys = obeys
        self._clock = clock
        self._start_s = 0.0
        self._work: asyncio.Task[None] | None = None

    @property
    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return self._clock() - self._start_s

    @property
    def num_in_flight(self) -> int:
        """Requests that are sent and have not ended."""
        return self.counts["open"]

    async def run(self, arrivals: Iterable[Arrival]) -> None:
        """Send all of them and follow each to its end; the outcome is in `samples`."""
        self._start_s = self._clock()
        self._work = asyncio.create_task(self._send(arrivals))
        try:
            await asyncio.wait({self._work})
        finally:
            self._work.cancel()
        self.is_interrupted = self._work.cancelled()
        if not self.is_interrupted:
            self._work.result()

    def stop(self) -> None:
        """Send no more and let go of what is under way: it stays `open`."""
        if self._work is not None:
            self._work.cancel()

    async def _send(self, arrivals: Iterable[Arrival]) -> None:
        async with asyncio.TaskGroup() as group:
            for number, arrival in enumerate(arrivals):
                await asyncio.sleep(max(0.0, arrival.arrival_s - self.now_s))
                await self._places.acquire()
                sample = Sample(number=number, arrival=arrival)
                self.samples.append(sample)
                self.counts["open"] += 1
                group.create_task(self._follow(sample))

    async def _follow(self, sample: Sample) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                view = await self._submit(sample)
                while view is not None:
                    view = await self._look(sample, view)
        except TimeoutError:
            self._end(sample, "timed_out", f"not done after {self._timeout_s:g} s")
        finally:
            self._places.release()

    async def _submit(self, sample: Sample) -> View | None:
        """The first good answer, or None where there will be none."""
        fields = self._wishes.fields(sample.number, sample.arrival)
        while True:
            answer = await self._service.submit(fields, sample.arrival.tier, lambda: self._note_sent(sample))
            self._note_sent(sample)
            if isinstance(answer, Lost):
                return self._end(sample, "unreachable", answer.reason)
            if answer.is_good:
                return self._accept(sample, answer)
            if answer.status != TOO_MANY:
                return self._end(sample, "failed", answer.reason)
            sample.num_refusals += 1
            sample.retry_after_s = answer.retry_after_s
            if not self._obeys:
                return self._end(sample, "refused", answer.reason)
            await asyncio.sleep(DEFAULT_RETRY_S if answer.retry_after_s is None else answer.retry_after_s)

    def _accept(self, sample: Sample, answer: View) -> View | None:
        sample.accepted_s = self.now_s
        sample.eta_s = answer.eta_s
        sample.is_cached = answer.word in DONE
        if answer.job_id is None:
            return self._end(sample, "failed", f"{answer.status}, and no id in the answer")
        sample.job_id = answer.job_id
        return self._judge(sample, answer)

    async def _look(self, sample: Sample, last: View) -> View | None:
        """One look after a pause: the video as it is, or None when it has ended. What goes wrong with a look is no end of the video."""
        sample.looked_s = self.now_s
        waited_s = self.now_s - (sample.accepted_s or 0.0)
        await asyncio.sleep(max(pause_s(waited_s, last.word), last.retry_after_s or 0.0))
        answer = await self._service.look(sample.job_id, sample.arrival.tier)
        if isinstance(answer, Lost):
            return last
        if answer.is_good:
            return self._judge(sample, answer)
        if answer.status in LOST_JOB:
            return self._end(sample, "failed", answer.reason)
        return View(status=last.status, body=last.body, retry_after_s=answer.retry_after_s)

    def _judge(self, sample: Sample, answer: View) -> View | None:
        if answer.word in DONE:
            return self._end(sample, "completed", "")
        if answer.word in GIVEN_UP:
            return self._end(sample, "failed", answer.reason)
        return answer

    def _note_sent(self, sample: Sample) -> None:
        if sample.sent_s is None:
            sample.sent_s = self.now_s

    def _end(self, sample: Sample, outcome: Outcome, reason: str) -> View | None:
        """Note the end. Gives None: there is nothing more to look at."""
        sample.ended_s = self.now_s
        sample.outcome = outcome
        sample.reason = reason
        self.counts["open"] -= 1
        self.counts[outcome] += 1
        return None


def pause_s(waited_s: float, word: str) -> float:
    """How long to wait before the next look at a video that is not done after `waited_s`."""
    is_queued = word == "queued"
    share, most_s = (QUEUED_SHARE, MAX_QUEUED_PAUSE_S) if is_queued else (RUNNING_SHARE, MAX_RUNNING_PAUSE_S)
    return min(most_s, max(MIN_PAUSE_S, share * waited_s))
