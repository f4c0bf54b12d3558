"""The fields a client gave, each under one name, read once and converted: numbers may be text, because forms have nothing else.

A conversion that fails names the field as the client wrote it. Knows nothing of what a field is for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from cinelet.errors import InvalidValueError, UnusableValueError
from cinelet.gateway.field_name import label
from cinelet.gateway.strict_json import MAX_DIGITS, check_int64

T = TypeVar("T")

INTEGER = re.compile(rf"[+-]?[0-9]{{1,{MAX_DIGITS}}}(?:\.0*)?")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
YES, NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


class Given:
    """Values by our names. A text that is empty counts as not given wherever text is not what is asked for.

    Raises `InvalidValueError` where two names of one field came with different values.
    """

    def __init__(self, fields: Mapping[str, Any], aliases: Mapping[str, str]) -> None:
        self._values: dict[str, Any] = {}
        self._written: dict[str, str] = {}
        for written, value in fields.items():
            name = aliases.get(written, written)
            if name not in self._values:
                self._values[name], self._written[name] = value, written
            elif not _is_same(self._values[name], value):
                raise InvalidValueError(
                    written, value, f"is another name of {self._written[name]}, which came as well; send one of the two"
                )

    def names(self) -> Iterable[str]:
        """Our names of what was given, or the client's where we have none."""
        return self._values.keys()

    def written(self, name: str) -> str:
        """The field as the client wrote it."""
        return self._written.get(name, name)

    def find(self, name: str) -> Any:
        """The value as it came, or None."""
        return self._values.get(name)

    def is_off(self, name: str) -> bool:
        """Whether the value asks for nothing: false, zero, empty, or not there."""
        value = self.find(name)
        return not value or (isinstance(value, str) and value.strip().lower() in NO | {""})

    def refuse(self, name: str, limit: str) -> InvalidValueError:
        """The error for the value of `name`."""
        return InvalidValueError(label(self.written(name)), self.find(name), limit)

    def text(self, name: str, max_chars: int) -> str | None:
        """Text as it came, the empty text included."""
        value = self.find(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refuse(name, "must be text")
        if len(value) > max_chars:
            raise self.refuse(name, f"must have at most {max_chars:,} characters")
        return value

    def integer(self, name: str) -> int | None:
        """A whole number: `5`, `5.0`, `"5"`. Raises `UnusableValueError` beyond 64 bits."""
        value = self._not_empty(name)
        if isinstance(value, str) and INTEGER.fullmatch(value):
            value = int(value.partition(".")[0])
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(name, "must be a whole number")
        check_int64(self.written(name), value)
        return value

    def number(self, name: str) -> float | None:
        """A finite number: `3.5`, `"3.5"`. Raises `UnusableValueError` for what is too large, and for NaN and infinity by name."""
        value = self._not_empty(name)
        if value is None:
            return None
        if isinstance(value, str) and (NUMBER.fullmatch(value) or NO_NUMBER.fullmatch(value)):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.refuse(name, "must be a number")
        if not math.isfinite(value):
            raise UnusableValueError(self.written(name), self.find(name), "must be a finite number")
        return value

    def flag(self, name: str) -> bool:
        """True or false; what was not given is false."""
        value = self._not_empty(name)
        word = "false" if value is None else _plain(value).lower()  # also True, as Python clients write it into forms
        if word not in YES | NO:
            raise self.refuse(name, "must be true or false")
        return word in YES

    def choice(self, name: str, allowed: Mapping[str, T]) -> T | None:
        """What `allowed` says for a word, in any case of letters."""
        value = self._not_empty(name)
        if value is None:
            return None
        word = value.lower() if isinstance(value, str) else ""
        if word not in allowed:
            raise self.refuse(name, f"must be one of {', '.join(allowed)}")
        return allowed[word]

    def _not_empty(self, name: str) -> Any:
        value = self.find(name)
        if isinstance(value, str):
            value = value.strip()
            return None if value == "" else value
        return value


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, (str, int, float)) and isinstance(other, (str, int, float)):
        return _plain(one) == _plain(other)
    return bool(one == other) or all(value in ("", [], {}, None) for value in (one, other))


def _plain(value: Any) -> str:
    """A value as a form would have written it: `true` for true, `5` for 5."""
    return str(value).lower() if isinstance(value, bool) else str(value)
