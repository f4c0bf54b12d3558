"""The database goes away in the middle of work: nothing acknowledged is lost, nothing happens twice, nobody waits without end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from cinelet.errors import UnavailableError
from cinelet.jobs import Store, Submission, database
from cinelet.jobs.database import CommitUnknownError, Database
from cinelet.jobs.schema import charges, jobs
from tests.support.postgres import Postgres
from tests.support.world import World, open_world

NUM_KILLS = 3
NUM_CLIENTS = 4
NUM_BETWEEN = 25
"""Jobs acknowledged between two kills."""
MAX_CALL_S = 4.0
"""A call during the outage is answered within this time: one connection attempt and room for a busy machine."""
PATIENCE_S = 120.0


class Client(threading.Thread):
    """Accepts jobs as fast as it can, remembers each acknowledgement and how long each refusal took."""

    def __init__(self, world: World, progress: threading.Condition) -> None:
        super().__init__()
        self._world = world
        self._progress = progress
        self._is_over = threading.Event()
        self.acknowledged: list[str] = []
        self.refused_after_s: list[float] = []
        self.surprises: list[BaseException] = []

    def run(self) -> None:
        """Until told to stop, or surprised."""
        while not self._is_over.is_set():
            submission = self._world.submission(key=f"{self.name} {len(self.acknowledged)}", body_digest="a", reserved_s=1.0)
            started_at = time.monotonic()
            try:
                [answer] = self._world.accept(submission)
                self.acknowledged.append(answer.job.id)
            except UnavailableError:
                self.refused_after_s.append(time.monotonic() - started_at)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                self.surprises.append(error)
                return
            with self._progress:
                self._progress.notify_all()

    def stop(self) -> None:
        """After the call under way."""
        self._is_over.set()


def test_a_killed_postgresql_loses_no_acknowledged_job_and_the_store_goes_on_by_itself() -> None:
    with Postgres(is_on_disk=True) as server:
        world = open_world(server.url)
        progress = threading.Condition()
        clients = [Client(world, progress) for _ in range(NUM_CLIENTS)]

        def wait_until(is_reached: Callable[[], bool]) -> None:
            with progress:
                assert progress.wait_for(lambda: is_reached() or any(c.surprises for c in clients), PATIENCE_S)
            assert [error for client in clients for error in client.surprises] == []

        try:
            for client in clients:
                client.start()
            for _ in range(NUM_KILLS):
                goal = sum(len(client.acknowledged) for client in clients) + NUM_BETWEEN
                wait_until(lambda goal=goal: sum(len(client.acknowledged) for client in clients) >= goal)
                num_refused = [len(client.refused_after_s) for client in clients]
                server.kill()
                wait_until(lambda before=num_refused: all(len(c.refused_after_s) > n for c, n in zip(clients, before, strict=True)))
                server.start()
            goal = sum(len(client.acknowledged) for client in clients) + NUM_BETWEEN
            wait_until(lambda: sum(len(client.acknowledged) for client in clients) >= goal)
        finally:
            for client in clients:
                client.stop()
            for client in clients:
                client.join(PATIENCE_S)
        acknowledged = [job_id for client in clients for job_id in client.acknowledged]
        stored = world.rows(jobs)
        ids = {row.id for row in stored}
        assert [job_id for job_id in acknowledged if job_id not in ids] == [], "acknowledged and lost"
        assert len(set(acknowledged)) == len(acknowledged), "one job under two keys"
        assert max(seconds for client in clients for seconds in client.refused_after_s) < MAX_CALL_S
        assert world.balance()[0] == sum(row.reserved_s for row in stored)
        world.store.close()


def test_all_parts_say_unavailable_during_the_outage_and_work_after_it() -> None:
    with Postgres() as server:
        world = open_world(server.url)
        lease = world.claim(world.submit().job.id)
        calls: list[Callable[[], Any]] = [
            world.submit,
            lambda: world.store.leases.candidates(["pocket"]),
            lambda: world.store.leases.beat([]) or world.store.leases.rescue(),
            lambda: world.store.register.get(lease.job.id, "ann"),
            lambda: world.store.register.list("ann"),
            lambda: world.store.outbox.events("ann", 0),
            lambda: world.store.tenants.find("ann"),
            lambda: world.store.endpoints.list("ann"),
            world.store.janitor.leftovers,
        ]
        server.kill()
        for call in calls:
            started_at = time.monotonic()
            with pytest.raises(UnavailableError):
                call()
            assert time.monotonic() - started_at < MAX_CALL_S
        server.start()
        for call in calls:
            call()
        world.succeed(lease)
        assert world.state(lease.job.id) == "succeeded"
        world.store.close()


def test_a_database_that_takes_no_calls_is_unavailable_within_seconds() -> None:
    """A machine that swallows connections: the socket listens, nobody answers."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(16)
        started_at = time.monotonic()
        with pytest.raises(UnavailableError):
            Store(f"postgresql://cinelet@127.0.0.1:{deaf.getsockname()[1]}/none")
        assert time.monotonic() - started_at < MAX_CALL_S


def test_a_statement_that_waits_too_long_is_ended_and_its_connection_goes_on(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "STATEMENT_TIMEOUT_S", 0.2)
    store = Store(postgres_url)
    try:
        with pytest.raises(UnavailableError, match=r"did not answer within 0\.2 s"):
            store.database.read(lambda connection: connection.execute(text("SELECT pg_sleep(30)")))
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(UnavailableError, match="did not answer"):
                store.register.load()
        assert store.register.load().running == 0
    finally:
        store.close()


