"""What a store says about a blob it holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BlobInfo:
    """Length in bytes, when it was written (unix seconds, by the store's clock), and a tag that changes with the content.

    `etag` is quoted as HTTP wants it; it tells versions of one key apart and is no digest.
    """

    key: str
    size_bytes: int
    last_modified_at: float
    etag: str
