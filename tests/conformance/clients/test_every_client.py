"""What openai-python 3.52.0, openai-python 2.3.0 and openai-node 6.49.0 do with the service, each of them the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from cinelet import errors
from cinelet.gateway.problems import problem
from tests.support.canned import canned_service
from tests.support.clients import Caller, StockClient, StockError
from tests.support.proxy import Loss, losing_proxy
from tests.support.service import Service

VIDEO_ID = re.compile(r"video_[a-z0-9]{1,12}_[0-9A-HJKMNP-TV-Z]{26}")
UNKNOWN = "video_local_01J9ZX3V0Q8M5T6W7Y2R4K1N0B"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
Ended = Callable[..., dict[str, Any]]


def refusal(call: Caller, verb: str, target: str | None = None, **what: Any) -> StockError:
    with pytest.raises(StockError) as caught:
        call(verb, target, **what)
    return caught.value


@pytest.fixture
def clip(call: Caller, service: Service, ended: Ended) -> str:
    """A finished one."""
    video_id = str(call("videos.create", prompt="a red balloon", seconds="1", extra={"num_inference_steps": 2, "seed": 1})["id"])
    assert ended(service, video_id)["status"] == "completed"
    return video_id


def test_a_clip_is_accepted_with_a_whole_video_object(call: Caller) -> None:
    answered = call.ask("videos.create", prompt="a red balloon", model="sora-2", seconds="1", size="160x96")
    video = answered.value
    assert VIDEO_ID.fullmatch(video["id"])
    assert (video["object"], video["model"], video["seconds"], video["size"]) == ("video", "pocket", "1", "160x96")
    assert video["status"] in {"queued", "in_progress"}
    assert isinstance(video["created_at"], int)
    assert isinstance(video["progress"], int)
    assert answered.request_id is not None
    assert answered.request_id.startswith("req_")


def test_a_finished_clip_tells_what_load_tools_read(call: Caller, clip: str) -> None:
    video = call("videos.retrieve", clip)
    assert (video["status"], video["progress"], video["error"]) == ("completed", 100, None)
    assert video["completed_at"] >= video["created_at"]
    assert (video["num_outputs"], video["duration_s"], video["num_frames"], video["fps"]) == (1, 1.0, 8, 8)
    assert video["inference_time_s"] >= 0
    assert video["peak_memory_mb"] >= 0
    assert all(isinstance(seconds, int | float) for seconds in video["stage_durations"].values())
    assert httpx2.get(video["url"], trust_env=False).content[4:8] == b"ftyp"


@pytest.mark.parametrize("seconds", [2, "2"])
def test_seconds_may_be_a_number_or_text(call: Caller, seconds: object) -> None:
    video = call("videos.create", prompt="a cat", seconds=seconds)
    assert (video["seconds"], video["num_frames"]) == ("2", 16)


def test_a_size_outside_openais_list_is_taken_if_the_model_can_draw_it(call: Caller) -> None:
    assert call("videos.create", prompt="a cat", size="192x128")["size"] == "192x128"


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"size": "1792x1024"}, "size"), ({"size": "large"}, "size"), ({"seconds": "60"}, "seconds"), ({"seconds": "long"}, "seconds")],
)
def test_a_value_the_model_has_no_use_for_is_refused_by_name(call: Caller, fields: dict[str, str], param: str) -> None:
    error = refusal(call, "videos.create", prompt="a cat", **fields)
    assert (error.kind, error.status, error.type) == ("BadRequestError", 400, "invalid_request_error")
    assert (error.param, error.code) == (param, f"invalid_{param}")
    assert next(iter(fields.values())) in error.message


def test_extra_fields_arrive_whatever_their_kind(call: Caller) -> None:
    extra = {
        "num_inference_steps": 4,
        "guidance_scale": 3.5,
        "seed": 2**40,
        "negative_prompt": "",
        "allow_degrade": True,
        "metadata": {"shop": "toys", "row": 7},
    }
    video = call("videos.create", prompt="a cat", extra=extra)
    assert (video["num_inference_steps"], video["guidance_scale"], video["seed"], video["negative_prompt"]) == (4, 3.5, 2**40, "")
    assert {name: str(value) for name, value in video["metadata"].items()} == {"shop": "toys", "row": "7"}
    assert video["warnings"] == []


def test_an_unknown_field_is_ignored_with_a_warning_or_refused_in_strict_mode(call: Caller) -> None:
    video = call("videos.create", prompt="a cat", extra={"tags": ["a", "b"]})
    assert [warning for warning in video["warnings"] if "tags" in warning]
    error = refusal(call, "videos.create", prompt="a cat", extra={"tags": ["a", "b"]}, headers={"x-cinelet-strict": "true"})
    assert (error.kind, error.code) == ("BadRequestError", "unknown_parameter")
    assert "tags" in (error.param or "")


@pytest.mark.parametrize("loras", ['[{"name": "x", "scale": 0.5}]', [{"name": "x", "scale": 0.5}]])
def test_an_unknown_lora_is_refused_and_not_lost(call: Caller, loras: object) -> None:
    error = refusal(call, "videos.create", prompt="a cat", extra={"loras": loras})
    assert (error.kind, error.param) == ("BadRequestError", "loras")
    assert "is unknown" in error.message


@pytest.mark.parametrize("fields", [{"input_reference": PNG}, {"extra": {"input_reference": {"image_url": "https://example.com/a.png"}}}])
def test_a_start_image_is_refused_with_the_models_name(call: Caller, fields: dict[str, Any]) -> None:
    error = refusal(call, "videos.create", prompt="a cat", **fields)
    assert (error.kind, error.param, error.code) == ("BadRequestError", "input_reference", "invalid_input_reference")
    assert "pocket takes no start image" in error.message


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_list_of_four_pages_is_walked_without_gap_or_double(
    stock: StockClient, guarded: Service, keys: dict[str, str], order: str
) -> None:
    call = stock.at(guarded.url, keys["bob"])
    made = [call("videos.create", prompt=f"clip {number}")["id"] for number in range(7)]
    try:
        pages = call("videos.list_pages", limit=2, order=order)
        assert [len(page) for page in pages] == [2, 2, 2, 1]
        assert [video_id for page in pages for video_id in page] == (made if order == "asc" else made[::-1])
    finally:
        for video_id in made:
            call("videos.delete", video_id)


def test_a_list_after_an_unknown_video_is_refused(call: Caller) -> None:
    error = refusal(call, "videos.list", after=UNKNOWN)
    assert (error.kind, error.param) == ("BadRequestError", "after")


def test_deleting_a_running_clip_stops_it_and_forgets_it(stock: StockClient, guarded: Service, keys: dict[str, str]) -> None:
    call = stock.at(guarded.url, keys["ann"])
    video_id = call("videos.create", prompt="a long one", extra={"num_inference_steps": 100})["id"]
    wait_running(guarded, video_id, keys["ann"])
    assert call("videos.delete", video_id) == {"id": video_id, "object": "video.deleted", "deleted": True}
    error = refusal(call, "videos.retrieve", video_id)
    assert (error.kind, error.status, error.type) == ("NotFoundError", 404, "not_found_error")


def test_a_finished_clip_is_deleted_with_its_files(call: Caller, clip: str) -> None:
    assert call("videos.delete", clip)["deleted"] is True
    assert refusal(call, "videos.download_content", clip).kind == "NotFoundError"
    assert refusal(call, "videos.delete", clip).kind == "NotFoundError"


def test_a_failed_clip_is_an_answer_and_no_error(call: Caller, service: Service, poisoned_id: str, ended: Ended) -> None:
    ended(service, poisoned_id)
    video = call("videos.retrieve", poisoned_id)
    assert (video["status"], video["x_state"], video["attempt"]) == ("failed", "failed", 3)
    assert set(video["error"]) >= {"code", "message"}


def test_video_thumbnail_and_spritesheet_are_downloaded(call: Caller, clip: str) -> None:
    answered = call.ask("videos.download_content", clip)
    assert answered.value[4:8] == b"ftyp"
    assert answered.request_id is not None
    for variant in ("thumbnail", "spritesheet"):
        picture = call("videos.download_content", clip, variant=variant)
        assert (picture[:4], picture[8:12]) == (b"RIFF", b"WEBP")
    assert refusal(call, "videos.download_content", clip, variant="sound").param == "variant"


def test_clips_in_a_bucket_are_downloaded_through_its_own_links(stock: StockClient, bucket_service: Service, ended: Ended) -> None:
    call = stock.at(bucket_service.url)
    video_id = call("videos.create", prompt="a cat", extra={"num_inference_steps": 2, "seed": 5})["id"]
    assert ended(bucket_service, video_id)["status"] == "completed"
    redirect = httpx2.get(f"{bucket_service.url}/v1/videos/{video_id}/content", trust_env=False)
    assert redirect.status_code == 302
    assert "Signature=" in redirect.headers["location"]
    assert call("videos.download_content", video_id)[4:8] == b"ftyp"
    assert call("videos.download_content", video_id, variant="thumbnail")[8:12] == b"WEBP"


def test_a_remix_keeps_settings_and_seed(call: Caller, clip: str) -> None:
    video = call("videos.remix", clip, prompt="the same at night")
    assert (video["remixed_from_video_id"], video["prompt"], video["seed"]) == (clip, "the same at night", 1)
    assert (video["num_inference_steps"], video["num_frames"]) == (2, 8)
    assert refusal(call, "videos.remix", UNKNOWN, prompt="at night").kind == "NotFoundError"


def test_models_are_listed_and_looked_up(call: Caller) -> None:
    [model] = call("models.list")["data"]
    assert (model["id"], model["object"]) == ("pocket", "model")
    assert call("models.retrieve", "pocket") == model
    assert refusal(call, "models.retrieve", "gpt-9").code == "model_not_found"


def test_without_a_good_key_nothing_is_shown(stock: StockClient, guarded: Service) -> None:
    error = refusal(stock.at(guarded.url, "cinelet_" + "x" * 43), "videos.create", prompt="a cat")
    assert (error.kind, error.status, error.code, error.type) == (
        "AuthenticationError",
        401,
        "invalid_api_key",
        "authentication_error",
    )
    assert error.request_id is not None


def test_a_stranger_is_told_what_he_is_told_of_an_unknown_clip(stock: StockClient, guarded: Service, keys: dict[str, str]) -> None:
    own, other = stock.at(guarded.url, keys["ann"]), stock.at(guarded.url, keys["bob"])
    video_id = own("videos.create", prompt="a secret")["id"]
    try:
        for verb in ("videos.retrieve", "videos.download_content", "videos.delete"):
            seen, unknown = refusal(other, verb, video_id), refusal(other, verb, UNKNOWN)
            assert (seen.kind, seen.code) == (unknown.kind, unknown.code) == ("NotFoundError", "not_found")
            assert seen.message.replace(video_id, UNKNOWN) == unknown.message
        assert [entry["id"] for entry in other("videos.list")["data"] if entry["id"] == video_id] == []
    finally:
        own("videos.delete", video_id)


def test_what_nothing_can_carry_is_unprocessable(call: Caller) -> None:
    error = refusal(call, "videos.create", prompt="a\x00cat")
    assert (error.kind, error.status, error.code, error.param) == ("UnprocessableEntityError", 422, "unusable_value", "prompt")


def test_an_unknown_model_is_not_found(call: Caller) -> None:
    error = refusal(call, "videos.create", prompt="a cat", model="gpt-9")
    assert (error.kind, error.code, error.param) == ("NotFoundError", "model_not_found", "model")


@pytest.mark.parametrize(
    ("tenant", "code"), [("full", "rate_limit_exceeded"), ("hasty", "rate_limit_exceeded"), ("poor", "insufficient_quota")]
)
def test_too_much_is_a_rate_limit_error(stock: StockClient, guarded: Service, keys: dict[str, str], tenant: str, code: str) -> None:
    call = stock.at(guarded.url, keys[tenant])
    refusal(call, "videos.create", prompt="a cat", size="none")  # the one call a minute that the hasty one has
    error = refusal(call, "videos.create", prompt="a cat")
    assert (error.kind, error.status, error.code) == ("RateLimitError", 429, code)


OVERLOAD = errors.RateLimitedError("queue: full", retry_after_s=0.01)
ANSWERS: list[tuple[errors.CineletError, str, int]] = [
    (errors.MalformedError("body: broken"), "BadRequestError", 1),
    (errors.InvalidValueError("size", "1x1", "must be larger"), "BadRequestError", 1),
    (errors.UnusableValueError("seed", 2**63, "must fit in 64 bits"), "UnprocessableEntityError", 1),
    (errors.TooLargeError("body", "9 GB", "must be smaller"), "APIStatusError", 1),
    (errors.UnsupportedMediaError("content-encoding", "br", "must be plain"), "APIStatusError", 1),
    (errors.AuthenticationError("authorization: missing"), "AuthenticationError", 1),
    (errors.PermissionDeniedError("models: not yours"), "PermissionDeniedError", 1),
    (errors.NotFoundError("video: unknown"), "NotFoundError", 1),
    (errors.NotReadyError("video: no content yet"), "NotFoundError", 1),
    (errors.GoneError("video: expired"), "APIStatusError", 1),
    (errors.ConflictError("video: is what it is"), "ConflictError", 1),
    (errors.ConflictError("video: in flight", retry_after_s=0.01), "ConflictError", 3),
    (errors.KeyReusedError("Idempotency-Key: used"), "UnprocessableEntityError", 1),
    (OVERLOAD, "RateLimitError", 3),
    (errors.RateLimitedError("queue: full", retry_after_s=600), "RateLimitError", 1),
    (errors.QuotaError("quota: used up"), "RateLimitError", 1),
    (errors.ModelFilesError("model.safetensors: damaged"), "InternalServerError", 1),
    (errors.UnavailableError("database: away", retry_after_s=0.01), "InternalServerError", 3),
    (errors.TimedOutError("video: not finished", retry_after_s=0.01), "InternalServerError", 3),
    (errors.InternalError("an invariant broke"), "InternalServerError", 1),
]


@pytest.mark.parametrize(("error", "kind", "num_requests"), ANSWERS, ids=[f"{type(error).__name__}-{num}" for error, _, num in ANSWERS])
def test_every_refusal_becomes_the_right_error_after_the_right_number_of_tries(
    stock: StockClient, error: errors.CineletError, kind: str, num_requests: int
) -> None:
    told = problem(error)
    with canned_service(told) as service:
        seen = refusal(stock.at(service.url, max_retries=2), "videos.create", prompt="a cat")
        assert service.num_requests == num_requests
    # openai-node has no class of its own for the rarer ones
    assert seen.kind in ({kind, "APIError"} if kind == "APIStatusError" else {kind})
    assert (seen.status, seen.code, seen.param) == (told.status, told.body["error"]["code"], told.body["error"]["param"])
    assert told.body["error"]["message"] in seen.message


@pytest.mark.parametrize("loss", ["hold", "close"])
def test_a_submission_whose_answer_was_lost_is_one_job(stock: StockClient, service: Service, http: httpx2.Client, loss: Loss) -> None:
    prompt = f"lost for {stock.name} by {loss}"
    with losing_proxy(service.url, loss) as url:
        video = stock.at(url, timeout_s=1.5 if loss == "hold" else 30, max_retries=2)("videos.create", prompt=prompt)
    jobs = [entry["id"] for entry in http.get("/v1/videos", params={"limit": 100}).json()["data"] if entry["prompt"] == prompt]
    assert jobs == [video["id"]]


def test_a_key_gives_the_same_job_and_no_other(call: Caller, stock: StockClient) -> None:
    headers = {"idempotency-key": f"order 7 of {stock.name}"}
    first, second = (call("videos.create", prompt="a cat", headers=headers) for _ in range(2))
    assert first["id"] == second["id"]
    error = refusal(call, "videos.create", prompt="a dog", headers=headers)
    assert (error.kind, error.code) == ("UnprocessableEntityError", "idempotency_key_reused")


def wait_running(service: Service, video_id: str, key: str) -> None:
    with httpx2.stream(
        "GET", f"{service.url}/v1/videos/{video_id}/events", headers={"authorization": f"Bearer {key}"}, timeout=60, trust_env=False
    ) as stream:
        assert any("video.in_progress" in line or "video.progress" in line for line in stream.iter_lines())
