"""The gRPC door, over a real socket: the same jobs, words and refusals as over HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.gateway import answer
from cinelet.gateway.rpc import service
from cinelet.gateway.rpc.server import RpcServer
from cinelet.gateway.rpc.service import Videos
from cinelet.gateway.rpc.videos_pb2 import (
    CancelVideoRequest,
    CreateVideoRequest,
    DownloadVideoRequest,
    GetVideoRequest,
    ListVideosRequest,
    Video,
    WatchVideoRequest,
)
from cinelet.jobs import Tenant
from tests.support.rpc_house import PUBLIC_URL, Client, RpcHouse

UNKNOWN = "video_local_01J9ZX3V0Q8M5T6W7Y2R4K1N0B"
RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "cinelet.v1.Videos"}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.01s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
CLIP = bytes(range(256)) * 9000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RpcHouse]:
    house = RpcHouse(tmp_path)
    yield house
    house.close()


@pytest.fixture
def channel(house: RpcHouse) -> Iterator[grpc.Channel]:
    with house.channel() as channel:
        yield channel


@pytest.fixture
def ann(house: RpcHouse, channel: grpc.Channel) -> Client:
    return Client(channel, house.keys["ann"])


@pytest.fixture
def bob(house: RpcHouse, channel: grpc.Channel) -> Client:
    return Client(channel, house.keys["bob"])


@pytest.fixture
def create(ann: Client) -> Callable[..., Video]:
    """Ann submits."""
    return lambda **fields: ann.call("Create", CreateVideoRequest(**{"prompt": "a red fox", **fields}))


def refusal(call: Callable[[], Any]) -> tuple[StatusCode, dict[str, str], str]:
    """Status, trailing metadata and message of a refused call; of a stream, once it is read."""
    with pytest.raises(grpc.RpcError) as caught:
        list(answer) if isinstance(answer := call(), Iterator) else answer
    error: Any = caught.value
    return error.code(), dict(error.trailing_metadata()), error.details()


def test_a_created_video_is_the_one_that_http_would_show(house: RpcHouse, create: Callable[..., Video]) -> None:
    made = create(seed=7, num_frames=9, fps=8, guidance_scale=3.5, metadata={"campaign": "spring", "take": 2, "final": True})
    view = house.run(house.desk.archive.view(house.store.register.get(made.id, "ann")))
    shown = answer.video(view, PUBLIC_URL)
    assert json_format.MessageToDict(made, preserving_proto_field_name=True)["metadata"] == {"campaign": "spring", "take": 2, "final": True}
    assert (made.status, made.x_state, made.object) == ("queued", "available", "video")
    assert (made.seed, made.num_frames, made.fps, made.guidance_scale) == (7, 9, 8, 3.5)
    assert (made.prompt, made.model, made.size, made.seconds) == (shown["prompt"], shown["model"], shown["size"], shown["seconds"])
    assert not made.HasField("completed_at")
    assert not made.HasField("url")


def test_a_finished_video_carries_its_numbers(house: RpcHouse, ann: Client, create: Callable[..., Video]) -> None:
    job_id = create().id
    house.finish(house.begin(job_id), CLIP)
    done = ann.call("Get", GetVideoRequest(id=job_id))
    assert (done.status, done.progress, done.num_outputs) == ("completed", 100, 1)
    assert done.url == f"{PUBLIC_URL}v1/videos/{job_id}/content"
    assert dict(done.stage_durations) == {"denoise_high": 1.5}
    assert (done.inference_time_s, done.peak_memory_mb) == (2.0, 3.0)
    assert done.completed_at > 0


def test_pages_follow_each_other(ann: Client, bob: Client, create: Callable[..., Video]) -> None:
    ids = [create().id for _ in range(3)]
    first = ann.call("List", ListVideosRequest(limit=2, order="asc"))
    second = ann.call("List", ListVideosRequest(limit=2, order="asc", after=first.videos[-1].id))
    assert [video.id for video in (*first.videos, *second.videos)] == ids
    assert (first.has_more, second.has_more) == (True, False)
    assert [video.id for video in ann.call("List", ListVideosRequest()).videos] == ids[::-1]
    assert len(bob.call("List", ListVideosRequest()).videos) == 0


def test_a_cancelled_video_is_failed_with_the_reason(ann: Client, create: Callable[..., Video]) -> None:
    stopped = ann.call("Cancel", CancelVideoRequest(id=create().id))
    assert (stopped.status, stopped.x_state, stopped.error.code) == ("failed", "cancelled", "cancelled")


def test_the_same_key_is_the_same_job_and_another_request_under_it_is_refused(ann: Client, create: Callable[..., Video]) -> None:
    first = create(idempotency_key="k1")
    assert create(idempotency_key="k1").id == first.id
    code, notes, _ = refusal(lambda: create(idempotency_key="k1", prompt="a blue fox"))
    assert (code, notes["cinelet-code"]) == (StatusCode.ALREADY_EXISTS, "idempotency_key_reused")
    assert len(ann.call("List", ListVideosRequest()).videos) == 1


def test_a_call_that_the_clients_library_repeats_is_the_same_job_without_a_key(
    house: RpcHouse, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is lost after the commit; the library's own retry says in its metadata that it is one."""
    create, tries = house.desk.create, []

    async def lose_the_first_answer(*args: Any, **fields: Any) -> Any:
        view = await create(*args, **fields)
        tries.append(view.job.id)
        if len(tries) == 1:
            raise UnavailableError("the answer is lost")
        return view

    monkeypatch.setattr(house.desk, "create", lose_the_first_answer)
    with house.channel(("grpc.service_config", RETRIES)) as retrying:
        made = Client(retrying, house.keys["ann"]).call("Create", CreateVideoRequest(prompt="a red fox"))
    assert tries == [made.id, made.id]
    assert len(ann.call("List", ListVideosRequest()).videos) == 1


