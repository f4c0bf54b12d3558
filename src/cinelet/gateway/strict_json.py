"""JSON as it should have been sent: one meaning, nothing that a store, an encoder or an engine cannot carry. Nothing of HTTP.

Python's own reader is kinder: it lets the last of two equal keys win, reads NaN, and gives half surrogate pairs that fail only
when they are encoded (RFC 8259, sections 4, 6 and 8.2, leaves all three open).
"""

from __future__ import annotations

import json
import math
from typing import Any

from cinelet.errors import MalformedError, UnusableValueError
from cinelet.gateway.field_name import MAX_DEPTH, label

MAX_DIGITS = 4300
"""The longest integer that CPython reads from text, whose work grows with the square of the length (`sys.int_info`)."""
MAX_VALUES = 10_000
"""Values in one body; a request with every field has fewer than a hundred."""
INT64 = range(-(2**63), 2**63)


def parse_json(text: str, name: str | None = None) -> Any:
    """The value of `text`, which came in the field `name` or as the whole body. Raises as `check_usable`, and `MalformedError`."""
    place = "body" if name is None else label(name)
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_int=_bounded_integer)
    except RecursionError as error:
        raise too_deep(place) from error
    except json.JSONDecodeError as error:
        raise MalformedError(f"{place}: is no JSON; {error.msg} at character {error.pos:,}") from error
    check_usable(value, name)
    return value


def check_usable(value: Any, name: str | None = None) -> None:
    """Raise `UnusableValueError` with the place of a value that nothing can carry, `MalformedError` for too deep or too many.

    Unusable are NUL and half surrogate pairs in text and keys, infinity and NaN, and integers beyond 64 bits.
    """
    pending: list[tuple[str, Any, int]] = [("" if name is None else label(name), value, 0)]
    num_values = 0
    while pending:
        place, found, depth = pending.pop()
        num_values += 1
        if depth > MAX_DEPTH:
            raise too_deep(place.split(".")[0] or "body")
        if isinstance(found, dict):
            for key in found:
                _check_text(key, place or label(key))
            pending += [(f"{place}.{label(key)}" if place else label(key), child, depth + 1) for key, child in found.items()]
        elif isinstance(found, list):
            pending += [(place, child, depth + 1) for child in found]
        else:
            _check_scalar(found, place)
        if num_values + len(pending) > MAX_VALUES:
            raise MalformedError(f"{place or 'body'}: must not hold more than {MAX_VALUES:,} values")


def _check_scalar(value: object, name: str) -> None:
    if isinstance(value, str):
        _check_text(value, name)
    elif isinstance(value, float) and not math.isfinite(value):
        raise UnusableValueError(name, value, "must be a finite number")
    elif isinstance(value, int):
        check_int64(name, value)


def check_int64(name: str, value: int) -> None:
    """Raise `UnusableValueError` for an integer beyond 64 bits."""
    if value not in INT64:
        raise UnusableValueError(name, value, "must fit into 64 bits")


def too_deep(name: str) -> MalformedError:
    """The error for nesting beyond `MAX_DEPTH`."""
    return MalformedError(f"{name}: must not be nested more than {MAX_DEPTH} deep")


def _check_text(text: str, name: str) -> None:
    if "\0" in text:
        raise UnusableValueError(name, text, "must not contain the NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableValueError(name, text, "must be valid Unicode; it contains half of a surrogate pair") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise given_twice(key)
        document[key] = value
    return document


def given_twice(name: str) -> MalformedError:
    """The error for a field that came twice: which one was meant?"""
    return MalformedError(f"{label(name)}: is given twice; send it once")


def _bounded_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise MalformedError(f"body: holds a whole number of {len(text):,} digits; at most 64 bits are taken")
    return int(text)
