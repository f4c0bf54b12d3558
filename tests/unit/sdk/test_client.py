"""The blocking client against a small real HTTP service that misbehaves when told to."""

from __future__ import annotations

import json
import threading

import pytest

from cinelet.errors import (
    AuthenticationError,
    ConflictError,
    GoneError,
    InvalidValueError,
    KeyReusedError,
    NotFoundError,
    NotReadyError,
    PermissionDeniedError,
    QuotaError,
    RateLimitedError,
    RequestError,
    TimedOutError,
    TooLargeError,
    UnavailableError,
)
from cinelet.sdk import Client
from cinelet.video import VideoRequest
from tests.support.fake_service import CLIP, TICKS

CAR = VideoRequest(prompt="a red car", seed=3)


def test_a_sentence_becomes_a_file(client, service, tmp_path) -> None:
    job = client.submit(CAR)
    assert (job.status, job.seed, job.prompt) == ("queued", 3, "a red car")
    done = client.wait(job.id)
    assert done.status == "completed"
    assert client.download(job.id, tmp_path / "clip.mp4").read_bytes() == CLIP
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_only_what_was_said_is_sent(client, service) -> None:
    client.submit(CAR, extra={"seconds": 2, "resolution": None})
    (call,) = service.calls("POST")
    assert call.body == {"prompt": "a red car", "preset": "standard", "seed": 3, "seconds": 2}


def test_the_key_is_sent_and_shown_nowhere(service) -> None:
    service.api_key = "cinelet_secret"
    with Client(service.url, "cinelet_secret") as client:
        client.submit(CAR)
        assert "secret" not in repr(client)
    with Client(service.url, "cinelet_wrong") as client, pytest.raises(AuthenticationError) as failure:
        client.submit(CAR)
    assert "wrong" not in failure.value.message


def test_address_and_key_come_from_the_environment(service, monkeypatch) -> None:
    service.api_key = "cinelet_secret"
    monkeypatch.setenv("CINELET_URL", service.url + "/v1/")
    monkeypatch.setenv("CINELET_API_KEY", "cinelet_secret")
    with Client() as client:
        assert client.submit(CAR).status == "queued"


@pytest.mark.parametrize("path", ["before", "after"])
def test_a_lost_answer_is_asked_for_again_and_is_never_a_second_clip(path, client, service) -> None:
    service.trouble("POST", "/videos$", times=2, drop=path)
    job = client.submit(CAR)
    calls = service.calls("POST")
    assert len(calls) == 3
    assert len({call.headers["idempotency-key"] for call in calls}) == 1
    assert list(service.jobs) == [job.id]


def test_two_submissions_are_two_clips_unless_they_share_a_key(client, service) -> None:
    assert client.submit(CAR).id != client.submit(CAR).id
    assert client.submit(CAR, idempotency_key="mine").id == client.submit(CAR, idempotency_key="mine").id
    with pytest.raises(KeyReusedError):
        client.submit(VideoRequest(prompt="a blue car"), idempotency_key="mine")


def test_a_timeout_is_tried_again_under_the_same_key(service, protocol, clock) -> None:
    late = threading.Event()
    service.trouble("POST", "/videos$", stall=late)
    with Client(service.url, protocol=protocol, sleep=clock.sleep, timeout_s=0.2) as client:
        client.submit(CAR)
    late.set()
    assert len(service.jobs) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 507])
def test_what_may_pass_is_tried_again_with_growing_pauses(status, client, service, clock) -> None:
    service.trouble("POST", "/videos$", times=3, status=status)
    assert client.submit(CAR).status == "queued"
    assert clock.pauses == [0.5, 1, 2]


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"retry-after": "soon"}, 0.5),
        ({"retry-after": "-3"}, 0.5),
        ({"retry-after-ms": "nan"}, 0.5),
    ],
)
def test_the_service_says_how_long_to_wait(headers, pause, client, service, clock) -> None:
    service.trouble("POST", "/videos$", status=503, headers=headers)
    client.submit(CAR)
    assert clock.pauses == [pause]


