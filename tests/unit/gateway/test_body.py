"""Bodies in three encodings, from real clients and from hostile ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from cinelet.errors import CineletError, InvalidValueError, MalformedError, TooLargeError, UnsupportedMediaError, UnusableValueError
from cinelet.gateway.body import DOCUMENTS, MAX_BODY_BYTES, MAX_JSON_BYTES, MAX_MULTIPART_BYTES, read_body, unwrapped
from cinelet.gateway.form import MAX_FIELD_BYTES, MAX_FILES, MAX_PARTS
from cinelet.gateway.strict_json import MAX_VALUES
from tests.unit.gateway.posted import BOUNDARY, MULTIPART, URLENCODED, Wire, multipart, read, recorded, request_of

PROMPT = "a red ball rolls over a meadow"
PY3 = "openai-python-3.52.0"
PY2 = "openai-python-2.3.0"


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def wrapped(inner: str, depth: int) -> str:
    return '{"extra_body":' * depth + inner + "}" * depth


RECORDED: dict[str, dict[str, Any]] = {
    f"{PY3}/plain": {"prompt": PROMPT},
    f"{PY3}/chinese": {"prompt": "一只熊猫在吃竹子"},
    f"{PY3}/model_seconds_text_size": {"prompt": PROMPT, "model": "sora-2", "seconds": "4", "size": "160x96"},
    f"{PY3}/seconds_integer": {"prompt": PROMPT, "seconds": "5"},
    f"{PY3}/numbers": {"prompt": PROMPT, "num_inference_steps": "40", "guidance_scale": "3.5"},
    f"{PY3}/flag": {"prompt": PROMPT, "allow_degrade": "true"},
    f"{PY3}/none": {"prompt": PROMPT},
    f"{PY3}/nested": {"prompt": PROMPT, "metadata": {"shop": "toys", "row": "7"}},
    f"{PY3}/list": {"prompt": PROMPT, "tags": ["a", "b"]},
    f"{PY3}/list_of_objects": {"prompt": PROMPT, "loras": [{"name": "x", "scale": "0.5"}]},
    f"{PY3}/list_of_objects_as_text": {"prompt": PROMPT, "loras": [{"name": "x", "scale": 0.5}]},
    f"{PY3}/forced_json": {"prompt": PROMPT, "seconds": "4", "loras": [{"name": "x", "scale": 0.5}]},
    f"{PY3}/remix": {"prompt": "the same at night"},
    f"{PY3}/edit_with_empty_file": {"prompt": "at night", "video": {"id": "video_x"}},
    f"{PY3}/extend_with_empty_file": {"prompt": "it goes on", "seconds": "4", "video": {"id": "video_x"}},
    f"{PY2}/none": {"prompt": PROMPT},
    f"{PY2}/flag": {"prompt": PROMPT, "allow_degrade": True},
    f"{PY2}/seconds_integer": {"prompt": PROMPT, "seconds": 5},
    f"{PY2}/list_of_objects": {"prompt": PROMPT, "loras": [{"name": "x", "scale": 0.5}]},
}
"""What the openai clients were seen to send → the fields it means."""


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 16])
def test_bodies_of_the_openai_clients_are_understood_however_they_are_cut(name: str, chunk_bytes: int) -> None:
    body = recorded(name, chunk_bytes)
    assert (body.fields, body.files) == (RECORDED[name], {})


@pytest.mark.parametrize("name", [f"{PY3}/raw_file", f"{PY3}/named_file", f"{PY2}/raw_file"])
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 16])
def test_files_of_the_openai_clients_arrive_byte_for_byte(name: str, chunk_bytes: int) -> None:
    body = recorded(name, chunk_bytes)
    assert body.fields == {"prompt": PROMPT}
    picture = body.files["input_reference"].data
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.endswith(b"IEND\xaeB`\x82")


def test_a_data_url_of_the_openai_client_arrives_as_the_object_it_was() -> None:
    reference = recorded(f"{PY3}/image_url").fields["input_reference"]
    assert reference["image_url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    "kind", [None, "application/json", "application/json; charset=utf-8", "application/problem+json", "Application/JSON"]
)
def test_json_is_read_with_and_without_a_content_type(kind: str | None) -> None:
    assert read('{"prompt": "x", "seed": null}', kind).fields == {"prompt": "x"}


@pytest.mark.parametrize("kind", [None, "application/json", MULTIPART, "multipart/form-data", URLENCODED])
@pytest.mark.parametrize("body", [b""])
def test_an_empty_body_has_no_fields(kind: str | None, body: bytes) -> None:
    empty = read(body, kind)
    assert (empty.fields, empty.files) == ({}, {})


def test_an_urlencoded_form_says_the_same_as_json() -> None:
    assert read("prompt=a+b%20%E7%86%8A&tags[]=x&tags[]=y&seed=null&negative_prompt=", URLENCODED).fields == {
        "prompt": "a b 熊",
        "tags": ["x", "y"],
        "negative_prompt": "",
    }


def test_objects_in_a_list_are_told_apart_where_a_key_comes_again() -> None:
    form = multipart(("l[][name]", "a"), ("l[][scale]", "1"), ("l[][name]", "b"), ("l[][at][x]", "2"))
    assert read(form, MULTIPART).fields == {"l": [{"name": "a", "scale": "1"}, {"name": "b", "at": {"x": "2"}}]}


def test_an_empty_file_is_not_given_and_a_full_one_is() -> None:
    body = read(multipart(("video", b"", "upload"), ("image", b"bytes", "a b.png")), MULTIPART)
    assert list(body.files) == ["image"]
    assert (body.files["image"].filename, body.files["image"].data) == ("a b.png", b"bytes")


@pytest.mark.parametrize("wrapper", ["extra_body", "extra_json", "extra_params"])
def test_wrapped_fields_count_as_if_they_stood_outside_and_those_outside_win(wrapper: str) -> None:
    inner = {"seed": 1, "steps": 2, "extra_params": {"steps": 3, "cfg": 4}}
    assert unwrapped({"seed": 9, "cfg": None, wrapper: inner}) == {"seed": 9, "steps": 2, "cfg": 4}
    assert unwrapped({"seed": 9, wrapper: json.dumps(inner)}) == {"seed": 9, "steps": 2, "cfg": 4}
    assert read(multipart(("seed", "9"), (wrapper, json.dumps(inner))), MULTIPART).fields == {"seed": "9", "steps": 2, "cfg": 4}


def test_the_first_of_several_wrappers_wins() -> None:
    assert unwrapped({"extra_params": {"seed": 3}, "extra_json": {"seed": 2}, "extra_body": {"seed": 1}}) == {"seed": 1}
    assert unwrapped({"extra_params": {"cfg": 3}, "extra_json": {"seed": 2}}) == {"cfg": 3, "seed": 2}


def test_json_text_is_read_where_an_object_is_due_and_nowhere_else() -> None:
    body = read(multipart(("prompt", '{"a": 1}'), ("lora", ' {"name": "x"}'), ("metadata", '{"a": 1}')), MULTIPART)
    assert body.fields == {"prompt": '{"a": 1}', "lora": {"name": "x"}, "metadata": {"a": 1}}


HOSTILE_JSON: dict[str, tuple[str | bytes, type[CineletError]]] = {
    "half a surrogate pair": (r'{"prompt": "\ud800"}', UnusableValueError),
    "half a surrogate pair in a key": (r'{"a": {"\ud800": 1}}', UnusableValueError),
    "NUL": (r'{"prompt": "a\u0000b"}', UnusableValueError),
    "NUL in a key": (r'{"a\u0000": 1}', UnusableValueError),
    "an integer of 5,000 digits": ('{"seed": ' + "9" * 5000 + "}", MalformedError),
    "2^63": ('{"seed": 9223372036854775808}', UnusableValueError),
    "below -2^63": ('{"seed": -9223372036854775809}', UnusableValueError),
    "2^63 in a list": ('{"seed": [9223372036854775808]}', UnusableValueError),
    "NaN": ('{"cfg": NaN}', UnusableValueError),
    "minus infinity": ('{"cfg": -Infinity}', UnusableValueError),
    "1e999": ('{"cfg": 1e999}', UnusableValueError),
    "nesting of 33": (nested(33), MalformedError),
    "nesting of 100,000": (nested(100_000), MalformedError),
    "lists of 100,000": ('{"a":' + "[" * 100_000, MalformedError),
    "wrappers of 100,000": (wrapped("1", 60_000), MalformedError),
    "wrappers of 900": (wrapped("{}", 900), MalformedError),
    "wrappers in text in wrappers": (wrapped(json.dumps(wrapped("{}", 20)), 20), MalformedError),
    "too many values": ('{"a": [' + "0," * MAX_VALUES + "0]}", MalformedError),
    "equal keys": ('{"seed": 1, "seed": 2}', MalformedError),
    "equal keys, one escaped": (r'{"seed": 1, "s\u0065ed": 2}', MalformedError),
    "UTF-16": ('{"prompt": "x"}'.encode("utf-16"), MalformedError),
    "UTF-16 without a mark": ('{"prompt": "x"}'.encode("utf-16-le"), MalformedError),
    "Latin-1": ('{"prompt": "é"}'.encode("latin-1"), MalformedError),
    "an overlong NUL": (b'{"prompt": "\xc0\x80"}', MalformedError),
    "a byte order mark": (b'\xef\xbb\xbf{"prompt": "x"}', MalformedError),
    "cut off": ('{"prompt": "x', MalformedError),
    "a list": ("[]", MalformedError),
    "text": ('"prompt"', MalformedError),
    "null": ("null", MalformedError),
    "something behind it": ('{"prompt": "x"} {}', MalformedError),
    "a comment": ('{"prompt": "x" /* y */}', MalformedError),
    "a wrapper that is none": ('{"extra_body": 7}', InvalidValueError),
    "a wrapper with broken text": ('{"extra_body": "{"}', MalformedError),
    "an unusable value in text": (r'{"lora": "{\"a\": NaN}"}', UnusableValueError),
    "equal keys in text": (r'{"lora": "{\"a\": 1, \"a\": 2}"}', MalformedError),
    "30 MB": ('{"prompt": "' + "x" * 30_000_000 + '"}', TooLargeError),
}


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json_is_refused(name: str) -> None:
    body, kind = HOSTILE_JSON[name]
    with pytest.raises(kind) as caught:
        read(body)
    assert type(caught.value) is kind
    assert caught.value.message.isprintable()


def test_parts_are_counted_even_where_every_delimiter_is_cut() -> None:
    with pytest.raises(TooLargeError):
        read(multipart(*[(f"p{i}", "x") for i in range(MAX_PARTS + 1)]), MULTIPART, chunk_bytes=1)


def test_a_form_may_have_all_its_parts() -> None:
    assert len(read(multipart(*[(f"p{i}", "x") for i in range(MAX_PARTS)]), MULTIPART, chunk_bytes=1).fields) == MAX_PARTS
    assert len(read(b"\r\n" + multipart(*[(f"p{i}", "x") for i in range(MAX_PARTS)]), MULTIPART).fields) == MAX_PARTS


def test_nesting_up_to_the_limit_and_64_bits_are_taken() -> None:
    assert read(nested(32)).fields["a"]
    assert read('{"seed": 9223372036854775807, "low": -9223372036854775808}').fields["seed"] == 2**63 - 1


def test_an_unusable_value_is_named_by_its_place() -> None:
    with pytest.raises(UnusableValueError) as caught:
        read('{"metadata": {"shop": [1, {"x\\ny": NaN}]}}')
    assert caught.value.field == r"metadata.shop.'x\\ny'"


def part(header: str, data: str = "x") -> bytes:
    return f"--{BOUNDARY}\r\n{header}\r\n\r\n{data}\r\n--{BOUNDARY}--\r\n".encode()


HOSTILE_FORMS: dict[str, tuple[bytes, str, type[CineletError]]] = {
    "no boundary": (multipart(("prompt", "x")), "multipart/form-data", MalformedError),
    "an empty boundary": (multipart(("prompt", "x")), "multipart/form-data; boundary=", MalformedError),
    "an endless boundary": (multipart(("prompt", "x")), f"multipart/form-data; boundary={'b' * 5000}", MalformedError),
    "another boundary": (multipart(("prompt", "x")), "multipart/form-data; boundary=other", MalformedError),
    "no multipart at all": (b'{"prompt": "x"}', MULTIPART, MalformedError),
    "100,000 parts": (multipart(*[("p", "x")] * 100_000), MULTIPART, TooLargeError),
    "one part too many": (multipart(*[(f"p{i}", "x") for i in range(MAX_PARTS + 1)]), MULTIPART, TooLargeError),
    "delimiters that lead nowhere": (multipart(("image", b"\r\n--cutX" * 100_000, "f")), MULTIPART, TooLargeError),
    "one file too many": (multipart(*[(f"p{i}", b"x", "f") for i in range(MAX_FILES + 1)]), MULTIPART, TooLargeError),
    "a header name of 1 MB": (part("x" * 1_000_000 + ": y"), MULTIPART, MalformedError),
    "a header value of 1 MB": (part("x: " + "y" * 1_000_000), MULTIPART, MalformedError),
    "100,000 headers": (part("x: y\r\n" * 100_000 + "x: y"), MULTIPART, MalformedError),
    "a field of 64 KB and more": (multipart(("prompt", "x" * (MAX_FIELD_BYTES + 1))), MULTIPART, TooLargeError),
    "a body beyond the total": (multipart(("image", b"x" * MAX_MULTIPART_BYTES, "f")), MULTIPART, TooLargeError),
    "cut off in the data": (multipart(("prompt", "x"))[:-9], MULTIPART, MalformedError),
    "cut off in the headers": (f"--{BOUNDARY}\r\ncontent-dispo".encode(), MULTIPART, MalformedError),
    "a part without a disposition": (part("content-type: text/plain"), MULTIPART, MalformedError),
    "a part without a name": (part("content-disposition: form-data"), MULTIPART, MalformedError),
    "an empty name": (multipart(("", "x")), MULTIPART, MalformedError),
    "a name of 5,000": (part(f'content-disposition: form-data; name="{"n" * 4000}"'), MULTIPART, MalformedError),
    "a name of 100 levels": (multipart(("a" + "[b]" * 80, "x")), MULTIPART, MalformedError),
    "the same field twice": (multipart(("prompt", "x"), ("prompt", "y")), MULTIPART, MalformedError),
    "a field and a file of one name": (multipart(("video[id]", "x"), ("video", b"y", "f")), MULTIPART, MalformedError),
    "text and object of one name": (multipart(("a", "x"), ("a[b]", "y")), MULTIPART, MalformedError),
    "object and text of one name": (multipart(("a[b]", "x"), ("a", "y")), MULTIPART, MalformedError),
    "list and object of one name": (multipart(("a[]", "x"), ("a[b]", "y")), MULTIPART, MalformedError),
    "list of text and of objects": (multipart(("a[]", "x"), ("a[][b]", "y")), MULTIPART, MalformedError),
    "NUL": (multipart(("prompt", "a\0b")), MULTIPART, UnusableValueError),
    "NUL in a name": (multipart(("a\0b", "x")), MULTIPART, UnusableValueError),
    "no UTF-8": (multipart(("prompt", b"\xff\xfe")), MULTIPART, MalformedError),
    "surrogates in UTF-8": (multipart(("prompt", b"\xed\xa0\x80")), MULTIPART, MalformedError),
    "urlencoded, no UTF-8": (b"prompt=%ff%fe", URLENCODED, MalformedError),
    "urlencoded, surrogates": (b"prompt=%ed%a0%80", URLENCODED, MalformedError),
    "urlencoded, raw bytes": (b"prompt=\xff", URLENCODED, MalformedError),
    "urlencoded, NUL": (b"prompt=a%00b", URLENCODED, UnusableValueError),
    "urlencoded, 100,000 fields": (b"a=1&" * 100_000, URLENCODED, TooLargeError),
    "urlencoded, twice": (b"seed=1&seed=2", URLENCODED, MalformedError),
    "urlencoded, a long field": (b"prompt=" + b"x" * (MAX_FIELD_BYTES + 1), URLENCODED, TooLargeError),
    "urlencoded, beyond the total": (b"prompt=" + b"x" * MAX_BODY_BYTES, URLENCODED, TooLargeError),
}


@pytest.mark.parametrize("name", HOSTILE_FORMS)
def test_hostile_forms_are_refused(name: str) -> None:
    body, content_type, kind = HOSTILE_FORMS[name]
    with pytest.raises(kind) as caught:
        read(body, content_type)
    assert type(caught.value) is kind
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/xml", "application/octet-stream", "application/jsonp", "multipart/mixed; boundary=cut", "x", ""]
)
def test_other_content_types_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMediaError) as caught:
        read('{"prompt": "x"}', kind)
    assert caught.value.field == "content-type"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "GZIP", "x"])
def test_compressed_bodies_are_refused_unread(coding: str) -> None:
    wire = Wire(b"{}", 1)
    with pytest.raises(UnsupportedMediaError):
        asyncio.run(read_body(request_of(wire, headers={"content-encoding": coding})))
    assert wire.num_taken == 0
    assert read("{}", content_encoding="identity").fields == {}


def test_a_declared_length_beyond_the_limit_is_refused_unread() -> None:
    wire = Wire(b"{}", 1)
    with pytest.raises(TooLargeError):
        asyncio.run(read_body(request_of(wire, headers={"content-length": str(MAX_JSON_BYTES + 1)}), takes_picture=True))
    assert wire.num_taken == 0


@pytest.mark.parametrize("declared", ["7", "-1", "x", "²", "9" * 5000])
def test_a_length_that_lies_does_not_help(declared: str) -> None:
    with pytest.raises(TooLargeError):
        read("[" * (MAX_BODY_BYTES + 1), content_length=declared)


def test_reading_ends_with_the_chunk_that_goes_too_far() -> None:
    wire = Wire(b" " * (MAX_BODY_BYTES * 4), 1 << 16)
    with pytest.raises(TooLargeError):
        asyncio.run(read_body(request_of(wire, "application/x-www-form-urlencoded")))
    assert wire.num_taken == MAX_BODY_BYTES // (1 << 16) + 1


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert read(b"{}" + b" " * (MAX_BODY_BYTES - 2)).fields == {}


@pytest.mark.parametrize("text", ["[" * MAX_BODY_BYTES, "{}," * MAX_BODY_BYTES, '{"prompt": [' + "1," * MAX_BODY_BYTES])
def test_json_beyond_a_plain_requests_size_may_hold_a_picture_but_not_many_values(text: str) -> None:
    with pytest.raises(TooLargeError):
        read(text + "]")


def test_json_with_a_picture_in_it_is_taken() -> None:
    url = f"data:;base64,{'A' * (8 * MAX_BODY_BYTES)}"
    body = json.dumps({"prompt": "a, b, c", "image_url": url}).encode()
    read = asyncio.run(read_body(request_of(Wire(body, 1 << 16)), takes_picture=True))
    assert read.fields["image_url"] == url
    with pytest.raises(TooLargeError):
        asyncio.run(read_body(request_of(Wire(body, 1 << 16))))


def test_a_body_that_never_arrives_is_given_up() -> None:
    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(MalformedError, match=r"within 0\.01 seconds"):
        asyncio.run(read_body(request_of(receive), timeout_s=0.01))


def test_a_connection_that_ends_early_is_no_empty_body() -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(MalformedError, match="connection ended") as caught:
        asyncio.run(read_body(request_of(receive)))
    assert isinstance(caught.value.__cause__, ClientDisconnect)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["application/json", MULTIPART, URLENCODED, 'multipart/form-data; boundary="\\"']))
def test_any_bytes_are_read_or_refused(data: bytes, content_type: str) -> None:
    try:
        read(data, content_type, chunk_bytes=5)
    except CineletError as error:
        assert error.message.isprintable()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"--cut", b"\r\n", b"--", b'content-disposition: form-data; name="a[]"', b": ", b"\r\n\r\n", b"\0", b"x"]),
        max_size=30,
    ),
    st.integers(1, 9),
)
def test_any_heap_of_multipart_pieces_is_read_or_refused(pieces: list[bytes], chunk_bytes: int) -> None:
    try:
        read(b"--cut\r\n" + b"".join(pieces), MULTIPART, chunk_bytes=chunk_bytes)
    except CineletError as error:
        assert error.message.isprintable()


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=8).filter(lambda name: name not in DOCUMENTS), st.text(max_size=20), max_size=8))
def test_what_a_json_body_holds_is_what_is_read(fields: dict[str, str]) -> None:
    try:
        body = read(json.dumps(fields))
    except UnusableValueError:
        assert any("\0" in text for pair in fields.items() for text in pair)
    else:
        assert body.fields == fields
