"""The contract itself over bare HTTP: the rules that break some client when they are missed, and the service's own extras."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.support.service import Service

Ended = Callable[..., dict[str, Any]]
Made = Callable[..., dict[str, Any]]

UNKNOWN = "video_local_01J9ZX3V0Q8M5T6W7Y2R4K1N0B"
QUICK = {"num_inference_steps": 2}


@pytest.fixture
def make(http: httpx2.Client) -> Made:
    """A finished clip."""

    def made(**fields: Any) -> dict[str, Any]:
        video: dict[str, Any] = http.post("/v1/videos", json={"prompt": "a cat", **QUICK, **fields}, headers={"prefer": "wait=60"}).json()
        assert video["status"] == "completed", video
        return video

    return made


def http_at(service: Service, key: str) -> httpx2.Client:
    return httpx2.Client(base_url=service.url, headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=60)


@pytest.fixture
def ann(guarded: Service, keys: dict[str, str]) -> Iterator[httpx2.Client]:
    """Ann, where clips take long."""
    with http_at(guarded, keys["ann"]) as client:
        yield client


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Kind, object and id of each event of a stream."""
    kind, mark = "", None
    for line in lines:
        name, _, value = line.partition(": ")
        match name:
            case "id":
                mark = value
            case "event":
                kind = value
            case "data":
                yield kind, json.loads(value), mark
                mark = None


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"prompt": "a cat", "seconds": 2, "seed": 3}},
        {"data": {"prompt": "a cat", "seconds": "2", "seed": "3"}},
        {"files": {"prompt": (None, "a cat"), "seconds": (None, "2"), "seed": (None, "3")}},
        {"json": {"prompt": "a cat", "extra_body": {"seconds": 2}, "extra_params": '{"seed": 3}'}},
    ],
    ids=["json", "urlencoded", "multipart", "wrapped"],
)
def test_one_route_takes_every_encoding_and_answers_200(http: httpx2.Client, sent: dict[str, Any]) -> None:
    answer = http.post("/v1/videos", **sent)
    assert answer.status_code == 200
    video = answer.json()
    assert (video["prompt"], video["seconds"], video["seed"], video["warnings"]) == ("a cat", "2", 3, [])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/model_info", 404),
        ("PATCH", "/v1/videos", 405),
        ("GET", "/v1/videos?limit=many", 400),
        ("GET", "/v1/videos?limit=101", 400),
        ("GET", "/v1/videos?order=up", 400),
        ("GET", "/v1/videos/video_x", 404),
        ("GET", "/v1/videos/%00", 404),
        ("POST", "/v1/videos", 400),
        ("GET", "/v1/files/a/b/c", 400),
    ],
)
def test_every_error_has_the_one_body_and_a_request_id(http: httpx2.Client, method: str, path: str, status: int) -> None:
    answer = http.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/health", "/version", "/metrics", "/openapi.json", "/studio/", "/v1/models", "/v1/queue"]
)
def test_every_answer_has_a_request_id_of_its_own(http: httpx2.Client, path: str) -> None:
    ids = {http.get(path).raise_for_status().headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_body_that_cannot_be_read_is_refused_and_nothing_is_made(http: httpx2.Client) -> None:
    for content, headers, status in (
        (b"{", {"content-type": "application/json"}, 400),
        (b"x", {"content-type": "application/json", "content-encoding": "gzip"}, 415),
        (b"x", {"content-type": "text/plain"}, 415),
        (b'{"prompt": "a", "seed": NaN}', {"content-type": "application/json"}, 422),
        (b'{"prompt": "a", "seed": 9223372036854775808}', {"content-type": "application/json"}, 422),
        (b'{"prompt": "\\ud800"}', {"content-type": "application/json"}, 422),
    ):
        assert http.post("/v1/videos", content=content, headers=headers).status_code == status, content


def test_nothing_is_negotiated(http: httpx2.Client, make: Made) -> None:
    video = make()
    content = http.get(f"/v1/videos/{video['id']}/content", headers={"accept": "application/binary"})
    assert (content.status_code, content.headers["content-type"]) == (200, "video/mp4")
    assert "content-encoding" not in content.headers
    gone = http.request("DELETE", f"/v1/videos/{video['id']}", headers={"content-type": "application/json"})
    assert gone.json() == {"id": video["id"], "object": "video.deleted", "deleted": True}


def test_the_url_of_a_clip_is_absolute_and_opens_with_the_clients_own_key(http: httpx2.Client, make: Made) -> None:
    video = make()
    assert video["url"] == str(http.base_url.join(f"/v1/videos/{video['id']}/content"))
    assert http.get(video["url"], headers={"authorization": "Bearer any"}).content[4:8] == b"ftyp"


def test_looking_is_not_counted_as_submitting(guarded: Service, keys: dict[str, str]) -> None:
    with http_at(guarded, keys["hasty"]) as hasty:
        for path, status in (("", 200), (f"/{UNKNOWN}", 404), (f"/{UNKNOWN}/content", 404)):
            assert {hasty.get(f"/v1/videos{path}").status_code for _ in range(10)} == {status}


def test_a_limited_tenant_is_told_when_to_come_back(guarded: Service, keys: dict[str, str]) -> None:
    with http_at(guarded, keys["full"]) as full:
        answer = full.post("/v1/videos", json={"prompt": "a cat"})
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["retry-after-ms"]) == (429, "10", "10000")
    assert "x-should-retry" not in answer.headers
    with http_at(guarded, keys["poor"]) as poor:
        answer = poor.post("/v1/videos", json={"prompt": "a cat"})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (429, "false")
    with http_at(guarded, keys["hasty"]) as hasty:
        answers = [hasty.post("/v1/videos", json={}) for _ in range(2)]
    assert answers[-1].status_code == 429
    wait_s = int(answers[-1].headers["retry-after"])
    assert wait_s >= 1
    assert (answers[-1].headers.get("x-should-retry") == "false") == (wait_s > 60)