def test_a_url_may_set_a_longer_statement_timeout(postgres_url: str) -> None:
    store = Store(f"{postgres_url}?options=-c%20statement_timeout%3D45000")
    try:
        assert store.database.read(lambda connection: connection.execute(text("SHOW statement_timeout")).scalar()) == "45s"
    finally:
        store.close()


def test_connections_that_broke_while_nobody_looked_are_replaced_unseen(postgres: Postgres, postgres_url: str) -> None:
    world = open_world(postgres_url)
    job = world.submit().job
    cut_all(postgres, postgres_url)
    assert world.state(job.id) == "available"
    cut_all(postgres, postgres_url)
    world.succeed(world.claim(job.id))
    world.store.close()


def cut_all(postgres: Postgres, url: str) -> None:
    """End every connection to one database and wait until they are gone."""
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", (name,))


class BrokenCommits:
    """Makes the next commits of a database end in a broken connection, after they happened or before."""

    def __init__(self, database: Database) -> None:
        self._dialect = database._writer.dialect
        self._commit = self._dialect.do_commit
        self._plan: list[bool] = []

    def plan(self, *happens: bool) -> None:
        """What becomes of the next commits; later ones are whole."""
        self._plan = list(happens)
        self._dialect.do_commit = self._break

    def _break(self, connection: Any) -> None:
        if not self._plan:
            self._commit(connection)
            return
        if self._plan.pop(0):
            self._commit(connection)
        connection.driver_connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def pg_world(postgres_url: str) -> Iterator[World]:
    """A store on PostgreSQL."""
    world = open_world(postgres_url)
    yield world
    world.store.close()


@pytest.fixture
def commits(pg_world: World) -> BrokenCommits:
    """Breaks its commits."""
    return BrokenCommits(pg_world.store.database)


@pytest.mark.parametrize("happened", [True, False])
def test_an_acceptance_whose_commit_broke_is_in_once(pg_world: World, commits: BrokenCommits, happened: bool) -> None:
    submissions = [pg_world.submission(key="k", body_digest="a", reserved_s=1.0), pg_world.submission(digest="d")]
    commits.plan(happened)
    answers = pg_world.accept(*submissions, pg_world.submission(digest="d"), pg_world.submission(key="k", body_digest="a"))
    assert [answer.kind for answer in answers] == ["new", "new", "follower", "repeat"]
    assert len(pg_world.rows(jobs)) == 3
    assert pg_world.balance() == (1.0, 0.0)


def test_an_acceptance_that_is_in_doubt_twice_is_said_to_be_in_doubt_and_its_key_tells_later(
    pg_world: World, commits: BrokenCommits
) -> None:
    submission = pg_world.submission(key="k", body_digest="a")
    commits.plan(False, True)
    with pytest.raises(CommitUnknownError):
        pg_world.accept(submission)
    again = pg_world.submit(key="k", body_digest="a")
    assert (again.kind, again.job.id) == ("repeat", submission.job.id)


@pytest.mark.parametrize("happened", [True, False])
def test_a_success_whose_commit_broke_is_published_and_charged_once(pg_world: World, commits: BrokenCommits, happened: bool) -> None:
    lease = pg_world.claim(pg_world.submit(reserved_s=5.0).job.id)
    commits.plan(happened)
    pg_world.succeed(lease, spent_s=3.0)
    assert pg_world.state(lease.job.id) == "succeeded"
    assert len(pg_world.rows(charges)) == 1
    assert pg_world.balance() == (0.0, 3.0)
    assert [kind for _, kind in pg_world.events()].count("video.completed") == 1


def test_a_deadlock_is_run_again_and_never_shown(pg_world: World) -> None:
    first, second = pg_world.submit().job, pg_world.submit().job
    gate = threading.Barrier(2, timeout=30)
    tries: list[str] = []

    def lock_both(one: str, other: str) -> None:
        def work(connection: Any) -> None:
            tries.append(one)
            connection.execute(jobs.update().where(jobs.c.id == one).values(step=1))
            if len(tries) <= 2:
                gate.wait()
            connection.execute(jobs.update().where(jobs.c.id == other).values(step=1))

        pg_world.store.database.write(work)

    threads = [threading.Thread(target=lock_both, args=pair) for pair in ((first.id, second.id), (second.id, first.id))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(tries) == 3
    assert {row.step for row in pg_world.rows(jobs)} == {1}


def test_lease_time_is_the_servers_so_a_worker_with_a_wrong_clock_harms_nobody(postgres_url: str) -> None:
    right, wrong = Store(postgres_url), Store(postgres_url, clock=lambda: time.time() + 3600)
    try:
        world = World(right, time.time)
        lease = world.claim(world.submit().job.id)
        assert wrong.leases.rescue() == 0
        assert wrong.janitor.expire() == 0
        leased_until = world.find(lease.job.id).leased_until
        [other] = wrong.leases.claim([world.submit().job.id], "wrong")
        assert other.job.leased_until - leased_until < 60
    finally:
        right.close()
        wrong.close()


def test_a_lease_that_ran_out_by_the_servers_clock_is_taken_back(postgres_url: str) -> None:
    store = Store(postgres_url, lease_s=0.0)
    try:
        world = World(store, time.time)
        job = world.claim(world.submit(available_at=0.0).job.id).job
        assert store.leases.rescue() == 1
        assert world.state(job.id) == "available"
        assert world.find(job.id).available_at > time.time() - 60
    finally:
        store.close()


def test_a_submission_is_durable_when_accept_returns(postgres_url: str) -> None:
    """Another connection sees it at once: the answer comes after the commit."""
    world = open_world(postgres_url)
    submission: Submission = world.submission()
    world.accept(submission)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM jobs WHERE id = %s", (submission.job.id,)).fetchone() == (1,)
    world.store.close()
