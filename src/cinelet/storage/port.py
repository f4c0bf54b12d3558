"""What the rest of cinelet asks of a place for blobs. Nothing of disks, buckets or HTTP.

Every method may raise `UnavailableError`: the store is full, down, slow or refuses its credentials; try again, or elsewhere. A
key that has another form than `cinelet.storage.key` allows is an `InvalidValueError` before anything is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cinelet.storage.artifact import Artifact
from cinelet.storage.blob_info import BlobInfo

CHUNK_BYTES = 1 << 20
"""The longest piece that `read` yields, and so the most memory that one download holds."""
MAX_URL_LIFETIME_S = 900
"""A link is a key that anyone may use who sees it; a quarter of an hour is enough to start a download."""


class BlobStore(Protocol):
    """Blobs under keys. A blob is seen whole or not at all, and is durable once its `put` has returned.

    Of several puts to one key at the same time the last one wins. All methods may be called from any thread.
    """

    def put_file(self, key: str, path: Path, content_type: str) -> Artifact:
        """Store a copy of the file at `path`. Raises `InvalidValueError` where that cannot be read."""

    def put_bytes(self, key: str, data: bytes, content_type: str) -> Artifact:
        """Store `data`."""

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        """The whole content. Raises `NotFoundError`, and `InvalidValueError` where it is longer than `max_bytes`."""

    def get_file(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        """Copy the content to `path`, which appears whole or not at all.

        Where `sha256` is given, content of another digest is not published and is an `UnavailableError`. Raises `NotFoundError`,
        and what `cinelet.draft.Draft` raises about `path`.
        """

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """`length` bytes from byte `start` on, in pieces of at most `CHUNK_BYTES`.

        A missing key (`NotFoundError`) and a range that leaves the content (`InvalidValueError`) are told by the call itself, before
        the first piece. The pieces come from one version of the blob: one that vanishes or changes meanwhile is an `UnavailableError`.
        """

    def find(self, key: str) -> BlobInfo | None:
        """What is stored under `key`, or None."""

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """All blobs of one job (`{job_id}`), of one attempt (`{job_id}/{token}`) or, by default, of the store; in no order.

        What lies in the same place without the form of a key is not ours and is left out.
        """

    def delete(self, key: str) -> None:
        """Remove a blob; a missing one is fine."""

    def delete_prefix(self, prefix: str) -> int:
        """Remove all blobs of one job or attempt, and tell how many there were. The empty prefix is refused."""

    def drop_drafts(self, before_at: float) -> int:
        """Remove what cut uploads left, untouched since `before_at` (unix seconds), and tell how many there were.

        Nobody ever sees these pieces. A bucket removes its own by a lifecycle rule; there this does nothing.
        """

    def signed_url(self, key: str, expires_s: int) -> str | None:
        """A link that lets anyone read the blob for `expires_s` seconds, 1 to `MAX_URL_LIFETIME_S`.

        None where the store speaks no HTTP: the gateway then serves the blob itself, under a signature of `cinelet.storage.Signer`.
        """
