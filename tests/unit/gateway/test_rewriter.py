"""Rewriting prompts by a chat endpoint: what it is asked, what is taken from it, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.gateway import rewriter as module
from cinelet.gateway.rewriter import INSTRUCTIONS, VERSION, ChatRewriter, Rewriting
from tests.support.fake_chat import FakeChat, fake_chat

FULLER = "A red balloon rises slowly over a quiet harbour at sunset, its string trailing, while warm light glows on the water below."
CHINESE = "一只红色的气球在日落时缓缓升上宁静的港口，细绳轻轻飘动，温暖的光映在水面上，镜头慢慢上移。"


@pytest.fixture
def chat() -> Iterator[FakeChat]:
    with fake_chat() as chat:
        chat.text = FULLER
        yield chat


def rewrite(chat: FakeChat, prompt: str = "a red balloon rising", **options: Any) -> Rewriting:
    return asyncio.run(ChatRewriter(chat.url, "small-model", **options).rewrite(prompt))


def test_the_rewritten_the_original_and_the_rewriters_version_are_told(chat: FakeChat) -> None:
    made = rewrite(chat)
    assert made == Rewriting(prompt=FULLER, original="a red balloon rising", rewriter=f"small-model (cinelet instructions {VERSION})")


def test_it_is_asked_with_our_instructions_and_its_key_alone(chat: FakeChat) -> None:
    rewrite(chat, key="sk-1")
    (asked,) = chat.asked
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert [message["content"] for message in asked["messages"]] == [INSTRUCTIONS, "a red balloon rising"]
    assert (asked["model"], asked["temperature"], chat.keys) == ("small-model", 0, ["Bearer sk-1"])


def test_equal_prompts_are_remembered_and_the_oldest_is_forgotten(chat: FakeChat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    rewriter = ChatRewriter(chat.url, "m")

    async def work() -> None:
        for prompt in ("a", "b", "a", "c", "a", "b"):
            await rewriter.rewrite(prompt)

    asyncio.run(work())
    assert [asked["messages"][1]["content"] for asked in chat.asked] == ["a", "b", "c", "b"]


def test_thoughts_and_line_ends_are_no_part_of_the_text(chat: FakeChat) -> None:
    chat.text = "<think>\nA balloon…\n</think>\n\n" + FULLER.replace(", ", ",\n") + "\n"
    assert rewrite(chat).prompt == FULLER


def test_the_language_is_kept(chat: FakeChat) -> None:
    with pytest.raises(UnavailableError, match="another language"):
        rewrite(chat, "一只红色的气球")
    chat.text = CHINESE
    assert rewrite(chat, "一只红色的气球").prompt == CHINESE
    with pytest.raises(UnavailableError, match="another language"):
        rewrite(chat)


def test_a_declined_prompt_is_the_clients_to_change(chat: FakeChat) -> None:
    chat.text = "DECLINED."
    with pytest.raises(InvalidValueError, match="declines this prompt"):
        rewrite(chat)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"status": 500}, "answered 500"),
        ({"status": 401}, "answered 401"),
        ({"body": b"<html>"}, "sent no text"),
        ({"body": b'{"choices": []}'}, "sent no text"),
        ({"body": b'{"choices": [{"message": {"content": null}}]}'}, "sent no text"),
        ({"finish_reason": "length"}, "sent no text"),
        ({"text": "  "}, "sent no usable text"),
        ({"text": "a\0b"}, "sent no usable text"),
        ({"text": "word " * 900}, "sent more than 4,000 characters"),
    ],
)
def test_an_answer_that_cannot_be_used_is_a_failure_and_not_remembered(chat: FakeChat, changes: dict[str, Any], sentence: str) -> None:
    rewriter = ChatRewriter(chat.url, "m")
    good = {name: getattr(chat, name) for name in changes}

    async def work() -> str:
        vars(chat).update(changes)
        with pytest.raises(UnavailableError, match=sentence):
            await rewriter.rewrite("a red balloon")
        vars(chat).update(good)
        return (await rewriter.rewrite("a red balloon")).prompt

    assert asyncio.run(work()) == FULLER


def test_a_silent_or_absent_endpoint_is_a_failure_with_its_bound(chat: FakeChat) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        asyncio.run(ChatRewriter("http://127.0.0.1:9/v1", "m").rewrite("a"))
    chat.stall = threading.Event()
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.05 s"):
        rewrite(chat, timeout_s=0.05)


def test_no_message_shows_the_key(chat: FakeChat) -> None:
    chat.status, chat.body = 403, b"no"
    with pytest.raises(UnavailableError) as caught:
        rewrite(chat, key="sk-secret")
    assert "sk-secret" not in caught.value.message + caught.value.detail