def test_a_deadline_that_passes_during_the_commit_loses_no_job(house: RpcHouse, ann: Client, create: Callable[..., Video]) -> None:
    request = CreateVideoRequest(prompt="a red fox", idempotency_key="k1")
    house.accept_gate.clear()
    code, _, _ = refusal(lambda: ann.call("Create", request, timeout_s=1.0))
    assert code is StatusCode.DEADLINE_EXCEEDED
    house.accept_gate.set()
    found = ann.call("Create", request)
    assert [video.id for video in ann.call("List", ListVideosRequest()).videos] == [found.id]
    assert found.status == "queued"


@pytest.mark.parametrize(
    ("verb", "request_type"),
    [("Get", GetVideoRequest), ("Cancel", CancelVideoRequest), ("Watch", WatchVideoRequest), ("Download", DownloadVideoRequest)],
)
def test_anothers_video_is_as_unknown_as_one_that_never_was(
    bob: Client, create: Callable[..., Video], verb: str, request_type: Any
) -> None:
    theirs = create().id
    code, notes, message = refusal(lambda: bob.call(verb, request_type(id=theirs)))
    other_code, other_notes, other_message = refusal(lambda: bob.call(verb, request_type(id=UNKNOWN)))
    assert code is other_code is StatusCode.NOT_FOUND
    assert notes["cinelet-code"] == other_notes["cinelet-code"] == "not_found"
    assert message.replace(theirs, UNKNOWN) == other_message


@pytest.mark.parametrize("id_", ["", "../../etc/passwd", "video_local_", "x" * 10_000, "video_local_\0"])
def test_what_is_no_id_is_not_found(ann: Client, id_: str) -> None:
    assert refusal(lambda: ann.call("Get", GetVideoRequest(id=id_)))[0] is StatusCode.NOT_FOUND


