"""The LoRA adapters of a request, in the forms that clients send them. Knows the grammar, not which adapters there are."""

from __future__ import annotations

from typing import Any

from cinelet.errors import InvalidValueError
from cinelet.gateway.given import Given
from cinelet.video import LoraUse, check_loras, lora_named

SCALE_NAMES = ("scale", "strength", "weight")
GRAMMAR = 'must be names ("ink:0.8, noir") or a list of objects with name and scale'


def read_loras(given: Given) -> tuple[LoraUse, ...]:
    """`loras` as a list of names or objects, one object, or text `ink:0.8, noir`; `lora_strength` is the scale of a single one."""
    value, strength = given.find("loras"), given.number("lora_strength")
    if not value:
        return ()
    try:
        uses = tuple(_use(entry) for entry in _entries(value))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise given.refuse("loras", GRAMMAR) from error
    if strength is not None:
        if len(uses) != 1:
            raise given.refuse("lora_strength", "is the scale of one adapter; give each its own scale")
        uses = (uses[0]._replace(scale=strength),)
    try:
        check_loras(uses)
    except InvalidValueError as error:
        raise InvalidValueError(given.written("loras"), error.value, error.limit) from error
    return uses


def _entries(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, list) else [value]


def _use(entry: Any) -> LoraUse:
    """One adapter; a path is refused with the names, where `check_loras` looks at them."""
    if isinstance(entry, str):
        return lora_named(entry)
    scales = [entry[name] for name in SCALE_NAMES if entry.get(name) is not None]
    if not isinstance(entry["name"], str) or set(entry) - {"name", *SCALE_NAMES} or len(scales) > 1:
        raise ValueError(entry)
    return LoraUse(entry["name"], float(scales[0]) if scales else 1.0)
