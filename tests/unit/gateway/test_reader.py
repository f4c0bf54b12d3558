"""What equal bodies share, and what is not read twice."""

from __future__ import annotations

from unittest import mock

import pytest

from cinelet.errors import InvalidValueError, MalformedError, UnknownFieldError
from cinelet.gateway import reader as reader_module
from cinelet.gateway.body import Body
from cinelet.gateway.form import Upload
from cinelet.gateway.reader import MAX_RECENT_CHARS, Reader
from cinelet.models import ModelCard
from tests.unit.gateway.test_fields import POCKET, card_of, takes_image

PICTURE = Upload(filename="a.png", content_type="image/png", data=b"\x89PNG")


class Asking:
    """A reader that says how often it looked up a card: once for each body that it reads."""

    def __init__(self) -> None:
        self.num_read = 0
        self.reader = Reader(self._card_of)

    def _card_of(self, name: str | None) -> ModelCard:
        self.num_read += name is None
        return takes_image(name)


def test_an_equal_body_is_known_whatever_the_order_of_its_fields() -> None:
    asking = Asking()
    first = asking.reader.read(Body({"prompt": "a cat", "seed": 1}), "create")
    again = asking.reader.read(Body({"seed": 1, "prompt": "a cat"}), "create")
    assert again is first
    assert asking.num_read == 1


def test_an_equal_text_is_known_before_it_is_read_and_has_the_digest_of_its_fields() -> None:
    asking = Asking()
    first = asking.reader.read(Body(text=b'{"prompt": "a cat"}'), "create")
    again = Body(text=b'{"prompt": "a cat"}')
    assert asking.reader.read(again, "create") is first
    assert "fields" not in vars(again)
    assert asking.num_read == 1
    assert asking.reader.read(Body({"prompt": "a cat"}), "create").digest == first.digest


def test_a_text_that_looks_as_a_form_is_kept_is_not_taken_for_it() -> None:
    reader = Reader(card_of)
    reader.read(Body({"prompt": "a cat"}), "create")
    with pytest.raises(MalformedError, match="must be a JSON object"):
        reader.read(Body(text=b'["create", {"prompt": "a cat"}, {}]'), "create")


@pytest.mark.parametrize("other", [{"prompt": "a cat", "seed": 2}, {"prompt": "a cat", "seed": "1"}, {"prompt": "a cat"}])
def test_another_body_is_another(other: dict[str, object]) -> None:
    asking = Asking()
    first = asking.reader.read(Body({"prompt": "a cat", "seed": 1}), "create")
    second = asking.reader.read(Body(other), "create")
    assert first.digest != second.digest
    assert asking.num_read == 2


def test_one_body_sent_to_two_paths_is_two_submissions() -> None:
    reader = Reader(card_of)
    body = Body({"prompt": "a cat"})
    assert reader.read(body, "create").digest != reader.read(body, "sync").digest


def test_strictness_is_not_forgotten() -> None:
    reader = Reader(card_of)
    body = Body({"prompt": "a cat", "colour": "red"})
    lenient = reader.read(body, "create")
    assert lenient.asked.warnings == ["colour: is unknown and was ignored"]
    with pytest.raises(UnknownFieldError):
        reader.read(body, "create", is_strict=True)
    strict = reader.read(Body({"prompt": "a cat"}), "create", is_strict=True)
    assert strict.digest == reader.read(Body({"prompt": "a cat"}), "create").digest


def test_what_was_refused_is_refused_again() -> None:
    reader = Reader(card_of)
    for _ in range(2):
        with pytest.raises(InvalidValueError, match="seed"):
            reader.read(Body({"prompt": "a cat", "seed": -5}), "create")


def test_files_count_by_their_bytes_and_are_not_kept() -> None:
    asking = Asking()
    body = Body({"prompt": "a cat"}, {"input_reference": PICTURE})
    other = Body({"prompt": "a cat"}, {"input_reference": Upload(filename="b.png", content_type=None, data=b"GIF8")})
    first = asking.reader.read(body, "create")
    assert asking.reader.read(body, "create").digest == first.digest != asking.reader.read(other, "create").digest
    assert asking.num_read == 3


def test_the_files_of_a_form_are_digested_once() -> None:
    with mock.patch.object(reader_module, "_document_of", wraps=reader_module._document_of) as digesting:
        Reader(takes_image).read(Body({"prompt": "a cat"}, {"input_reference": PICTURE}), "create")
    assert digesting.call_count == 1


def test_long_bodies_are_not_kept() -> None:
    asking = Asking()
    body = Body({"prompt": "a cat", "metadata": {f"k{i}": "x" * 500 for i in range(MAX_RECENT_CHARS // 500 + 1)}})
    assert asking.reader.read(body, "create").digest == asking.reader.read(body, "create").digest
    assert asking.num_read == 2


def test_the_default_card_is_the_service_s() -> None:
    assert Reader(card_of).read(Body({"prompt": "a cat"}), "create").asked.request.model is None
    assert Reader(card_of).read(Body({"prompt": "a cat", "model": POCKET.name}), "create").asked.request.model == POCKET.name
