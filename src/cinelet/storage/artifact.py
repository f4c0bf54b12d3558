"""What was stored, as the database remembers it. Nothing of where it is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from cinelet.errors import InvalidValueError
from cinelet.storage.key import parse_key

CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_SIZE_BYTES = 1 << 40
"""A tebibyte is no clip but a fault."""


@dataclass(frozen=True)
class Artifact:
    """A blob that was stored whole: its key, media type, length in bytes and SHA-256 in lower-case hexadecimal.

    Raises `InvalidValueError`: what is read back from a database row or a message is checked like what is new.
    """

    key: str
    content_type: str
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        parse_key(self.key)
        check_content_type(self.content_type)
        if isinstance(self.size_bytes, bool) or not isinstance(self.size_bytes, int) or not 0 <= self.size_bytes <= MAX_SIZE_BYTES:
            raise InvalidValueError("size_bytes", self.size_bytes, f"must be a whole number from 0 to {MAX_SIZE_BYTES:,}")
        if not isinstance(self.sha256, str) or SHA256.fullmatch(self.sha256) is None:
            raise InvalidValueError("sha256", self.sha256, "must be 64 lower-case hexadecimal digits")

    def to_json(self) -> dict[str, Any]:
        """A dict that JSON can carry."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """What `to_json` gave. Raises `InvalidValueError` for missing, unknown or ill-formed fields."""
        names = ["key", "content_type", "size_bytes", "sha256"]
        if set(fields) != set(names):
            raise InvalidValueError("artifact", sorted(map(str, fields)), f"must have exactly the fields {', '.join(names)}")
        return cls(**fields)


def check_content_type(content_type: str) -> None:
    """A plain `type/subtype` in lower case: it goes into HTTP headers as it stands."""
    if not isinstance(content_type, str) or CONTENT_TYPE.fullmatch(content_type) is None:
        raise InvalidValueError("content_type", content_type, "must be type/subtype in lower case, without parameters")
