"""Single modules of the studio, imported by the browser from the running service and called with values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.studio.conftest import OpenPage

MAX_SEED = 2**63 - 1


@pytest.fixture
def call(open_page: OpenPage) -> Any:
    """`call(module, function, *arguments)` in the page."""
    page = open_page()

    def call(module: str, function: str, *arguments: object) -> Any:
        code = "async ([module, name, args]) => (await import(`/studio/${module}.js`))[name](...args)"
        return page.evaluate(code, [module, function, list(arguments)])

    return call


def test_events_are_read_whole_and_the_rest_waits_for_more(call: Any) -> None:
    text = ': hello\n\nid: 7\nevent: video.queued\ndata: {"id":\ndata: 1}\n\nevent: video.progress\r\ndata: 2\r\n\r\nevent: video.com'
    assert call("connection", "parseEvents", text) == {
        "events": [{"kind": "video.queued", "id": "7", "data": '{"id":\n1}'}, {"kind": "video.progress", "id": None, "data": "2"}],
        "rest": "event: video.com",
    }


def test_a_long_seed_survives_the_way_through_the_browser(call: Any) -> None:
    sent = f'{{"prompt":"\\"seed\\": 12345678901234567890","seed":{MAX_SEED}}}'
    assert call("api", "writeJson", call("api", "parseJson", sent)) == sent


def test_seeds_count_up_exactly_and_start_over_after_the_largest(call: Any) -> None:
    assert call("request", "seedAfter", 7, 3) == 10
    assert call("request", "seedAfter", str(2**53), 1) == str(2**53 + 1)
    assert call("request", "seedAfter", str(MAX_SEED), 1) == 0


@pytest.mark.parametrize("text", ["", "-1", "1.5", "seven", str(MAX_SEED + 1)])
def test_what_is_no_seed_is_not_read_as_one(call: Any, text: str) -> None:
    assert call("request", "readSeed", text) is None


def test_a_request_holds_what_the_server_settled_and_nothing_that_it_did_not(call: Any) -> None:
    video = {
        "id": "x",
        "prompt": "a cat",
        "negative_prompt": "",
        "seed": 0,
        "fps": 8,
        "sampler": None,
        "variation_seed": 3,
        "variation_strength": 0,
    }
    assert call("request", "requestOf", video) == {"prompt": "a cat", "seed": 0, "fps": 8}
    assert call("request", "requestOf", video | {"variation_strength": 0.3})["variation_seed"] == 3


def test_a_request_names_styles_and_lighter_ways_as_requests_do(call: Any) -> None:
    video = {"prompt": "a cat", "vae": "full", "step_cache": "off", "loras": []}
    assert call("request", "requestOf", video) == {"prompt": "a cat"}
    video |= {"vae": "tiny", "step_cache": "mild", "loras": [{"name": "night", "scale": 1}, {"name": "ink", "scale": 0.8}]}
    assert call("request", "requestOf", video) == {"prompt": "a cat", "vae": "tiny", "step_cache": "mild", "loras": ["night", "ink:0.8"]}
