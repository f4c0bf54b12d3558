"""Wake-ups on every database: who listens hears what moved. A bell may lose a message; it must not lose its voice."""

from __future__ import annotations

import queue
from collections.abc import Callable

from cinelet.jobs import Store
from cinelet.jobs.bell import LocalBell
from tests.support.postgres import Postgres
from tests.support.world import BROKEN, World

PATIENCE_S = 30.0


def heard(store: Store) -> queue.Queue[str]:
    """What `store` hears from now on; the queue is returned when the bell is known to listen."""
    messages: queue.Queue[str] = queue.Queue()
    store.bell.listen(messages.put)
    ring_until_heard(store, messages, "ready")
    return messages


def ring_until_heard(store: Store, messages: queue.Queue[str], word: str) -> None:
    """Ring until the listener hears it: the connection may still be coming up."""
    for _ in range(int(PATIENCE_S / 0.1)):
        store.bell.ring(word)
        try:
            while messages.get(timeout=0.1) != word:
                pass
        except queue.Empty:
            continue
        break
    else:
        raise AssertionError(f"{word!r} was never heard")
    store.bell.ring("end of " + word)
    while messages.get(timeout=PATIENCE_S) != "end of " + word:
        pass


def told_by(world: World, messages: queue.Queue[str], act: Callable[[], object]) -> set[str]:
    """The messages that `act` leads to."""
    act()
    world.store.bell.ring("that was all")
    told = set()
    while (message := messages.get(timeout=PATIENCE_S)) != "that was all":
        told.add(message)
    return told


def test_each_change_rings_for_those_who_wait_for_it(world: World) -> None:
    messages = heard(world.store)
    leases, register = world.store.leases, world.store.register
    assert told_by(world, messages, lambda: world.submit(digest="d")) == {"work"}
    [leader] = world.store.register.list("ann").jobs
    follower = world.submit(digest="d").job
    held = []
    assert told_by(world, messages, lambda: held.append(world.claim())) == {f"job {leader.id}"}
    assert told_by(world, messages, lambda: leases.preview(held[0], "key", 1)) == {f"job {leader.id}"}
    assert told_by(world, messages, lambda: leases.release(held[0])) == {"work", f"job {leader.id}"}
    assert told_by(world, messages, lambda: world.succeed(world.claim())) >= {f"job {leader.id}", f"job {follower.id}", "outbox"}
    doomed = world.submit().job
    stopped = told_by(world, messages, lambda: (world.claim(doomed.id), register.cancel(doomed.id, "ann")))
    assert stopped >= {f"gone {doomed.id}", f"job {doomed.id}", "outbox"}
    failing = world.claim(world.submit().job.id)
    assert told_by(world, messages, lambda: leases.fail(failing, BROKEN, may_retry=False)) >= {f"job {failing.job.id}", "outbox"}


def test_an_empty_claim_rings_nothing(world: World) -> None:
    messages = heard(world.store)
    assert told_by(world, messages, lambda: world.store.leases.claim(["video_local_unknown"], "w1")) == set()


def test_who_stops_listening_hears_nothing_more() -> None:
    bell = LocalBell()
    messages: list[str] = []
    stop = bell.listen(messages.append)
    bell.ring("one", "two")
    stop()
    stop()
    bell.ring("three")
    assert messages == ["one", "two"]


def test_a_closed_local_bell_is_silent() -> None:
    bell = LocalBell()
    messages: list[str] = []
    bell.listen(messages.append)
    bell.close()
    bell.ring("one")
    assert messages == []


def test_two_processes_on_one_postgresql_hear_each_other(postgres_url: str) -> None:
    one, two = Store(postgres_url), Store(postgres_url)
    try:
        messages = heard(two)
        one.bell.ring("job x", "gone y")
        assert {messages.get(timeout=PATIENCE_S) for _ in range(2)} == {"job x", "gone y"}
    finally:
        one.close()
        two.close()


def test_the_bell_comes_back_after_the_database_was_killed() -> None:
    with Postgres() as server:
        one, two = Store(server.url), Store(server.url)
        try:
            messages = heard(two)
            ring_until_heard(one, messages, "before")
            server.kill()
            one.bell.ring("nobody hears this")
            server.start()
            ring_until_heard(one, messages, "back")
        finally:
            one.close()
            two.close()
