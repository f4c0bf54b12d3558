"""Following a job: streams that break, lie silent or are not there, and a service that goes away for a while."""

from __future__ import annotations

import pytest

from cinelet.errors import NotFoundError, TimedOutError, UnavailableError
from cinelet.sdk.exchange import Answer, Lost, Open, Pause, Read, Send, Tell
from cinelet.sdk.watch import MAX_OUTAGE_S, MAX_STREAM_FAILURES, Watch
from cinelet.video import VideoRequest

CAR = VideoRequest(prompt="a red car", seed=3)


def test_the_stream_brings_the_news_without_polling(client, service) -> None:
    job = client.submit(CAR)
    assert [event.job.progress for event in client.watch(job.id)] == [25, 50, 75, 100]
    assert len(service.calls("GET", "/events$")) == 1
    assert len(service.calls("GET", f"/{job.id}$")) == 2


def test_a_broken_stream_goes_on_after_the_last_event(client, service) -> None:
    job = client.submit(CAR)
    service.trouble("GET", "/events$", cut=1)
    assert [event.job.progress for event in client.watch(job.id)][-1] == 100
    first, second = service.calls("GET", "/events$")
    assert "last-event-id" not in first.headers
    assert second.headers["last-event-id"] == "2"


def test_a_stream_that_breaks_after_every_event_is_still_a_stream(client, service) -> None:
    service.ticks = 12
    job = client.submit(CAR)
    service.trouble("GET", "/events$", times=99, cut=1)
    assert client.wait(job.id).status == "completed"
    assert len(service.calls("GET", "/events$")) > MAX_STREAM_FAILURES


def test_a_quiet_stream_ends_on_time(protocol, clock) -> None:
    """Heartbeats alone, one each 15 s by the test's clock."""
    began = clock.now
    script = Watch(protocol, "video_1", timeout_s=100).script()
    answer = Answer(status=200, headers={"content-type": "text/event-stream"}, body=b'{"id": "video_1", "status": "queued"}')

    def play() -> None:
        outcome = None
        while True:
            step = script.send(outcome)
            outcome = b": still here\n\n" if isinstance(step, Read) else answer
            clock.now += 15 if isinstance(step, Read) else step.seconds if isinstance(step, Pause) else 0

    with pytest.raises(TimedOutError):
        play()
    assert clock.now - began == pytest.approx(100)


def test_a_service_without_events_is_polled_as_fast_as_it_says(client, service, clock) -> None:
    service.has_events = False
    service.poll_after_ms = 2000
    job = client.submit(CAR)
    assert [event.job.progress for event in client.watch(job.id)] == [25, 50, 75, 100]
    assert clock.pauses == [2, 2, 2]


def test_a_proxy_that_swallows_events_is_left_for_polling(client, service) -> None:
    job = client.submit(CAR)
    service.trouble("GET", "/events$", times=99, cut=0)
    service.held.add(job.id)
    stopped = len(service.calls("GET", "/events$"))
    watch = client.watch(job.id)
    assert next(watch).job.status == "queued"
    service.release(job.id)
    assert [event.job.progress for event in watch][-1] == 100
    assert len(service.calls("GET", "/events$")) - stopped <= MAX_STREAM_FAILURES


def test_a_restart_of_the_service_ends_no_wait(client, service) -> None:
    service.has_events = False
    job = client.submit(CAR)
    service.trouble("GET", f"/{job.id}$", times=20, status=503)
    assert client.wait(job.id).status == "completed"


def test_an_outage_without_end_ends_the_wait(client, service, clock) -> None:
    job = client.submit(CAR)
    service.trouble("GET", f"/{job.id}$", times=100_000, drop="before")
    began = clock.now
    with pytest.raises(UnavailableError):
        client.wait(job.id)
    assert 0.9 * MAX_OUTAGE_S < clock.now - began <= 1.1 * MAX_OUTAGE_S


def test_a_job_that_is_not_there_is_said_at_once(client, service) -> None:
    with pytest.raises(NotFoundError):
        client.wait("video_local_1")
    job = client.submit(CAR)
    watch = client.watch(job.id)
    next(watch)
    client.delete(job.id)
    with pytest.raises(NotFoundError):
        list(watch)


def test_leaving_a_watch_early_closes_its_stream(client, service) -> None:
    job = client.submit(CAR)
    for event in client.watch(job.id):
        assert event.job.id == job.id
        break
    assert client.get(job.id).id == job.id


def test_news_about_other_things_is_passed_over(protocol) -> None:
    """The script alone, played by hand: no service sends this on purpose."""
    script = Watch(protocol, "video_1").script()
    video = b'{"id": "video_1", "status": "in_progress", "progress": 1}'
    answers = {Send: Answer(status=200, headers={}, body=video), Open: Answer(status=200, headers={"content-type": "text/event-stream"})}
    stream = [
        b'event: video.progress\ndata: {"id": "video_2", "progress": 50}\n\n',
        b"event: video.progress\ndata: not json\n\n",
        b"event: video.progress\ndata: [1]\n\n",
        b'event: video.preview\ndata: {"progress": 60}\nid: 7\n\n',
        Lost("gone"),
    ]
    told, outcome = [], None
    while True:
        step = script.send(outcome)
        outcome = stream.pop(0) if isinstance(step, Read) else answers.get(type(step))
        if isinstance(step, Tell):
            told.append((step.event.type, step.event.job.progress, step.event.id))
        if isinstance(step, Pause):
            break
    script.close()
    assert told == [("video.progress", 1, None), ("video.preview", 60, "7")]