@pytest.mark.parametrize("key", [None, "cinelet_" + "A" * 43, "no key at all"])
@pytest.mark.parametrize(
    ("verb", "request_"),
    [
        ("Create", CreateVideoRequest(prompt="a fox")),
        ("Get", GetVideoRequest(id=UNKNOWN)),
        ("List", ListVideosRequest()),
        ("Cancel", CancelVideoRequest(id=UNKNOWN)),
        ("Watch", WatchVideoRequest(id=UNKNOWN)),
        ("Download", DownloadVideoRequest(id=UNKNOWN)),
    ],
)
def test_every_method_asks_for_a_good_key(channel: grpc.Channel, key: str | None, verb: str, request_: Any) -> None:
    code, notes, _ = refusal(lambda: Client(channel, key).call(verb, request_))
    assert (code, notes["cinelet-code"]) == (StatusCode.UNAUTHENTICATED, "invalid_api_key")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 5000}, "prompt"),
        ({"prompt": "nul \0"}, "prompt"),
        ({"user": "nul \0"}, "user"),
        ({"size": "7x7x7"}, "size"),
        ({"num_frames": -1}, "num_frames"),
        ({"guidance_scale": math.nan}, "guidance_scale"),
        ({"seconds": math.inf}, "seconds"),
        ({"metadata": {"a": math.inf}}, "metadata"),
        ({"metadata": {"a": {"b": "c"}}}, "metadata.a"),
        ({"preset": "best"}, "preset"),
        ({"callback_url": "http://169.254.169.254/"}, None),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "k" * 256}, "idempotency_key"),
        ({"seed": 2**63 - 1, "variation_seed": -5}, "variation_seed"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_accepted(
    ann: Client, create: Callable[..., Video], fields: dict[str, Any], param: str | None
) -> None:
    code, notes, message = refusal(lambda: create(**fields))
    assert code is StatusCode.INVALID_ARGUMENT
    assert param is None or notes["cinelet-param"] == param
    assert message
    assert len(ann.call("List", ListVideosRequest()).videos) == 0


def test_an_unknown_model_is_not_found(create: Callable[..., Video]) -> None:
    code, notes, _ = refusal(lambda: create(model="sora-9000"))
    assert (code, notes["cinelet-code"], notes["cinelet-param"]) == (StatusCode.NOT_FOUND, "model_not_found", "model")


@pytest.mark.parametrize("fields", [{"limit": 101}, {"limit": -1}, {"order": "sideways"}, {"after": UNKNOWN}])
def test_a_bad_page_is_refused(ann: Client, fields: dict[str, Any]) -> None:
    code, notes, _ = refusal(lambda: ann.call("List", ListVideosRequest(**fields)))
    assert (code, notes["cinelet-param"]) == (StatusCode.INVALID_ARGUMENT, next(iter(fields)))


def test_a_rate_is_held_and_says_when_to_come_back(house: RpcHouse, create: Callable[..., Video]) -> None:
    house.store.tenants.put(Tenant(id="ann", requests_per_minute=1, tier="vip"))
    create()
    code, notes, _ = refusal(create)
    assert (code, notes["cinelet-code"]) == (StatusCode.RESOURCE_EXHAUSTED, "rate_limit_exceeded")
    assert 0 < int(notes["retry-after-ms"]) <= 60_000
    assert counted(house, "cinelet_rate_limited_total", tier="vip") == 1


def test_a_request_beyond_the_bound_is_refused_and_the_next_is_served(create: Callable[..., Video]) -> None:
    assert refusal(lambda: create(prompt="x" * (4 << 20)))[0] is StatusCode.RESOURCE_EXHAUSTED
    assert create().status == "queued"


def test_a_watcher_sees_every_change_and_the_end(house: RpcHouse, ann: Client, create: Callable[..., Video]) -> None:
    job_id = create(num_inference_steps=4).id
    stream = ann.call("Watch", WatchVideoRequest(id=job_id))
    assert next(stream).status == "queued"
    lease = house.begin(job_id)
    assert next(stream).status == "in_progress"
    house.advance(lease, 2)
    seen = next(stream)
    assert (seen.current_step, seen.stage) == (2, "denoise_high")
    house.finish(lease, CLIP)
    assert [video.status for video in stream] == ["completed"]


def test_a_watchers_deadline_ends_the_stream_and_not_the_job(house: RpcHouse, ann: Client, create: Callable[..., Video]) -> None:
    job_id = create().id
    code, _, _ = refusal(lambda: ann.call("Watch", WatchVideoRequest(id=job_id), timeout_s=0.5))
    assert code is StatusCode.DEADLINE_EXCEEDED
    house.finish(house.begin(job_id), CLIP)
    assert ann.call("Get", GetVideoRequest(id=job_id)).status == "completed"


def test_an_account_has_so_many_streams_and_gets_them_back(
    house: RpcHouse, ann: Client, bob: Client, create: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_STREAMS", 1)
    job_id = create().id
    held = ann.call("Watch", WatchVideoRequest(id=job_id))
    next(held)
    code, notes, _ = refusal(lambda: ann.call("Watch", WatchVideoRequest(id=job_id)))
    assert (code, notes["cinelet-code"]) == (StatusCode.RESOURCE_EXHAUSTED, "rate_limit_exceeded")
    theirs = bob.call("Create", CreateVideoRequest(prompt="a fox")).id
    assert next(bob.call("Watch", WatchVideoRequest(id=theirs))).id == theirs
    house.finish(house.begin(job_id), CLIP)
    assert [video.status for video in held][-1] == "completed"
    assert [video.status for video in ann.call("Watch", WatchVideoRequest(id=job_id))] == ["completed"]


def test_a_client_that_leaves_frees_its_stream(
    house: RpcHouse, ann: Client, create: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_STREAMS", 1)
    job_id = create().id
    held = ann.call("Watch", WatchVideoRequest(id=job_id))
    next(held)
    held.cancel()
    while refusal(lambda: ann.call("Watch", WatchVideoRequest(id=job_id), timeout_s=0.2))[0] is not StatusCode.DEADLINE_EXCEEDED:
        pass
    assert counted(house, "cinelet_http_requests_total", route="/cinelet.v1.Videos/Watch", method="POST", status_class="4xx") >= 1


@pytest.mark.parametrize("variant", ["", "0", "video"])
def test_a_clip_comes_in_pieces_after_what_it_is(house: RpcHouse, ann: Client, create: Callable[..., Video], variant: str) -> None:
    job_id = create().id
    house.finish(house.begin(job_id), CLIP)
    first, *rest = ann.call("Download", DownloadVideoRequest(id=job_id, variant=variant))
    assert (first.content.content_type, first.content.size_bytes, first.content.filename) == ("video/mp4", len(CLIP), f"{job_id}.mp4")
    assert len(first.content.etag) == 64
    assert len(rest) > 1
    assert b"".join(part.data for part in rest) == CLIP


@pytest.mark.parametrize("offset", [1, 1_500_000, len(CLIP) - 1, len(CLIP)])
def test_a_download_goes_on_where_it_broke(house: RpcHouse, ann: Client, create: Callable[..., Video], offset: int) -> None:
    job_id = create().id
    house.finish(house.begin(job_id), CLIP)
    first, *rest = ann.call("Download", DownloadVideoRequest(id=job_id, offset=offset))
    assert first.content.size_bytes == len(CLIP)
    assert b"".join(part.data for part in rest) == CLIP[offset:]


@pytest.mark.parametrize("offset", [-1, len(CLIP) + 1])
def test_a_download_from_outside_is_refused(house: RpcHouse, ann: Client, create: Callable[..., Video], offset: int) -> None:
    job_id = create().id
    house.finish(house.begin(job_id), CLIP)
    code, notes, _ = refusal(lambda: ann.call("Download", DownloadVideoRequest(id=job_id, offset=offset)))
    assert (code, notes["cinelet-param"]) == (StatusCode.INVALID_ARGUMENT, "offset")


def test_a_clip_that_is_not_there_yet_or_not_there_at_all(ann: Client, create: Callable[..., Video]) -> None:
    job_id = create().id
    code, notes, _ = refusal(lambda: ann.call("Download", DownloadVideoRequest(id=job_id)))
    assert (code, notes["cinelet-code"]) == (StatusCode.FAILED_PRECONDITION, "video_not_ready")
    code, notes, _ = refusal(lambda: ann.call("Download", DownloadVideoRequest(id=job_id, variant="soundtrack")))
    assert (code, notes["cinelet-param"]) == (StatusCode.INVALID_ARGUMENT, "variant")


def test_a_bug_of_ours_tells_its_id_and_nothing_else(house: RpcHouse, ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.desk.archive, "get", lambda *_: 1 / 0)
    code, notes, message = refusal(lambda: ann.call("Get", GetVideoRequest(id=UNKNOWN)))
    assert (code, notes["cinelet-code"]) == (StatusCode.INTERNAL, "internal")
    assert notes["x-request-id"].startswith("req_")
    assert "division" not in message


def test_health_and_reflection_need_no_key(house: RpcHouse, channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    ask = health_pb2.HealthCheckRequest(service="cinelet.v1.Videos")
    assert health.Check(ask).status == health_pb2.HealthCheckResponse.SERVING
    house.run(house.server.tell(is_serving=False))
    assert health.Check(ask).status == health_pb2.HealthCheckResponse.NOT_SERVING
    reflected = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
        iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    )
    assert "cinelet.v1.Videos" in [service.name for service in next(reflected).list_services_response.service]


def test_reflection_can_be_left_out(house: RpcHouse) -> None:
    ask = iter([reflection_pb2.ServerReflectionRequest(list_services="")])

    async def status() -> StatusCode:
        async with (
            RpcServer(Videos(house.door, house.metrics), "127.0.0.1:0", has_reflection=False) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            return await reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(ask).code()

    assert house.run(status()) is StatusCode.UNIMPLEMENTED


def test_a_port_that_is_taken_is_an_error_and_not_shared(house: RpcHouse) -> None:
    async def start() -> None:
        await RpcServer(Videos(house.door, house.metrics), f"127.0.0.1:{house.server.port}").start()

    with pytest.raises(InvalidValueError, match="rpc_address"):
        house.run(start())


def test_a_stopping_server_says_so_first(house: RpcHouse, channel: grpc.Channel) -> None:
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""), timeout=20)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    house.run(house.server.stop(grace_s=1))
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING


def counted(house: RpcHouse, name: str, **labels: str) -> float:
    """A number of the metrics page."""
    families = text_string_to_metric_families(house.metrics.page().decode())
    return next((s.value for family in families for s in family.samples if s.name == name and s.labels == labels), 0.0)