def test_a_cancelled_clip_is_failed_with_its_own_code(ann: httpx2.Client) -> None:
    running = ann.post("/v1/videos", json={"prompt": "a cat"}).json()
    cancelled = ann.post(f"/v1/videos/{running['id']}/cancel").json()
    assert (cancelled["status"], cancelled["x_state"], cancelled["error"]["code"]) == ("failed", "cancelled", "cancelled")
    assert ann.get(f"/v1/videos/{running['id']}").status_code == 200
    assert ann.get(f"/v1/videos/{running['id']}/content").json()["error"]["type"] == "not_found_error"


def test_a_finished_clip_cannot_be_cancelled_any_more(http: httpx2.Client, make: Made) -> None:
    video = make()
    assert http.post(f"/v1/videos/{video['id']}/cancel").json()["status"] == "completed"


def test_parts_of_a_clip_and_unchanged_clips_are_served_as_browsers_ask(http: httpx2.Client, make: Made) -> None:
    address = f"/v1/videos/{make()['id']}/content"
    whole = http.get(address)
    size, etag = len(whole.content), whole.headers["etag"]
    assert (whole.headers["accept-ranges"], whole.headers["content-length"]) == ("bytes", str(size))

    def part(wanted: str, **headers: str) -> httpx2.Response:
        return http.get(address, headers={"range": wanted, **headers})

    for wanted, start, stop in (("bytes=0-3", 0, 4), ("bytes=4-", 4, size), ("bytes=-5", size - 5, size), ("bytes=9-999999999", 9, size)):
        answer = part(wanted)
        assert (answer.status_code, answer.content) == (206, whole.content[start:stop]), wanted
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    for wanted in (f"bytes={size}-", "bytes=-0", "bytes=0-1,3-4"):
        answer = part(wanted)
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}"), wanted
    assert part("bytes=0-3", **{"if-range": etag}).status_code == 206
    assert part("bytes=0-3", **{"if-range": '"another"'}).status_code == 200
    unchanged = http.get(address, headers={"if-none-match": f'"another", {etag}'})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
    head = http.head(address)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")


def test_digits_name_the_output_as_load_tools_do(http: httpx2.Client, make: Made) -> None:
    address = f"/v1/videos/{make()['id']}/content"
    assert http.get(address, params={"variant": "0"}).content == http.get(address).content


