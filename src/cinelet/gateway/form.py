"""Forms: multipart and urlencoded bodies to the tree of fields that JSON would have held, and the files beside it.

Knows the grammar and its bounds, nothing of what the fields mean. Text stays text: `40` is not a number yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from cinelet.errors import MalformedError, TooLargeError
from cinelet.gateway.field_name import label, split
from cinelet.gateway.strict_json import check_usable, given_twice

MAX_PARTS = 16
MAX_FILES = 2
MAX_FIELD_BYTES = 1 << 16
"""The longest prompt takes 16 KB, and JSON text in a field hardly more."""
NULL = "null"
"""What clients that cannot leave a part out are told to send instead."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file as it came. Its declared name and type are hearsay: look at the bytes."""

    filename: str
    content_type: str | None
    data: bytes = field(repr=False)


@dataclass
class Part:
    """A multipart part under way; `filename` is None for a plain field."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None
    data: bytearray = field(default_factory=bytearray)


class MultipartForm:
    """A multipart body, fed in chunks of any cut; refuses as soon as it can with `MalformedError` or `TooLargeError`.

    Parts and fields are bounded here, the total by whoever feeds: files stay in memory.
    """

    def __init__(self, boundary: bytes) -> None:
        self._parts: list[Part] = []
        self._delimiter = b"\r\n--" + boundary
        self._num_delimiters = 0
        self._header_name = self._header_value = b""
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._take_header_name,
                    "on_header_value": self._take_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._name_part,
                    "on_part_data": self._take_data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise MalformedError(f"content-type: the boundary is not usable; {error}") from error

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        # No part may hold its delimiter (RFC 2046, section 5.1.1). The parser takes microseconds for each one that leads nowhere.
        self._num_delimiters += chunk.count(self._delimiter)
        if self._num_delimiters > MAX_PARTS + 1:
            raise too_many_parts(self._num_delimiters)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedError(f"body: is no multipart form; {error}") from error

    def finish(self) -> tuple[dict[str, Any], dict[str, Upload]]:
        """The fields and the files. An empty file counts as not given. Raises `MalformedError` for a body that was cut off."""
        if not self._is_complete:
            raise MalformedError("body: ends before its closing boundary")
        fields = tree((part.name, text_of(part.name, part.data)) for part in self._parts if part.filename is None)
        files: dict[str, Upload] = {}
        for part in self._parts:
            if part.filename is None or not part.data:
                continue
            if part.name in fields or part.name in files:
                raise given_twice(part.name)
            kind = part.headers.get(b"content-type")
            declared = None if kind is None else kind.decode("latin-1")
            files[part.name] = Upload(filename=part.filename, content_type=declared, data=bytes(part.data))
        return fields, files

    def _begin_part(self) -> None:
        if len(self._parts) == MAX_PARTS:
            raise too_many_parts(MAX_PARTS + 1)
        self._parts.append(Part())

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._parts[-1].headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _name_part(self) -> None:
        part = self._parts[-1]
        _, options = parse_options_header(part.headers.get(b"content-disposition"))
        if b"name" not in options:
            raise MalformedError("body: each part must have a content-disposition with a name")
        part.name = text_of("body", options[b"name"])
        if b"filename" in options:
            part.filename = options[b"filename"].decode("utf-8", "replace")
        if sum(part.filename is not None for part in self._parts) > MAX_FILES:
            raise TooLargeError("body", f"file {MAX_FILES + 1}", f"a form has at most {MAX_FILES} files")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.data += data[start:end]
        if part.filename is None and len(part.data) > MAX_FIELD_BYTES:
            raise too_long(part.name, len(part.data))

    def _end(self) -> None:
        self._is_complete = True


def read_urlencoded(body: bytes) -> dict[str, Any]:
    """The fields of an urlencoded body. Raises as `MultipartForm` does."""
    num_fields = 1 + body.count(b"&")
    if num_fields > MAX_PARTS:
        raise too_many_parts(num_fields)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise not_utf8("body") from error
    for name, value in pairs:
        if len(value.encode("utf-8")) > MAX_FIELD_BYTES:
            raise too_long(name, len(value.encode("utf-8")))
    return tree(pairs)


def tree(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Names with brackets to objects and lists. The text `null` counts as not given.

    Raises `MalformedError` for contradictions, and as `check_usable`.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        if value != NULL:
            _place(root, split(name), value, name)
    check_usable(root)
    return root


def _place(node: Any, keys: list[str], value: str, name: str) -> None:
    """Put `value` where `keys` lead, from `node` on. In a list of objects a key that comes again begins the next object."""
    key, rest = keys[0], keys[1:]
    if isinstance(node, list) != (key == ""):
        raise given_twice(name)
    if isinstance(node, list):
        if not rest:
            node.append(value)
            return
        if not node or (len(rest) == 1 and rest[0] in node[-1]):
            node.append(_container(rest))
        child = node[-1]
    elif not rest:
        if key in node:
            raise given_twice(name)
        node[key] = value
        return
    else:
        child = node.setdefault(key, _container(rest))
    if not isinstance(child, (dict, list)):
        raise given_twice(name)
    _place(child, rest, value, name)


def _container(keys: list[str]) -> dict[str, Any] | list[Any]:
    return [] if keys[0] == "" else {}


def text_of(name: str, data: bytes | bytearray) -> str:
    """UTF-8, or `MalformedError`."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_utf8(name) from error


def not_utf8(name: str) -> MalformedError:
    """The error for text in another encoding."""
    return MalformedError(f"{label(name)}: must be encoded in UTF-8")


def too_many_parts(num_parts: int) -> TooLargeError:
    """The error for a form beyond `MAX_PARTS`."""
    return TooLargeError("body", f"{num_parts:,} parts", f"a form has at most {MAX_PARTS}; JSON holds more")


def too_long(name: str, size_bytes: int) -> TooLargeError:
    """The error for a field beyond `MAX_FIELD_BYTES`."""
    return TooLargeError(label(name), f"{size_bytes:,} bytes", f"a form's field has at most {MAX_FIELD_BYTES:,} bytes")
