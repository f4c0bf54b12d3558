"""A job store and its clock, with short verbs for what tests do all day. Ids count up, so that age and order are known.

`world` is the fixture of the conformance suite: the same test on SQLite in memory, on a SQLite file, and on PostgreSQL. On
PostgreSQL too the lease time is the test's clock here; that it is the server's in production has tests of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Table, select

from cinelet.errors import CineletError
from cinelet.jobs import Accepted, Failure, Job, Lease, Store, Submission, Tenant
from cinelet.jobs.database import time_by
from cinelet.jobs.schema import metadata
from cinelet.video import Plan
from tests.support.postgres import Postgres

T = TypeVar("T")

NOW = 1_790_000_000.0
PLAN = Plan(
    prompt="a red balloon",
    negative_prompt="",
    model="pocket",
    width=64,
    height=64,
    num_frames=9,
    fps=8,
    num_inference_steps=10,
    guidance_scale=5.0,
    guidance_scale_2=5.0,
    sampler="unipc",
    flow_shift=3.0,
    seed=7,
)
BROKEN = Failure(code="engine_died", message="the engine ended")


class Clock:
    """Unix seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class World:
    """One store. Tenants `ann` and `bob` have no bounds until a test sets some."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._numbers = count(1)
        for name in ("ann", "bob"):
            self.store.tenants.put(Tenant(id=name))

    def job(self, tenant: str = "ann", **fields: Any) -> Job:
        """A job that was not submitted yet."""
        with self._lock:
            number = next(self._numbers)
        plain = {"id": f"video_local_{number:026d}", "tier": "standard", "state": "available", "plan": PLAN}
        times = {"created_at": self.clock(), "available_at": self.clock(), "left_s": fields.get("work_s", 0.0)}
        return Job(**{**plain, "tenant": tenant, **times, **fields})

    def submission(self, *, key: str | None = None, is_repeat: bool = False, max_waiting: int | None = None, **fields: Any) -> Submission:
        """A submission of a fresh job."""
        return Submission(job=self.job(**fields), idempotency_key=key, is_repeat=is_repeat, max_waiting=max_waiting)

    def accept(self, *submissions: Submission) -> list[Accepted | CineletError]:
        """All in one transaction."""
        return self.store.intake.accept(submissions)

    def submit(self, **what: Any) -> Accepted:
        """Accept one; a refusal is raised."""
        [answer] = self.accept(self.submission(**what))
        if isinstance(answer, CineletError):
            raise answer
        return answer

    def claim(self, *ids: str, worker: str = "w1") -> Lease:
        """A lease on `ids`, or on the first candidate; exactly one must be free."""
        wanted = ids or tuple(candidate.id for candidate in self.store.leases.candidates(["pocket"], limit=1))
        [lease] = self.store.leases.claim(wanted, worker)
        return lease

    def succeed(self, lease: Lease, *, spent_s: float = 3.0) -> None:
        """Publish a result that tells whose it is."""
        self.store.leases.succeed(lease, {"video": {"key": f"{lease.job.id}/{lease.token}/video.mp4"}}, {"worker": "w1"}, spent_s)

    def find(self, job_id: str) -> Job:
        """The row as it is now."""
        job = self.store.register.find(job_id)
        assert job is not None, f"{job_id} is lost"
        return job

    def state(self, job_id: str) -> str:
        """The state as it is now."""
        return self.find(job_id).state

    def rows(self, table: Table) -> Sequence[Any]:
        """A whole table, in the order of its key."""
        query = select(table).order_by(*table.primary_key.columns)
        return self.store.database.read(lambda connection: connection.execute(query).all())

    def events(self, tenant: str = "ann") -> list[tuple[str, str]]:
        """(job id, type) of the tenant's events, oldest first."""
        return [(event.job_id, event.type) for event in self.store.outbox.events(tenant, 0)]

    def balance(self, tenant: str = "ann") -> tuple[float, float]:
        """(reserved, used) device seconds."""
        account = self.store.tenants.find(tenant)
        assert account is not None
        return account.reserved_s, account.used_s

    def clear(self) -> None:
        """Forget everything but the schema, and start over with tenants, clock and ids."""
        self.store.database.write(lambda connection: [connection.execute(table.delete()) for table in reversed(metadata.sorted_tables)])
        self.clock.now = NOW
        self._begin()


def at_once(num_threads: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(0)` to `work(num_threads - 1)`, all released at the same moment; the results in order."""
    gate = threading.Barrier(num_threads, timeout=30)

    def run(number: int) -> T:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(run, range(num_threads)))


def open_world(url: str, **settings: Any) -> World:
    """A store on `url` whose lease time is the world's clock, on every database."""
    clock = Clock()
    store = Store(url, clock=clock, **settings)
    store.database.now = lambda: time_by(clock)
    return World(store, clock)


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """A database with our tables, to copy from."""
    name = postgres.create()
    Store(postgres.url_of(name)).close()
    return name


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_template: str) -> Iterator[str]:
    """A PostgreSQL database of the test's own, with our tables, empty."""
    name = postgres.create(postgres_template)
    yield postgres.url_of(name)
    postgres.drop(name)


@pytest.fixture(params=["memory", "file", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, each kind in turn."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    """A store on each kind of database in turn."""
    world = open_world(store_url)
    yield world
    world.store.close()
