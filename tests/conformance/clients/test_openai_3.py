"""openai-python 3.52.0 in our own process: its poller, its threads, and what only this generation sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest

from cinelet.errors import RateLimitedError
from cinelet.gateway.problems import problem
from tests.support.canned import canned_service
from tests.support.proxy import losing_proxy
from tests.support.service import Service

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

UNKNOWN = "video_local_01J9ZX3V0Q8M5T6W7Y2R4K1N0B"
Ended = Callable[..., dict[str, Any]]


def client_at(url: str, **settings: Any) -> openai.OpenAI:
    plain = {"api_key": "any", "max_retries": 0, "http_client": httpx2.Client(trust_env=False)}
    return openai.OpenAI(base_url=f"{url}/v1", **{**plain, **settings})


@pytest.fixture
def client(service: Service) -> Iterator[openai.OpenAI]:
    with client_at(service.url) as client:
        yield client


def test_the_poller_waits_as_long_as_the_service_says(service: Service, ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    polls: list[httpx2.Response] = []
    slept: list[float] = []

    def note(response: httpx2.Response) -> None:
        if response.request.headers.get("x-stainless-poll-helper") == "true":
            polls.append(response)

    http = httpx2.Client(trust_env=False, event_hooks={"response": [note]})
    with client_at(service.url, http_client=http) as client:

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            ended(service, polls[0].request.url.path.rsplit("/", 1)[1])

        monkeypatch.setattr(client.videos, "_sleep", sleep)
        video = client.videos.create_and_poll(prompt="a slow cat", extra_body={"num_inference_steps": 200})
    assert video.status == "completed"
    told_ms = int(polls[0].headers["openai-poll-after-ms"])
    assert slept == [told_ms / 1000]
    assert 1000 <= told_ms <= 5000
    assert "openai-poll-after-ms" not in polls[-1].headers


def test_the_poller_returns_a_failed_clip(client: openai.OpenAI, service: Service, poisoned_id: str, ended: Ended) -> None:
    ended(service, poisoned_id)
    video = client.videos.poll(poisoned_id)
    assert video.status == "failed"
    assert video.error is not None
    assert video.error.message


def test_a_polite_wait_is_the_wait_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    told = problem(RateLimitedError("queue: full", retry_after_s=10.0))
    with canned_service(told) as service, client_at(service.url, max_retries=2) as client:
        calculate = client._calculate_retry_timeout
        monkeypatch.setattr(client, "_calculate_retry_timeout", lambda *given: waits.append(calculate(*given)) or 0.0)
        with pytest.raises(openai.RateLimitError) as caught:
            client.videos.create(prompt="a cat")
    assert waits == [10.0, 10.0]
    assert caught.value.response.headers["retry-after"] == "10"
    assert "x-should-retry" not in caught.value.response.headers


def test_eight_threads_with_one_key_get_one_job(client: openai.OpenAI) -> None:
    def create(_: int) -> str:
        return client.videos.create(prompt="a cat eight times", extra_headers={"Idempotency-Key": "eight"}).id

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(create, range(8)))) == 1
    assert [video.prompt for video in client.videos.list(limit=100).data].count("a cat eight times") == 1


def test_the_asynchronous_client_is_served_as_well(service: Service) -> None:
    async def run() -> bytes:
        http = httpx2.AsyncClient(trust_env=False)
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="any", http_client=http) as client:
            video = await client.videos.create(prompt="a cat", extra_headers={"Prefer": "wait=30"}, extra_body={"num_inference_steps": 2})
            assert video.status == "completed"
            async with client.videos.with_streaming_response.download_content(video.id) as response:
                assert response.headers["content-type"] == "video/mp4"
                return b"".join([chunk async for chunk in response.iter_bytes(4096)])

    assert asyncio.run(run())[4:8] == b"ftyp"


def test_none_is_not_given(client: openai.OpenAI) -> None:
    video = client.videos.create(prompt="a cat", extra_body={"negative_prompt": None, "num_inference_steps": None})
    assert video.model_extra is not None
    assert video.model_extra["num_inference_steps"] == 16


def test_json_can_be_forced_and_keeps_its_types(client: openai.OpenAI) -> None:
    headers = {"Content-Type": "application/json"}
    video = client.videos.create(prompt="a cat", extra_headers=headers, extra_body={"metadata": {"row": 7}})
    assert video.model_extra is not None
    assert video.model_extra["metadata"] == {"row": 7}
    with pytest.raises(openai.BadRequestError, match=r"loras.*is unknown") as caught:
        client.videos.create(prompt="a cat", extra_headers=headers, extra_body={"loras": [{"name": "x"}, {"name": "y"}]})
    assert caught.value.param == "loras"


def test_an_edit_is_asked_for_by_id_beside_the_empty_file_the_library_needs(client: openai.OpenAI) -> None:
    original = client.videos.create(prompt="a cat", extra_body={"seed": 11, "num_frames": 5})
    video = client.videos.edit(prompt="a dog", video=b"", extra_body={"video": {"id": original.id}})
    assert (video.remixed_from_video_id, video.prompt) == (original.id, "a dog")
    assert video.model_extra is not None
    assert (video.model_extra["seed"], video.model_extra["num_frames"]) == (11, 5)


def test_a_file_cannot_be_edited(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"must be \{id\} of a video of this service") as caught:
        client.videos.edit(prompt="a dog", video=b"\x00\x00\x00\x18ftypmp42")
    assert caught.value.param == "video"
    with pytest.raises(openai.NotFoundError):
        client.videos.edit(prompt="a dog", video=b"", extra_body={"video": {"id": UNKNOWN}})


def test_extending_and_characters_are_refused_with_the_reason(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="making a clip longer is not offered"):
        client.videos.extend(prompt="it goes on", seconds="4", video=b"", extra_body={"video": {"id": UNKNOWN}})
    with pytest.raises(openai.BadRequestError, match="characters: is not offered"):
        client.videos.create_character(name="Mia", video=b"\x00\x00\x00\x18ftypmp42")
    with pytest.raises(openai.NotFoundError):
        client.videos.get_character("char_1")


def test_cancelling_keeps_the_record_and_tells_why(guarded: Service, keys: dict[str, str]) -> None:
    with client_at(guarded.url, api_key=keys["ann"]) as client:
        made = client.videos.create(prompt="a cat")
        cancelled = client.post(f"/videos/{made.id}/cancel", cast_to=openai.types.Video)
        again = client.post(f"/videos/{made.id}/cancel", cast_to=openai.types.Video)
    assert cancelled.status == "failed"
    assert cancelled.error is not None
    assert cancelled.error.code == "cancelled"
    assert cancelled.model_extra is not None
    assert cancelled.model_extra["x_state"] == "cancelled"
    assert again.to_dict() == cancelled.to_dict()


def test_a_remix_whose_answer_was_lost_is_one_job(client: openai.OpenAI, service: Service) -> None:
    original = client.videos.create(prompt="a cat")
    with losing_proxy(service.url, "close") as url, client_at(url, max_retries=2) as other:
        other.videos.remix(original.id, prompt="a dog, lost once")
    assert [video.prompt for video in client.videos.list(limit=100).data].count("a dog, lost once") == 1


def test_an_error_carries_the_whole_body(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.videos.create(prompt="a cat", size="9999x9999")
    assert str(caught.value).startswith("Error code: 400 - size: ")
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert json.loads(caught.value.response.text).keys() == {"error"}
    assert caught.value.request_id is not None
