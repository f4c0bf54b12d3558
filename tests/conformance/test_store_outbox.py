"""What is told, to whom, how often: events, deliveries, endpoints and their secrets, on every database."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from cinelet.errors import ConflictError, NotFoundError
from cinelet.jobs import Beat
from cinelet.jobs.endpoints import MAX_ENDPOINTS, OVERLAP_S
from cinelet.jobs.outbox import announce
from cinelet.jobs.schema import deliveries
from cinelet.jobs.states import EVENTS
from tests.support.world import BROKEN, World, at_once

URL = "https://example.org/hook"
BOTH = ("video.completed", "video.failed")


def test_a_job_tells_its_life_in_order(world: World) -> None:
    lease = world.claim(world.submit().job.id)
    world.succeed(lease)
    assert [kind for _, kind in world.events()] == ["video.queued", "video.in_progress", "video.completed"]


def test_each_job_ends_with_one_final_event(world: World) -> None:
    succeeded, failed, cancelled, deleted = (world.submit(digest=None).job.id for _ in range(4))
    leader, follower = (answer.job.id for answer in world.accept(*(world.submission(digest="d") for _ in range(2))))
    for job_id in (succeeded, leader):
        lease = world.claim(job_id)
        world.succeed(lease)
        world.succeed(lease)
    hit = world.submit(digest="d").job.id
    world.store.leases.fail(world.claim(failed), BROKEN, may_retry=False)
    for _ in range(2):
        world.store.register.cancel(cancelled, "ann")
    world.store.register.delete(deleted, "ann")
    expired = world.submit(deadline_at=world.clock() - 1).job.id
    world.store.janitor.expire()
    world.store.janitor.expire()
    finals = Counter(event for event in world.events() if event[1] in BOTH)
    completed = {(job_id, "video.completed"): 1 for job_id in (succeeded, leader, follower, hit)}
    assert finals == completed | {(job_id, "video.failed"): 1 for job_id in (failed, cancelled, deleted, expired)}


def test_events_of_another_tenant_are_not_told(world: World) -> None:
    world.submit(tenant="bob")
    assert world.events("ann") == []


def test_events_resume_after_a_number_and_come_in_pieces(world: World) -> None:
    for _ in range(5):
        world.submit()
    first = world.store.outbox.events("ann", 0, limit=2)
    rest = world.store.outbox.events("ann", first[-1].seq)
    assert [len(first), len(rest)] == [2, 3]
    assert world.store.outbox.last_seq() == rest[-1].seq
    assert world.store.outbox.events("ann", rest[-1].seq) == []


def test_event_numbers_are_never_used_again(world: World) -> None:
    world.submit()
    before = world.store.outbox.last_seq()
    world.store.outbox.clean(world.clock() + 1)
    assert world.store.outbox.last_seq() == 0
    world.submit()
    assert world.store.outbox.last_seq() > before


def test_a_stream_misses_no_event_of_a_transaction_that_commits_late(world: World) -> None:
    """Numbers are drawn before the commit: the larger one may be seen first, and whoever goes on after it misses the smaller."""
    is_written, may_commit = threading.Event(), threading.Event()
    slow, fast = world.job(), world.job()

    def write_slowly() -> None:
        def work(connection) -> None:
            announce(connection, [{"id": slow.id, "tenant": "ann", "callback_url": None}], "available", world.clock())
            is_written.set()
            if not world.store.database.is_sqlite:
                assert may_commit.wait(30)

        world.store.database.write(work)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert is_written.wait(30)
    world.store.database.write(
        lambda connection: announce(connection, [{"id": fast.id, "tenant": "ann", "callback_url": None}], "available", world.clock())
    )
    start = world.store.outbox.last_seq()
    seen = world.store.outbox.events("ann", 0)
    may_commit.set()
    writer.join(30)
    later = world.store.outbox.events("ann", seen[-1].seq if seen else 0)
    assert [event.job_id for event in [*seen, *later]] == [slow.id, fast.id]
    assert {event.job_id for event in later} == {event.job_id for event in world.store.outbox.events("ann", start)}


def test_a_callback_is_told_the_end_and_nothing_else(world: World) -> None:
    lease = world.claim(world.submit(callback_url=URL).job.id)
    world.store.leases.beat([Beat(job_id=lease.job.id, token=lease.token, stage="upload", step=9, left_s=1.0)])
    assert world.store.outbox.due(world.clock(), 10) == []
    world.succeed(lease)
    [delivery] = world.store.outbox.due(world.clock(), 10)
    assert (delivery.job_id, delivery.type, delivery.url, delivery.secrets) == (lease.job.id, "video.completed", URL, None)
    assert delivery.event_id == world.store.outbox.events("ann", 0)[-1].event_id


def test_endpoints_are_told_what_they_asked_for(world: World) -> None:
    both = world.store.endpoints.create("ann", name="both", url=URL, event_types=BOTH)
    world.store.endpoints.create("ann", name="failures", url=URL + "/failures", event_types=["video.failed"])
    world.store.endpoints.create("bob", name="bob's", url=URL + "/bob", event_types=BOTH)
    world.succeed(world.claim(world.submit(callback_url=URL + "/own").job.id))
    due = world.store.outbox.due(world.clock(), 10)
    assert {delivery.url: delivery.secrets for delivery in due} == {URL: [both.secret], URL + "/own": None}
    assert len({delivery.event_id for delivery in due}) == 1


def test_followers_tell_their_own_callbacks(world: World) -> None:
    leader = world.submit(digest="d", callback_url=URL + "/1").job
    world.submit(digest="d", callback_url=URL + "/2")
    world.succeed(world.claim(leader.id))
    world.submit(digest="d", callback_url=URL + "/3")
    assert sorted(delivery.url for delivery in world.store.outbox.due(world.clock(), 10)) == [f"{URL}/{i}" for i in (1, 2, 3)]


def test_a_failed_delivery_comes_again_when_its_time_has_come(world: World) -> None:
    world.succeed(world.claim(world.submit(callback_url=URL).job.id))
    [delivery] = world.store.outbox.due(world.clock(), 10)
    world.store.outbox.failed(delivery.id, world.clock() + 5, "500" * 1000)
    assert world.store.outbox.due(world.clock() + 4, 10) == []
    assert world.store.outbox.next_due_at() == world.clock() + 5
    [again] = world.store.outbox.due(world.clock() + 5, 10)
    assert (again.id, again.event_id, again.attempt) == (delivery.id, delivery.event_id, 1)


def test_a_delivered_or_given_up_message_is_due_no_more(world: World) -> None:
    for url in ("/1", "/2"):
        world.succeed(world.claim(world.submit(callback_url=URL + url).job.id))
    first, second = world.store.outbox.due(world.clock(), 10)
    world.store.outbox.delivered(first.id)
    world.store.outbox.failed(second.id, None, "gave up")
    assert world.store.outbox.due(world.clock() + 1e9, 10) == []
    assert world.store.outbox.next_due_at() is None


def test_of_many_couriers_that_reach_for_a_message_one_gets_it(world: World) -> None:
    for number in range(8):
        world.succeed(world.claim(world.submit(callback_url=f"{URL}/{number}").job.id))
    due = world.store.outbox.due(world.clock(), 10)
    held = at_once(6, lambda i: [d.id for d in due if world.store.outbox.move(d.id, d.due_at, d.due_at + 60 + i)])
    assert sorted(number for numbers in held for number in numbers) == sorted(delivery.id for delivery in due)
    assert world.store.outbox.due(world.clock() + 59, 10) == []


def test_a_message_whose_holder_was_killed_is_due_again_when_its_hold_has_run_out(world: World) -> None:
    world.succeed(world.claim(world.submit(callback_url=URL).job.id))
    [delivery] = world.store.outbox.due(world.clock(), 10)
    assert world.store.outbox.move(delivery.id, delivery.due_at, world.clock() + 60)
    [again] = world.store.outbox.due(world.clock() + 60, 10)
    assert (again.id, again.attempt, again.due_at) == (delivery.id, 0, world.clock() + 60)


def test_a_held_message_can_be_given_back(world: World) -> None:
    world.succeed(world.claim(world.submit(callback_url=URL).job.id))
    [delivery] = world.store.outbox.due(world.clock(), 10)
    world.store.outbox.move(delivery.id, delivery.due_at, delivery.due_at + 60)
    assert world.store.outbox.move(delivery.id, delivery.due_at + 60, delivery.due_at)
    assert world.store.outbox.due(world.clock(), 10) == [delivery]


def test_a_failure_told_too_late_does_not_send_a_delivered_message_again(world: World) -> None:
    world.succeed(world.claim(world.submit(callback_url=URL).job.id))
    [delivery] = world.store.outbox.due(world.clock(), 10)
    world.store.outbox.delivered(delivery.id)
    world.store.outbox.failed(delivery.id, world.clock() + 5, "no answer")
    assert world.store.outbox.next_due_at() is None


def test_an_event_can_be_sent_once_more(world: World) -> None:
    world.succeed(world.claim(world.submit(callback_url=URL).job.id))
    [delivery] = world.store.outbox.due(world.clock(), 10)
    world.store.outbox.failed(delivery.id, None, "gave up")
    assert world.store.outbox.replay(delivery.event_id, world.clock()) == 1
    assert [again.attempt for again in world.store.outbox.due(world.clock(), 10)] == [0]
    assert world.store.outbox.replay("evt_unknown", world.clock()) == 0


def test_a_receiver_that_is_gone_for_good_gets_nothing_more(world: World) -> None:
    gone = world.store.endpoints.create("ann", name="gone", url=URL, event_types=BOTH)
    world.store.endpoints.create("ann", name="stays", url=URL + "/stays", event_types=BOTH)
    world.succeed(world.claim(world.submit().job.id))
    world.store.outbox.disable(URL)
    assert [delivery.url for delivery in world.store.outbox.due(world.clock(), 10)] == [URL + "/stays"]
    assert world.store.endpoints.get(gone.id, "ann").is_disabled
    world.succeed(world.claim(world.submit().job.id))
    assert {delivery.url for delivery in world.store.outbox.due(world.clock(), 10)} == {URL + "/stays"}


def test_changing_an_endpoint_enables_it_again(world: World) -> None:
    endpoint = world.store.endpoints.create("ann", name="old", url=URL, event_types=BOTH)
    world.store.outbox.disable(URL)
    changed = world.store.endpoints.change(endpoint.id, "ann", {"name": "new"})
    assert (changed.name, changed.url, changed.is_disabled) == ("new", URL, False)


def test_a_deleted_endpoint_takes_its_waiting_messages_with_it(world: World) -> None:
    endpoint = world.store.endpoints.create("ann", name="n", url=URL, event_types=BOTH)
    world.succeed(world.claim(world.submit(callback_url=URL + "/own").job.id))
    world.store.endpoints.delete(endpoint.id, "ann")
    due = world.store.outbox.due(world.clock(), 10)
    assert [delivery.url for delivery in due] == [URL + "/own"]
    world.store.outbox.delivered(due[0].id)
    assert world.store.outbox.next_due_at() is None
    assert world.store.outbox.replay(due[0].event_id, world.clock()) == 1


def test_during_a_rotation_both_secrets_sign_for_a_day(world: World) -> None:
    endpoint = world.store.endpoints.create("ann", name="n", url=URL, event_types=BOTH)
    rotated = world.store.endpoints.rotate_secret(endpoint.id, "ann", keep_old=True)
    world.succeed(world.claim(world.submit().job.id))
    assert rotated.secret != endpoint.secret
    assert [d.secrets for d in world.store.outbox.due(world.clock(), 10)] == [[rotated.secret, endpoint.secret]]
    assert [d.secrets for d in world.store.outbox.due(world.clock() + OVERLAP_S, 10)] == [[rotated.secret]]


def test_a_leaked_secret_ends_at_once(world: World) -> None:
    endpoint = world.store.endpoints.create("ann", name="n", url=URL, event_types=BOTH)
    rotated = world.store.endpoints.rotate_secret(endpoint.id, "ann", keep_old=False)
    world.succeed(world.claim(world.submit().job.id))
    assert [d.secrets for d in world.store.outbox.due(world.clock(), 10)] == [[rotated.secret]]


def test_another_tenants_endpoint_is_unknown(world: World) -> None:
    endpoint = world.store.endpoints.create("ann", name="n", url=URL, event_types=BOTH)
    calls = [
        lambda: world.store.endpoints.get(endpoint.id, "bob"),
        lambda: world.store.endpoints.change(endpoint.id, "bob", {"name": "mine"}),
        lambda: world.store.endpoints.rotate_secret(endpoint.id, "bob", keep_old=True),
        lambda: world.store.endpoints.delete(endpoint.id, "bob"),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            call()
    assert world.store.endpoints.list("ann") == [endpoint]
    assert world.store.endpoints.list("bob") == []


def test_a_tenant_has_a_bounded_number_of_endpoints(world: World) -> None:
    for i in range(MAX_ENDPOINTS):
        world.store.endpoints.create("ann", name=str(i), url=URL, event_types=BOTH)
    with pytest.raises(ConflictError):
        world.store.endpoints.create("ann", name="one more", url=URL, event_types=BOTH)
    world.store.endpoints.create("bob", name="bob's first", url=URL, event_types=BOTH)


def test_cleaning_forgets_old_events_and_keeps_what_still_has_to_be_told(world: World) -> None:
    world.succeed(world.claim(world.submit(callback_url=URL).job.id))
    assert world.store.outbox.clean(world.clock()) == 0
    assert world.store.outbox.clean(world.clock() + 1) == 3
    assert len(world.rows(deliveries)) == 1
    world.store.outbox.delivered(world.store.outbox.due(world.clock(), 10)[0].id)
    world.store.outbox.clean(world.clock() + 1)
    assert world.rows(deliveries) == []


def test_every_state_has_an_event() -> None:
    assert set(EVENTS.values()) == {"video.queued", "video.in_progress", *BOTH}
