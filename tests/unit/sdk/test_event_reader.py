"""Event streams by the standard, in whatever pieces they arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.errors import UnavailableError
from cinelet.sdk import event_reader
from cinelet.sdk.event_reader import EventReader, Message

STREAM = (
    ": still here\n\n"
    "id: 1\nevent: video.progress\ndata: one\n\n"
    "data:two\r\ndata: lines\r\n\r\n"
    "retry: 100\rid\rdata:  spaced\r\r"
    "event: nothing\n\n"
    "data: 一辆汽车\n\n"
    "data: never ended"
).encode()
MESSAGES = [
    Message("video.progress", "one", "1"),
    Message("message", "two\nlines", "1"),
    Message("message", " spaced", ""),
    Message("message", "一辆汽车", ""),
]


def read(pieces: list[bytes]) -> list[Message]:
    reader = EventReader()
    return [message for piece in pieces for message in reader.feed(piece)]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_messages_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read([STREAM[begin:end] for begin, end in pairwise(edges)]) == MESSAGES


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(stream: bytes) -> None:
    read([stream])


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: " + b"x" * 100 + b"\n"])
def test_a_message_without_end_is_refused(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_reader, "MAX_MESSAGE_BYTES", 1000)
    with pytest.raises(UnavailableError, match="larger than"):
        read([piece] * 11)
