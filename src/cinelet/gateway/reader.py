"""Bodies read: what one asks for, and the digest that equal ones share. What was read a moment ago is not read again.

Whoever asks for a clip that is finished sends what was sent before. Reading it anew took a fifth of a hit (benchmarks/service.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cinelet.gateway.body import Body
from cinelet.gateway.fields import FindCard, Parsed, parse_fields
from cinelet.gateway.recent import Recent

MAX_RECENT = 2048
MAX_RECENT_CHARS = 4096
"""Longer bodies are not kept. All together take 8 MB at most."""


@dataclass(frozen=True)
class Reading:
    """A body that can be acted on. `digest` is equal for equal submissions to one path."""

    asked: Parsed
    digest: str


class Reader:
    """Reads for the models that `card_of` knows. Nobody changes what a reading holds."""

    def __init__(self, card_of: FindCard) -> None:
        self._card_of = card_of
        self._recent: Recent[Reading] = Recent(MAX_RECENT)

    def read(self, body: Body, path: str, *, is_strict: bool = False, route_fields: Collection[str] = ()) -> Reading:
        """What `body` asks for of `path`, whose own the `route_fields` are. Raises as `parse_fields`."""
        document = _document_of(body, path) if body.text is None else None
        content = document or body.text or b""
        name = (path, is_strict, document is None, content)
        is_short = len(content) <= MAX_RECENT_CHARS and not body.files
        reading = self._recent.get(name) if is_short else None
        if reading is None:
            parsed = parse_fields(body, self._card_of, is_strict=is_strict, route_fields=route_fields)
            reading = Reading(parsed, hashlib.sha256(document or _document_of(body, path)).hexdigest())
        if is_short:
            self._recent.keep(name, reading)
        return reading


def _document_of(body: Body, path: str) -> bytes:
    """The parsed fields, since a form's boundary is new at every try."""
    files = {name: hashlib.sha256(upload.data).hexdigest() for name, upload in body.files.items()}
    document: Any = [path, body.fields, files]
    return json.dumps(document, sort_keys=True, default=str).encode()