def test_create_may_be_held_until_the_clip_is_there(http: httpx2.Client, ann: httpx2.Client) -> None:
    body = {"prompt": "a cat", **QUICK}
    answer = http.post("/v1/videos", json=body, headers={"prefer": "respond-async, wait=60"})
    assert (answer.json()["status"], answer.headers["preference-applied"]) == ("completed", "wait=60")
    slow = ann.post("/v1/videos", json=body | {"num_inference_steps": 100}, headers={"prefer": "wait=1"})
    assert (slow.status_code, slow.json()["status"] in {"queued", "in_progress"}) == (200, True)
    assert int(slow.headers["openai-poll-after-ms"]) >= 1000
    ann.delete(f"/v1/videos/{slow.json()['id']}")


def test_sync_answers_with_the_file(http: httpx2.Client) -> None:
    answer = http.post("/v1/videos/sync", json={"prompt": "a cat", **QUICK})
    assert (answer.status_code, answer.headers["content-type"], answer.content[4:8]) == (200, "video/mp4", b"ftyp")
    assert answer.headers["x-model"] == "pocket"
    assert float(answer.headers["x-inference-time-s"]) >= 0
    assert isinstance(json.loads(answer.headers["x-stage-durations"]), dict)
    assert float(answer.headers["x-peak-memory-mb"]) >= 0
    assert http.get(f"/v1/videos/{answer.headers['x-video-id']}").json()["status"] == "completed"


def test_an_estimate_makes_nothing(http: httpx2.Client) -> None:
    def newest() -> str:
        return str(http.get("/v1/videos", params={"limit": 1}).json()["first_id"])

    before = newest()
    quote = http.post("/v1/videos/estimate", json={"prompt": "a cat", "seconds": "2"}).json()
    assert (quote["object"], quote["num_frames"], quote["num_inference_steps"]) == ("video.estimate", 16, 16)
    assert quote["gpu_seconds"] > 0
    assert quote["eta_seconds"] >= quote["gpu_seconds"]
    assert newest() == before


def test_the_stream_of_a_clip_tells_all_of_its_life(http: httpx2.Client) -> None:
    video = http.post("/v1/videos", json={"prompt": "a cat", "num_inference_steps": 100}).json()
    with http.stream("GET", f"/v1/videos/{video['id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no"
        seen = [(kind, shown) for kind, shown, _ in events(stream.iter_lines())]
    kinds = [kind for kind, _ in seen]
    assert kinds[0] in {"video.queued", "video.in_progress"}
    assert kinds[-1] == "video.completed"
    assert set(kinds) <= {"video.queued", "video.in_progress", "video.progress", "video.preview", "video.completed"}
    progress = [shown["progress"] for _, shown in seen]
    assert progress == sorted(progress)
    assert max(progress[:-1]) <= 99
    assert progress[-1] == 100


def test_a_stream_of_all_clips_goes_on_where_it_broke(http: httpx2.Client) -> None:
    with http.stream("GET", "/v1/videos/events", headers={"last-event-id": "0"}) as stream:
        kind, _, first = next(events(stream.iter_lines()))
    assert kind == "video.queued"
    assert first is not None
    video = http.post("/v1/videos", json={"prompt": "a cat", **QUICK}).json()
    missed: list[tuple[str, int]] = []
    with http.stream("GET", "/v1/videos/events", headers={"last-event-id": first}) as stream:
        for kind, shown, mark in events(stream.iter_lines()):
            if mark is not None:
                assert int(mark) > int(first)
            if shown["id"] == video["id"] and mark is not None:
                missed.append((kind, int(mark)))
            if (kind, shown["id"]) == ("video.completed", video["id"]):
                break
    assert [kind for kind, _ in missed] == ["video.queued", "video.in_progress", "video.completed"]
    assert [mark for _, mark in missed] == sorted(mark for _, mark in missed)


def test_the_stream_of_an_unknown_clip_is_a_404(http: httpx2.Client) -> None:
    assert http.get(f"/v1/videos/{UNKNOWN}/events").status_code == 404


def test_what_is_offered_is_described(http: httpx2.Client) -> None:
    [model] = http.get("/v1/videos/models").json()["data"]
    assert model["id"] == "pocket"
    assert "160x96" in model["supported_sizes"]
    assert (model["vae_tiers"], model["step_caches"]) == (["full", "half", "tiny"], ["off", "mild", "strong"])
    assert [lora["name"] for lora in model["loras"]] == ["night"], "what pocket-fast is made with is no style"
    assert model["generate_audio"] is False
