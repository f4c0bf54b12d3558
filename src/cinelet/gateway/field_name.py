"""A field's name as clients write it: `seed`, `input_reference[image_url]`, `tags[]`, `loras[][name]`. Nothing of values."""

from __future__ import annotations

import re

from cinelet.errors import MalformedError, show

MAX_DEPTH = 32
"""How deep objects and lists may lie in each other, in JSON and in names with brackets. Our own fields need three."""
MAX_NAME_CHARS = 256
BRACKETED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
PLAIN = re.compile(r"[\w.\-\[\]]{1,64}")


def split(name: str) -> list[str]:
    """The keys that lead to a value, outermost first; the empty key stands for a list. A name without sound brackets is one key.

    Raises `MalformedError` for a name that is empty, too long or too deep.
    """
    if not name or len(name) > MAX_NAME_CHARS:
        raise MalformedError(f"body: a field's name must have 1 to {MAX_NAME_CHARS} characters, and one has {len(name):,}")
    match = BRACKETED.fullmatch(name)
    if match is None:
        return [name]
    keys = [match[1], *match[2][1:-1].split("][")]
    if len(keys) > MAX_DEPTH:
        raise MalformedError(f"{label(name)}: must not be nested more than {MAX_DEPTH} deep")
    return keys


def label(name: str) -> str:
    """A client's name for use in messages: as it came where that is harmless, else shown as a value is."""
    return name if PLAIN.fullmatch(name) else show(name)
