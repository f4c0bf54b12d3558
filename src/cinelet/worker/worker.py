"""The worker: claims jobs, advances them step by step, keeps what was done, delivers what is ready.

Between two steps it hears of cancellations and lost leases, so the device changes its mind within one step. Beats follow steps:
an engine that hangs stops beating, and the job is rescued. Knows no HTTP; decides nothing about order, `cinelet.scheduling` does.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from cinelet.errors import CineletError, EngineDiedError, OutOfMemoryError, UnavailableError
from cinelet.jobs import Candidate, Failure, Lease, LeaseLostError, Store
from cinelet.models.adapters import GetAdapter, no_adapters
from cinelet.scheduling import Decision, Pricer, policy_named
from cinelet.scheduling.breaker import Breaker
from cinelet.storage import BlobStore
from cinelet.telemetry import Metrics
from cinelet.worker.deliveries import Deliveries
from cinelet.worker.delivery import Delivery
from cinelet.worker.dispatcher import Dispatcher
from cinelet.worker.frame_stream import FrameStream
from cinelet.worker.guard import Guard
from cinelet.worker.keeper import Keeper
from cinelet.worker.pace import Pace, StepTimes
from cinelet.worker.port import EnginePort
from cinelet.worker.run import STAGES, Run
from cinelet.worker.tally import Tally

IDLE_S = 2.0
"""How long to wait for a wake-up that may have been lost before looking by itself."""
MAX_STARTS = 5
"""An engine that dies so often while it loads will not load; the process ends and its supervisor decides."""
LET_GO = (LeaseLostError, UnavailableError)
"""Why a job may not be handed back: it is not ours any more, or the store is away and the rescuer takes it when its lease ends."""
LOOK_EVERY_S = 1.0
"""How often a busy worker looks for somebody who should go first, where no bell told it to."""
MAX_PARKED = 4
"""Trajectories that wait in memory (34 to 84 MB each for Wan2.2); beyond, the longest parked is saved and given back."""
LONGEST_PARK_S = 60.0
"""Then it is saved and given back: another worker may be free."""


class KeepPrices(Protocol):
    """Keeps what was learnt of prices; after each clip, and a last time."""

    def __call__(self, *, is_last: bool) -> None:
        """Keep it."""


def forget_prices(*, is_last: bool) -> None:
    """For workers whose prices nobody asks for later."""


class Worker:
    """One engine, one loop. `run` returns after `stop`: it claims no more, finishes or saves what runs, and spends no attempt on it."""

    def __init__(
        self,
        name: str,
        models: Sequence[str],
        store: Store,
        blobs: BlobStore,
        *,
        engine: EnginePort,
        get_adapter: GetAdapter = no_adapters,
        pricers: Mapping[str, Pricer],
        keep_prices: KeepPrices = forget_prices,
        metrics: Metrics,
        pace: Pace | None = None,
        guard: Guard | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.pace = Pace() if pace is None else pace
        self.is_ready = threading.Event()
        self._models = list(models)
        self._store = store
        self._engine = engine
        self._get_adapter = get_adapter
        self._pricers = pricers
        self._keep_prices = keep_prices
        self._clock = clock
        self._dispatcher = Dispatcher(policy_named(self.pace.policy), self.pace.slots)
        self._guard = Guard(slots=self.pace.slots) if guard is None else guard
        self._allowed = self._guard.state
        self._breaker = Breaker()
        self._has_news = True
        self._looked_at = float("-inf")
        self._tally = Tally(metrics)
        self._keeper = Keeper(store, blobs, engine)
        self._delivery = Delivery(store, blobs, name, self._tally)
        self._runs: dict[str, Run] = {}
        self._gone: deque[str] = deque()
        self._lost: set[str] = set()
        self._wake = threading.Event()
        self._deliveries = Deliveries(self._wake.set)
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._step_times = StepTimes()
        self._log = structlog.get_logger("cinelet.worker").bind(worker=name)

    def run(self) -> None:
        """Work until stopped."""
        silence = self._store.bell.listen(self._hear)
        try:
            self._start_engine()
            while not self._stopping.is_set() or self._runs or self._deliveries:
                self._tick()
        finally:
            silence()
            self._keep_prices(is_last=True)
            self._deliveries.close()
            with suppress(UnavailableError):
                self._store.roster.sign_out(self.name)
            self._engine.stop()

    def stop(self) -> None:
        """Claim no more; finish or save what runs. Returns at once; any thread may call it."""
        self._stop_at = self._clock()
        self._stopping.set()
        self._wake.set()

    def _tick(self) -> None:
        """The heartbeat: hear, mind the heat, claim, step, keep, deliver, tell."""
        try:
            self._heed()
            self._mind()
            self._if_store_is_there(self._sign_in)
            self._if_store_is_there(self._drain if self._stopping.is_set() else self._schedule)
            self._step()
            self._keep()
            self._deliver()
            self._if_store_is_there(self._tell)
        except EngineDiedError as error:
            self._bury_engine(error)
        if not self._active() and not self._is_decoding():
            self._wait()
        elif not self._allowed.slots:
            self._cool()

    def _if_store_is_there(self, action: Callable[[], None]) -> None:
        """While the store is away the device goes on; leases tell in the end whose work counts."""
        try:
            action()
        except EngineDiedError:
            raise
        except UnavailableError as error:
            self._log.warning("store is away", reason=error.message, detail=error.detail)

    def _start_engine(self) -> None:
        began = self._clock()
        for tries in range(MAX_STARTS):
            try:
                self._engine.start()
                break
            except EngineDiedError as error:
                self._log.warning("engine did not start", reason=error.message)
                if tries == MAX_STARTS - 1:
                    raise
        self.is_ready.set()
        self._tally.loaded(self._models, self._clock() - began)
        self._log.info("ready", load_s=round(self._clock() - began, 2))

    def _hear(self, message: str) -> None:
        kind, _, job_id = message.partition(" ")
        if kind == "gone":
            self._gone.append(job_id)
        if kind in {"gone", "work"}:
            self._has_news = True
            self._wake.set()

    def _wait(self) -> None:
        """Sleep until something rings, or a little while; a delivery that ends rings too."""
        self._wake.wait(0.05 if self._deliveries else IDLE_S)
        self._wake.clear()

    def _cool(self) -> None:
        """Let the device be for a moment; beats, checkpoints and cancellations go on."""
        self._wake.wait(self.pace.beat_every_s)
        self._wake.clear()

    def _mind(self) -> None:
        """Ask how much the device may do now."""
        was_cooling = self._allowed.is_cooling
        self._allowed = self._guard.look()
        self._dispatcher.slots = max(1, self._allowed.slots)
        self._tally.guarded(self._guard.reading, self._allowed, is_new_pause=self._allowed.is_cooling and not was_cooling)

    def _heed(self) -> None:
        """Let go of jobs that were cancelled or taken away. The store is asked: the word may be of an attempt before this one."""
        said = {self._gone.popleft() for _ in range(len(self._gone))}
        if doubtful := [run for run in self._runs.values() if run.id in said]:
            self._if_store_is_there(lambda: self._tell(doubtful))
        while self._lost:
            self._drop(self._lost.pop())

    def _sign_in(self) -> None:
        """Say that there is a device, unless it is left alone after failures."""
        if self._breaker.rests_s(self._clock()) == 0:
            self._store.roster.sign_in(self.name, self._models, self._allowed.slots)

    def _active(self) -> list[Run]:
        """What gets the next step."""
        return [run for run in self._runs.values() if not run.is_done and not run.is_parked]

    def _is_decoding(self) -> bool:
        """Whether a clip is decoded beside steps."""
        return any(run.stream is not None for run in self._runs.values())

    def _schedule(self) -> None:
        """Between two steps: ask the scheduler until nothing changes."""
        if not self._allowed.slots:
            self._give_back_parked()
            return  # a cooler worker may take what waits
        if not self._has_to_look():
            return
        self._has_news, self._looked_at = False, self._clock()
        candidates = self._store.leases.candidates(self._models)
        pause_s = self._dispatcher.gathers_s(candidates, self._active(), self._store.database.clock())
        if pause_s > 0:
            self._stopping.wait(pause_s)
            candidates = self._store.leases.candidates(self._models)
        while not self._deliveries.is_full and not (self._breaker.is_on_trial and self._runs):
            decision = self._dispatcher.decide(candidates, self._runs.values(), self._store.database.clock())
            if decision is None:
                break
            candidates = [candidate for candidate in candidates if candidate is not decision.start]
            self._carry_out(decision)
        self._give_back_parked()

    def _has_to_look(self) -> bool:
        """A free device always looks; a busy one when something rang, and now and then, since rings may be lost."""
        if self._breaker.rests_s(self._clock()) > 0:
            return False
        return not self._active() or self._has_news or self._clock() - self._looked_at > LOOK_EVERY_S

    def _carry_out(self, decision: Decision[Candidate | Run]) -> None:
        """Bring one to the device, in another's place where that was decided."""
        work = decision.start
        leases = [] if isinstance(work, Run) else self._store.leases.claim([work.id], self.name)
        if not isinstance(work, Run) and not leases:
            return  # another worker was faster
        if isinstance(decision.park, Run):
            self._park(decision.park)
        if isinstance(work, Run):
            work.parked_at = None
            self._log.info("unparked", job_id=work.id, step=work.step)
            self._dispatcher.begins(work, self._store.database.clock())
        for lease in leases:
            self._begin(lease)

    def _park(self, run: Run) -> None:
        """Its trajectory stays in the engine; it waits in line for its next turn."""
        self._dispatcher.ends(run, self._store.database.clock())
        run.parked_at = self._clock()
        self._tally.parked()
        self._log.info("parked", job_id=run.id, step=run.step)

    def _give_back_parked(self) -> None:
        """What was parked for long, or beyond what memory is set aside for, goes back to the queue with a checkpoint."""
        parked = sorted((run for run in self._runs.values() if run.is_parked), key=lambda run: run.parked_at or 0.0)
        now = self._clock()
        for number, run in enumerate(parked):
            if len(parked) - number > MAX_PARKED or now - (run.parked_at or now) > LONGEST_PARK_S:
                self._save(run)
                self._give_back(run)

    def _begin(self, lease: Lease) -> None:
        now = self._clock()
        cost = self._pricers[lease.job.plan.model].price(lease.job.plan)
        run = Run(lease=lease, cost=cost, step=0, began_at=now, saved_at=now, shown_at=now, told_at=now)
        self._runs[lease.job.id] = run
        self._log.info("claimed", job_id=run.id, attempt=run.attempt, checkpoint_step=lease.job.checkpoint_step)
        try:
            for use in run.plan.loras:
                self._get_adapter(use.name)  # brings it here; the engine reads it
            run.step = run.saved_step = self._keeper.resume(run)
            if run.step == 0:
                run.draft_steps = 0 if lease.job.draft else int(lease.job.request.get("draft_steps", 0))
                self._keeper.admit(run)
            self._dispatcher.begins(run, self._store.database.clock())
        except EngineDiedError:
            raise
        except CineletError as error:
            self._fail(run, error)

    def _step(self) -> None:
        """One step of everything that runs, or of as many as the device may do; the first come first."""
        active = self._active()[: self._allowed.slots]
        if not active:
            return
        began = self._clock()
        try:
            steps = self._engine.step([run.name for run in active], timeout_s=self._step_times.timeout_s)
        except EngineDiedError:
            raise
        except CineletError as error:
            self._blame(active, error)
            return
        seconds = self._clock() - began
        self._step_times.add(seconds)
        self._tally.stepped(seconds)
        moved = [run for run in active if steps[run.name] > run.step]  # others may wait for their expert
        self._dispatcher.stepped(moved, seconds)
        for run in moved:
            run.step = steps[run.name]

    def _blame(self, active: Sequence[Run], error: CineletError) -> None:
        """A step failed and moved nobody: each takes it alone, and who fails alone is at fault."""
        for run in active:
            try:
                if len(active) == 1:
                    raise error
                run.step = self._engine.step([run.name], timeout_s=self._step_times.timeout_s)[run.name]
            except EngineDiedError:
                raise
            except CineletError as own:
                self._fail(run, own)

    def _keep(self) -> None:
        """Save and show what is due."""
        now = self._clock()
        for run in list(self._runs.values()):
            if run.is_done or run.draft_steps:
                continue
            if now - run.saved_at >= self.pace.checkpoint_every_s:
                self._save(run)
            if now - run.shown_at >= self.pace.preview_every_s and not run.is_parked:
                self._show(run)

    def _save(self, run: Run) -> None:
        run.saved_at = self._clock()
        self._if_it_is_ours(run, self._keeper.save)

    def _show(self, run: Run) -> None:
        run.shown_at = self._clock()
        self._if_it_is_ours(run, self._keeper.show)

    def _if_it_is_ours(self, run: Run, action: Callable[[Run], None]) -> None:
        """A job whose lease is lost is let go."""
        try:
            action(run)
        except LeaseLostError:
            self._drop(run.id)

    def _deliver(self) -> None:
        """Decode what has all its steps, its frames on their way to a deliverer as they come; forget what was delivered."""
        for run in list(self._runs.values()):
            if run.stream is not None or (run.is_done and not self._deliveries.is_full):
                try:
                    self._decode(run)
                except EngineDiedError:
                    raise
                except CineletError as error:
                    self._fail(run, error)
        for run, state in self._deliveries.take_ended():
            self._has_news = True
            self._log.info("delivered", job_id=run.id, state=state, seconds=round(self._clock() - run.began_at, 3))

    def _decode(self, run: Run) -> None:
        """Begin to decode, or look whether that is over. Where the engine decodes beside steps, it is waited for only when nobody steps."""
        is_new = run.stage != STAGES["decode"]
        if is_new:
            run.stage = STAGES["decode"]
            self._if_store_is_there(lambda: self._tell([run]))
        if run.id in self._lost:
            return
        if run.draft_steps:
            video = self._engine.finish(run.name, run.plan, lambda *_: self._tell_anyway())
            if video is not None and run.id not in self._lost:
                self._deliveries.begin(run, self._delivery.deliver_draft, video)
                self._begin_final(run)
            return
        if run.stream is None:
            run.stream = FrameStream()
            self._deliveries.begin(run, self._delivery.deliver, run.stream)
        video = self._engine.finish(run.name, run.plan, functools.partial(self._pass_on, run), may_wait=not (is_new or self._active()))
        if video is not None and run.id not in self._lost:
            self._dispatcher.ends(run, self._store.database.clock())
            self._breaker.succeeded()
            self._pricers[run.plan.model].learn(run.plan, video.stage_durations_s)
            self._keep_prices(is_last=False)
            run.stage = STAGES["mux"]
            del self._runs[run.id]
            run.stream.close(video)

    def _pass_on(self, run: Run, start: int, frames_THWC: NDArray[np.uint8]) -> None:
        """Frames that are decoded."""
        assert run.stream is not None  # noqa: S101 - it is decoded for its stream
        run.stream.put(start, frames_THWC)
        run.num_decoded = start + len(frames_THWC)
        self._tell_anyway()

    def _tell_anyway(self) -> None:
        """Tell in the middle of an engine's command, which no error of the store may interrupt; the next beat meets it again."""
        try:
            self._tell()
        except CineletError as error:
            self._log.warning("store is away", reason=error.message, detail=error.detail)

    def _begin_final(self, run: Run) -> None:
        """The draft is on its way: now the clip itself."""
        run.draft_steps = run.step = run.turn_step = 0
        run.stage = STAGES["denoise"]
        self._keeper.admit(run)

    def _tell(self, runs: Iterable[Run] | None = None) -> None:
        """Renew leases and note progress, for all that are due or for the given ones at once.

        Those whose lease is lost are noted; `_heed` drops them, since the engine may be in the middle of another command.
        """
        now = self._clock()
        if runs is None:
            all_runs = [*self._deliveries.runs, *self._runs.values()]  # of two attempts at a job the later counts
            runs = [run for run in all_runs if now - run.told_at >= self.pace.beat_every_s]
        beats = {run.id: run for run in runs}
        for run in beats.values():
            run.told_at = now
        if beats and (lost := self._store.leases.beat([run.beat() for run in beats.values()])):
            self._lost |= lost
            self._wake.set()

    def _drain(self) -> None:
        """Stopping: what cannot finish inside the grace is saved and given back."""
        left_s = self._stop_at + self.pace.grace_s - self._clock()
        for run in list(self._runs.values()):
            if run.is_parked or (run.num_steps - run.step) * self._step_times.usual_s * len(self._runs) > left_s or left_s <= 0:
                self._save(run)
                self._give_back(run)

    def _give_back(self, run: Run) -> None:
        if run.id not in self._runs:
            return
        with suppress(*LET_GO):
            self._store.leases.release(run.lease)
        self._drop(run.id)

    def _fail(self, run: Run, error: CineletError) -> None:
        """This attempt ended in an error of the request or of the engine, which lives on."""
        code = "resource_exhausted" if isinstance(error, OutOfMemoryError) else error.code
        self._log.warning("failed", job_id=run.id, code=code, reason=error.message, detail=error.detail)
        with suppress(*LET_GO):
            if self._store.leases.fail(run.lease, Failure(code=code, message=error.message), may_retry=error.is_retryable) == "failed":
                self._tally.failed(code)
        self._drop(run.id)

    def _bury_engine(self, error: EngineDiedError) -> None:
        """The engine died with everything it held: each job has spent an attempt. A fresh engine starts."""
        self.is_ready.clear()
        self._breaker.failed(next(iter(self._runs), ""), self._clock())
        self._tally.died(self._models)
        self._log.error("engine died", reason=error.message, jobs=list(self._runs))
        failure = Failure(code=error.code, message="the clip could not be made: the engine ended each time it was tried")
        for run in list(self._runs.values()):
            self._forget(run.id)
            try:
                if self._store.leases.fail(run.lease, failure, may_retry=True) == "failed":
                    self._tally.failed(error.code)
            except LET_GO:
                continue
        self._start_engine()

    def _drop(self, job_id: str) -> None:
        run = self._forget(job_id)
        if run is not None:
            self._dispatcher.ends(run, self._store.database.clock())
            self._engine.drop(run.name)
            self._has_news = True

    def _forget(self, job_id: str) -> Run | None:
        run = self._runs.pop(job_id, None)
        if run is not None and run.stream is not None:
            run.stream.abandon()
        return run
