"""openai-python 2.3.0: without a file it sends JSON, so values keep their types."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.clients import Caller, StockClient, StockError
from tests.support.service import Service

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(scope="module")
def call(start_client: Callable[[str], StockClient], service: Service) -> Iterator[Caller]:
    with start_client("openai_2") as client:
        yield client.at(service.url)


def test_values_keep_their_types(call: Caller) -> None:
    extra = {"metadata": {"row": 7, "ratio": 0.5, "new": True}, "allow_degrade": True, "seed": 9}
    video = call("videos.create", prompt="a cat", seconds=2, extra=extra)
    assert video["metadata"] == {"row": 7, "ratio": 0.5, "new": True}
    assert (video["seconds"], video["seed"]) == ("2", 9)


def test_null_is_not_given(call: Caller) -> None:
    video = call("videos.create", prompt="a cat", extra={"negative_prompt": None, "num_inference_steps": None, "tags": None})
    assert (video["num_inference_steps"], video["warnings"]) == (16, [])


def test_lists_of_objects_are_seen_whole(call: Caller) -> None:
    with pytest.raises(StockError, match="is unknown") as caught:
        call("videos.create", prompt="a cat", extra={"loras": [{"name": "x"}, {"name": "y"}]})
    assert caught.value.param == "loras"


def test_with_a_file_it_sends_a_form_which_is_read_too(call: Caller) -> None:
    with pytest.raises(StockError, match="takes no start image") as caught:
        call("videos.create", prompt="a cat", input_reference=PNG, extra={"seed": 2, "metadata": {"row": 7}})
    assert caught.value.param == "input_reference"


def test_the_whole_body_stands_in_the_text_of_an_error(call: Caller) -> None:
    with pytest.raises(StockError) as caught:
        call("videos.create", prompt="a cat", size="9999x9999")
    assert caught.value.message.startswith("Error code: 400 - {'error': {'message': ")