def test_a_long_wait_is_the_callers_decision(client, service, clock) -> None:
    service.trouble("POST", "/videos$", times=9, status=429, headers={"retry-after": "600"})
    with pytest.raises(RateLimitedError) as failure:
        client.submit(CAR)
    assert failure.value.retry_after_s == 600
    assert clock.pauses == []


def test_the_services_word_on_retrying_goes_first(client, service, clock) -> None:
    service.trouble("POST", "/videos$", times=9, status=409, headers={"x-should-retry": "false"})
    with pytest.raises(ConflictError):
        client.submit(CAR)
    assert len(service.calls("POST")) == 1
    service.troubles.clear()
    service.trouble("POST", "/videos$", status=400, headers={"x-should-retry": "true"})
    assert client.submit(CAR).status == "queued"


def test_retries_end(client, service, clock) -> None:
    service.trouble("GET", "/videos/", times=99, status=503)
    with pytest.raises(UnavailableError):
        client.get("video_local_1")
    assert clock.pauses == [0.5, 1, 2, 4]


def test_a_service_that_is_not_there_is_named(clock, protocol) -> None:
    with Client("http://127.0.0.1:9", protocol=protocol, sleep=clock.sleep) as client, pytest.raises(UnavailableError, match="url: http"):
        client.list()


STATUSES = {
    (400, None): RequestError,
    (401, "invalid_api_key"): AuthenticationError,
    (403, None): PermissionDeniedError,
    (404, None): NotFoundError,
    (404, "video_not_ready"): NotReadyError,
    (410, None): GoneError,
    (413, None): RequestError,
    (422, "idempotency_key_reused"): KeyReusedError,
    (422, None): RequestError,
    (429, "insufficient_quota"): QuotaError,
    (429, "rate_limit_exceeded"): RateLimitedError,
    (500, None): UnavailableError,
    (504, None): UnavailableError,
}


