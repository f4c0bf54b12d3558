"""What must happen again and again, wherever there is a process: rescue, expire, purge, sweep. Each round is safe beside others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from cinelet.errors import CineletError
from cinelet.jobs import Store
from cinelet.storage import BlobStore, sweep

ROUND_S = 1.0
TIDY_EVERY_S = 60.0
SWEEP_EVERY_S = 3600.0
EVENT_LIFE_S = 7 * 86400.0


class Caretaker:
    """Runs in a thread of its own between `start` and `stop`."""

    def __init__(self, store: Store, blobs: BlobStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cinelet-caretaker", daemon=True)
        self._log = structlog.get_logger("cinelet.caretaker")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way."""
        self._stopping.set()
        self._thread.join()

    def round(self) -> None:
        """What cannot wait: silent workers, passed deadlines, hours that have come."""
        self._store.leases.rescue()
        self._store.janitor.expire()
        self._store.janitor.wake_scheduled()

    def tidy(self) -> None:
        """Files and rows whose time is over."""
        for job_id in self._store.janitor.leftovers():
            self._blobs.delete_prefix(job_id)
            self._store.janitor.purged(job_id)
        self._store.janitor.forget()
        self._store.outbox.clean(self._clock() - EVENT_LIFE_S)

    def sweep(self) -> None:
        """Files of attempts that came to nothing."""
        sweep(self._blobs, self._store.janitor.is_live, now=self._clock())

    def _run(self) -> None:
        tidied = swept = self._clock()
        while not self._stopping.wait(ROUND_S):
            now = self._clock()
            try:
                self.round()
                if now - tidied > TIDY_EVERY_S:
                    tidied = now
                    self.tidy()
                if now - swept > SWEEP_EVERY_S:
                    swept = now
                    self.sweep()
            except CineletError as error:
                self._log.warning("round failed", reason=error.message, detail=error.detail)
            except Exception:  # noqa: BLE001
                self._log.exception("round failed")  # a caretaker that ends would leave silent workers' jobs where they are
