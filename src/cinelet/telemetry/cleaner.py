"""What may stand in a log line: plain, short values without prompts and without secrets. Nothing of how lines are written.

A prompt is private: it is shown as its length and a digest, which still tells equal prompts apart. A secret is not shown at
all, since the digest of a short one can be guessed. Objects are shown by type only, because their own text may hold either.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from cinelet.errors import CineletError, InvalidValueError

PROMPTS = frozenset({"prompt", "negative_prompt", "prompts", "text", "body", "input", "caption"})
SECRETS = frozenset({"key", "secret", "token", "authorization", "password", "cookie", "signature", "credentials", "jwt", "dsn"})
"""Names of what is hidden; a longer name that ends in one of them, such as `api_key` or `Set-Cookie`, counts too."""
HIDDEN = "hidden"

LOOKS_SECRET = re.compile(r"(?i)(bearer\s+|whsec_|\bsk[-_]|\beyJ|\bcinelet_(?=[\w-]{43}))[^\s\"',]+|(://[^/\s:@]*:)[^/\s@]+(?=@)")
"""In running text: tokens after Bearer, webhook secrets, API keys, passwords in addresses."""
QUERY = re.compile(r"\?[^\s\"'<>]+")
"""Of an address: signatures of storage and keys of careless clients stand there."""

MAX_TEXT_CHARS = 2_000
MAX_ITEMS = 50
MAX_DEPTH = 4
MAX_FRAMES = 30
"""Enough to read an event; a hostile value must not fill the disk."""


def clean(name: object, value: object, depth: int = 0) -> Any:
    """`value` as JSON can carry it; `name` is what it is called where it stands. Never raises."""
    if value is None or isinstance(value, bool):
        return value
    kind = kind_of(name)
    if kind == "secret":
        return HIDDEN
    if kind == "prompt":
        return fingerprint(value)
    if isinstance(value, BaseException):
        return clean_error(value)
    for types, make_plain in PLAIN:
        if isinstance(value, types):
            return make_plain(value)
    return clean_inner(value, depth)


def clean_inner(value: object, depth: int) -> Any:
    """What has values inside, down to `MAX_DEPTH`; anything else by its type."""
    if depth < MAX_DEPTH:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return {clean_name(name): clean(name, inner, depth + 1) for name, inner in list(value.items())[:MAX_ITEMS]}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [clean("", inner, depth + 1) for inner in list(value)[:MAX_ITEMS]]
    return f"<{type(value).__name__}>"


def clean_text(text: str) -> str:
    """`text` without what looks like a secret, cut to `MAX_TEXT_CHARS`."""
    shown = LOOKS_SECRET.sub(rf"\1\2{HIDDEN}", text[:MAX_TEXT_CHARS])
    return shown if len(text) <= MAX_TEXT_CHARS else f"{shown}… ({len(text):,} characters)"


def clean_name(name: object) -> str:
    """A key of an object, as text."""
    return clean_text(name) if isinstance(name, str) else f"<{type(name).__name__}>"


def clean_number(value: float) -> float | int | str:
    """JSON has no NaN, no infinity, and readers no integers of a thousand digits."""
    if isinstance(value, int):
        return value if abs(value) < 1 << 64 else f"<int of {value.bit_length()} bits>"
    return value if math.isfinite(value) else repr(value)


def clean_error(error: BaseException) -> dict[str, Any]:
    """Type, sentence and frames of an error, and the type of what caused it.

    A foreign error tells its first line only: database drivers put statement and parameters, prompts included, below it.
    """
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    shown: dict[str, Any] = {"type": type(error).__qualname__, "message": sentence_of(error)}
    if isinstance(error, CineletError) and error.detail:
        shown["detail"] = clean_text(first_line(error.detail))
    if cause is not None:
        shown["cause"] = f"{type(cause).__qualname__}: {sentence_of(cause)}"
    return shown | {"frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}


def sentence_of(error: BaseException) -> str:
    """What an error says, without the value of a field that may not be shown."""
    if isinstance(error, InvalidValueError) and kind_of(error.field) is not None:
        return f"{error.field}: {clean(error.field, error.value)}; {error.limit}"
    try:
        return clean_text(first_line(str(error)))
    except Exception as failure:  # noqa: BLE001 - a foreign __str__ may do anything
        return f"<{type(failure).__name__} in its own text>"


def first_line(text: str) -> str:
    """Up to the first line break."""
    return text.split("\n", 1)[0]


def fingerprint(value: object) -> str:
    """Length and digest in place of a private text; nothing of what is no text."""
    if not isinstance(value, str):
        return HIDDEN
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{len(value)} characters, blake2b {digest}"


def kind_of(name: object) -> str | None:
    """Whether a value of this name is a `prompt`, a `secret`, or neither."""
    if not isinstance(name, str):
        return None
    folded = name.lower().replace("-", "_")
    last = folded.rsplit("_", 1)[-1]
    if folded in SECRETS or last in SECRETS:
        return "secret"
    return "prompt" if folded in PROMPTS or last in PROMPTS else None


PLAIN: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (Enum, lambda value: clean("", value.value)),
    (str, clean_text),
    ((int, float), clean_number),
    ((bytes, bytearray), lambda value: f"<{len(value)} bytes>"),
    ((PurePath, UUID), lambda value: clean_text(str(value))),
    (datetime, lambda value: value.isoformat()),
)
"""Types that have a plain form, with how to make it; the first that fits is taken."""