@pytest.mark.parametrize("case", STATUSES)
def test_each_answer_is_the_error_that_says_what_to_do(case, client, service) -> None:
    status, code = case
    error = {"error": {"message": "size: 33x32 is not allowed", "type": "t", "param": None, "code": code}}
    service.trouble("GET", "/videos", times=9, status=status, body=error, headers={"x-should-retry": "false"})
    with pytest.raises(STATUSES[case]) as failure:
        client.list()
    assert type(failure.value) is STATUSES[case]
    assert failure.value.message == "size: 33x32 is not allowed"
    assert "req_1" in failure.value.detail


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"error": "x"}', b'{"detail": "Not Found"}', b"[" * 100_000])
def test_a_strangers_error_page_is_still_an_error(body, client, service) -> None:
    service.trouble("GET", "/videos", status=404, body=body)
    with pytest.raises(NotFoundError, match="status 404"):
        client.list()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{}", b'{"id": 1, "status": "queued"}', b"\xff\xfe", b"[" * 100_000])
def test_an_address_that_is_no_cinelet_service_says_so(body, client, service) -> None:
    service.trouble("GET", "/videos/", times=2, status=200, body=body)
    with pytest.raises(UnavailableError, match="is it a cinelet service"):
        client.get("video_local_1")


def test_an_answer_without_end_is_cut_off(client, service) -> None:
    service.trouble("GET", "/videos/", status=200, body=b" " * (17 << 20))
    with pytest.raises(UnavailableError, match="larger than"):
        client.get("video_local_1")


@pytest.mark.parametrize("job_id", ["", "..", "../models", "a/b", "a?b", "a b", "ä", "a" * 201, "a\n"])
def test_what_cannot_be_an_id_never_reaches_a_path(job_id, client, service) -> None:
    for call in (client.get, client.cancel, client.delete, client.wait, client.content):
        with pytest.raises(InvalidValueError):
            call(job_id)
    assert service.seen == []


@pytest.mark.parametrize("key", ["", "a b", "a\r\nx: y", "ä", "k" * 256])
def test_what_cannot_be_a_header_is_refused_as_key(key, client, service) -> None:
    with pytest.raises(InvalidValueError, match="idempotency_key"):
        client.submit(CAR, idempotency_key=key)


def test_jobs_are_listed_page_by_page(client, service) -> None:
    ids = [client.submit(CAR).id for _ in range(5)]
    first = client.list(limit=3)
    second = client.list(limit=3, after=first.last_id)
    assert [job.id for job in (*first.jobs, *second.jobs)] == ids[::-1]
    assert (first.has_more, second.has_more) == (True, False)


def test_cancelling_keeps_the_record(client, service) -> None:
    service.hold_all = True
    job = client.submit(CAR)
    assert client.cancel(job.id).state == "cancelled"
    done = client.wait(job.id)
    assert (done.status, done.error_code) == ("failed", "cancelled")
    with pytest.raises(ConflictError, match="cancelled by the caller"):
        done.raise_for_failure()


def test_a_deletion_whose_answer_was_lost_is_a_deletion(client, service) -> None:
    job = client.submit(CAR)
    service.trouble("DELETE", "/videos", drop="after")
    client.delete(job.id)
    assert service.jobs == {}
    with pytest.raises(NotFoundError):
        client.delete(job.id)


def test_a_retry_is_another_job(client, service) -> None:
    job = client.submit(CAR)
    assert client.retry(job.id).id != job.id
    assert service.calls("POST", "/retry$")[0].headers["idempotency-key"]


def test_estimate_and_models(client) -> None:
    assert client.estimate(CAR)["gpu_seconds"] == 4.5
    assert client.models()[0]["id"] == "pocket"


def test_text_to_video_is_one_call(client) -> None:
    assert client.text_to_video("a red car", num_inference_steps=8) == CLIP


def test_waiting_tells_progress_and_gives_up_in_time(client, service, clock) -> None:
    job = client.submit(CAR)
    seen: list[int] = []
    assert client.wait(job.id, lambda news: seen.append(news.progress)).status == "completed"
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert len(seen) == TICKS + 1
    service.hold_all = True
    service.poll_after_ms = 1500
    held = client.submit(CAR)
    began = clock.now
    with pytest.raises(TimedOutError, match="goes on"):
        client.wait(held.id, timeout_s=20)
    assert clock.now - began == pytest.approx(20)


def test_too_much_for_memory_goes_to_a_file_instead(client, service, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("cinelet.sdk.client.MAX_CONTENT_BYTES", 1000)
    job = client.submit(CAR)
    client.wait(job.id)
    with pytest.raises(TooLargeError):
        client.content(job.id)
    assert client.download(job.id, tmp_path / "clip.mp4").stat().st_size == len(CLIP)


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(client, service, tmp_path) -> None:
    job = client.submit(CAR)
    with pytest.raises(NotReadyError):
        client.download(job.id, tmp_path / "clip.mp4")
    for place in (tmp_path / "no" / "clip.mp4", tmp_path):
        with pytest.raises(InvalidValueError, match="output"):
            client.download(job.id, place)
    assert list(tmp_path.iterdir()) == []


def test_an_odd_video_object_is_read_as_far_as_it_goes(client, service) -> None:
    odd = {
        "id": "video_1",
        "status": "queued",
        "seed": "x",
        "progress": None,
        "error": "bad",
        "warnings": 3,
        "size": "big",
        "eta_seconds": [],
    }
    service.trouble("GET", "/videos/", status=200, body=json.dumps(odd).encode())
    job = client.get("video_1")
    assert (job.seed, job.progress, job.error_code, job.warnings, job.size, job.plan) == (None, 0, None, (), None, None)
