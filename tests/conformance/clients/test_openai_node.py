"""openai-node 6.49.0: objects go in as they are, and null does not go at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.clients import Caller, StockClient, StockError
from tests.support.service import Service


@pytest.fixture(scope="module")
def call(start_client: Callable[[str], StockClient], service: Service) -> Iterator[Caller]:
    with start_client("openai_node") as client:
        yield client.at(service.url)


def test_an_edit_names_its_video_directly(call: Caller) -> None:
    original = call("videos.create", prompt="a cat", extra={"seed": 12})
    video = call("videos.edit", prompt="a dog", video={"id": original["id"]})
    assert (video["remixed_from_video_id"], video["seed"]) == (original["id"], 12)


def test_a_start_image_by_address_is_refused_with_the_models_name(call: Caller) -> None:
    with pytest.raises(StockError, match="pocket takes no start image") as caught:
        call("videos.create", prompt="a cat", input_reference={"image_url": "https://example.com/a.png"})
    assert (caught.value.kind, caught.value.param) == ("BadRequestError", "input_reference")


def test_the_library_refuses_null_before_anything_is_sent(call: Caller) -> None:
    with pytest.raises(StockError, match="null") as caught:
        call("videos.create", prompt="a cat", extra={"seed": None})
    assert caught.value.status is None


def test_the_text_null_which_it_proposes_instead_is_not_given(call: Caller) -> None:
    assert isinstance(call("videos.create", prompt="a cat", extra={"seed": "null"})["seed"], int)


def test_extending_is_refused_with_the_reason(call: Caller) -> None:
    with pytest.raises(StockError, match="making a clip longer is not offered") as caught:
        call("videos.extend", prompt="it goes on", seconds="4", video={"id": "video_local_01J9ZX3V0Q8M5T6W7Y2R4K1N0B"})
    assert caught.value.kind == "BadRequestError"


def test_an_error_tells_status_and_message(call: Caller) -> None:
    with pytest.raises(StockError) as caught:
        call("videos.create", prompt="a cat", size="9999x9999")
    assert caught.value.message.startswith("400 size: ")
    assert caught.value.request_id is not None
