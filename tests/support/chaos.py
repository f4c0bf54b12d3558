"""Clients that never give up, processes that are killed at random, and the oracle that compares what went in with what came out.

The oracle follows Jepsen's queue checker: lost (acknowledged, and not ended), ghosts (there, and never asked for), doubled (two
results, charges or final events), and it reads the blobs that results name. Seeds make a run's choices repeatable; the machine's
timing is its own.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import select

from cinelet.jobs import Store
from cinelet.jobs.schema import charges, jobs, outbox
from cinelet.jobs.states import FINAL
from cinelet.storage import open_blobs
from tests.support.zygote import Zygote

PATIENCE_S = 120.0
"""How long a drain may take after the last kill."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Submitter(threading.Thread):
    """Sends clips one after the other, each under a key of its own, again and again until it is answered."""

    def __init__(self, url: str, name: str, *, pause_s: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, str] = {}
        self.conflicts: list[str] = []
        self._url, self._prefix, self._pause_s = url, name, pause_s
        self._stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            self._send(f"{self._prefix}-{number}")
            self._stopping.wait(self._pause_s)

    def finish(self) -> None:
        """Stop; the clip under way is sent to its answer."""
        self._stopping.set()
        self.join(PATIENCE_S)

    def _send(self, key: str) -> None:
        body = {"prompt": f"a cat, {key}", "size": "64x64", "num_frames": 5, "num_inference_steps": 4}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                answer = httpx2.post(f"{self._url}/v1/videos", json=body, headers={"idempotency-key": key}, timeout=5.0, trust_env=False)
            except (httpx2.HTTPError, OSError):
                time.sleep(0.01)
                continue
            if answer.status_code == 200:
                job_id = answer.json()["id"]
                if self.acknowledged.setdefault(key, job_id) != job_id:
                    self.conflicts.append(key)
                return
            assert answer.status_code in {409, 429, 503}, answer.text
            time.sleep(0.02)


@dataclass
class Herd:
    """The processes of one kind that are kept alive and killed: `verb` and settings as in `Zygote.fork`."""

    zygote: Zygote
    verb: str
    log: Path
    settings: dict[str, Any]
    pids: list[int] = field(default_factory=list)

    def grow(self, count: int) -> None:
        """Start some."""
        self.pids += [self.zygote.fork(self.verb, self.log, **self.settings) for _ in range(count)]

    def kill(self, rng: random.Random) -> None:
        """SIGKILL one, and start another in its place."""
        self._end(self.pids.pop(rng.randrange(len(self.pids))), signal.SIGKILL)
        self.grow(1)

    def freeze(self, rng: random.Random, seconds: float) -> None:
        """SIGSTOP one for a while: a process that outlives its leases."""
        pid = rng.choice(self.pids)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM all and wait."""
        for pid in self.pids:
            self._end(pid, signal.SIGTERM)
        self.pids.clear()

    def _end(self, pid: int, number: signal.Signals) -> None:
        """One that ended by itself is a failure of the run: nobody told it to."""
        try:
            end(pid, number)
        except ProcessLookupError as error:
            raise AssertionError(f"a {self.verb} ended by itself: {self.log.read_text()[-4000:]}") from error


def end(pid: int, number: signal.Signals) -> None:
    """Signal a process and wait until it is gone."""
    os.kill(pid, number)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the oracle found; all counts but the first ones should be 0. `states` are how the jobs ended, `attempts` how often they ran."""

    acknowledged: int
    states: dict[str, int]
    attempts: dict[int, int]
    lost: int
    ghosts: int
    doubled: int
    broken_files: int
    conflicts: int

    @property
    def is_clean(self) -> bool:
        """Whether every promise held."""
        return not (self.lost or self.ghosts or self.doubled or self.broken_files or self.conflicts)


def drain(url: str, expected: set[str]) -> None:
    """Wait until every acknowledged job has ended; the caller's processes are alive."""
    deadline = time.monotonic() + PATIENCE_S
    waiting = set(expected)
    with httpx2.Client(base_url=url, timeout=10.0, trust_env=False) as client:
        while waiting and time.monotonic() < deadline:
            for job_id in sorted(waiting)[:200]:
                try:
                    answer = client.get(f"/v1/videos/{job_id}")
                except (httpx2.HTTPError, OSError):
                    time.sleep(0.05)
                    break
                if answer.status_code == 200 and answer.json()["status"] in {"completed", "failed"}:
                    waiting.discard(job_id)
            time.sleep(0.05)


def judge(store_url: str, blobs_url: str, submitters: list[Submitter]) -> Verdict:
    """Read the truth: all processes have ended."""
    acknowledged = {job_id for submitter in submitters for job_id in submitter.acknowledged.values()}
    store = Store(store_url)
    blobs = open_blobs(blobs_url)
    try:
        rows = store.database.read(lambda c: c.execute(select(jobs)).mappings().all())
        told = store.database.read(lambda c: c.execute(select(outbox.c.job_id, outbox.c.type)).all())
        charged = store.database.read(lambda c: c.execute(select(charges.c.job_id)).scalars().all())
    finally:
        store.close()
    by_id = {row["id"]: row for row in rows}
    finals = Counter(job_id for job_id, kind in told if kind in {"video.completed", "video.failed"})
    broken = 0
    for row in rows:
        for artifact in (row["result"] or {}).values() if row["state"] == "succeeded" else ():
            data = blobs.get_bytes(artifact["key"], 10_000_000)
            broken += hashlib.sha256(data).hexdigest() != artifact["sha256"]
    return Verdict(
        acknowledged=len(acknowledged),
        states=dict(Counter(row["state"] for row in rows)),
        attempts=dict(sorted(Counter(row["attempt"] for row in rows).items())),
        lost=sum(by_id[job_id]["state"] not in FINAL if job_id in by_id else 1 for job_id in acknowledged),
        ghosts=len(set(by_id) - acknowledged),
        doubled=sum(count > 1 for count in finals.values()) + sum(count > 1 for count in Counter(charged).values()),
        broken_files=broken,
        conflicts=sum(len(submitter.conflicts) for submitter in submitters),
    )
