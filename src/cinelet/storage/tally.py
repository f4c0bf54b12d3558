"""Length and digest of bytes on their way into or out of a store, and the checks that rest on them. Nothing of stores."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from cinelet.draft import Draft, explained
from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.storage.artifact import Artifact
from cinelet.storage.blob_info import BlobInfo
from cinelet.storage.port import CHUNK_BYTES, MAX_URL_LIFETIME_S


class Tally:
    """Counts what passes: `size_bytes` and, in `sha256`, its digest so far."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._digest.update(chunk)
            self.size_bytes += len(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        """Lower-case hexadecimal."""
        return self._digest.hexdigest()

    def artifact(self, key: str, content_type: str, stored: BlobInfo | None) -> Artifact:
        """What was stored, once the store confirms its length. Raises `UnavailableError` where it kept something else."""
        if stored is None or stored.size_bytes != self.size_bytes:
            kept = "nothing" if stored is None else f"{stored.size_bytes:,} bytes"
            raise UnavailableError(f"{key}: {self.size_bytes:,} bytes were sent, but the store holds {kept}")
        return Artifact(key, content_type, self.size_bytes, self.sha256)

    def check_digest(self, key: str, sha256: str | None) -> None:
        """Raise `UnavailableError` where something else came than what was once stored."""
        if sha256 is not None and self.sha256 != sha256:
            raise UnavailableError(f"{key}: the store gave other content than was put there", detail=f"{self.sha256=} {sha256=}")


def chunks_of(path: Path) -> Iterator[bytes]:
    """The content of a file, piece by piece. Raises `InvalidValueError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise InvalidValueError("path", str(path), f"must be a readable file; {error.strerror or 'it cannot be read'}") from error


def write_chunks(path: Path, chunks: Iterable[bytes]) -> None:
    """Fill an existing file."""
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)


def save(chunks: Iterable[bytes], path: Path, key: str, sha256: str | None) -> None:
    """Write a blob to a file of the caller's, whole or not at all. Raises what `Draft` raises, and see `check_digest`."""
    tally = Tally(chunks)
    with Draft(path) as draft:
        with explained(path):
            write_chunks(draft.path, tally)
        tally.check_digest(key, sha256)


def check_range(info: BlobInfo, start: int, length: int) -> None:
    """A range must lie within the blob."""
    if not 0 <= start <= info.size_bytes:
        raise InvalidValueError("start", start, f"must be 0 to {info.size_bytes:,}, the length of {info.key}")
    if not 0 <= length <= info.size_bytes - start:
        raise InvalidValueError("length", length, f"must be 0 to {info.size_bytes - start:,} from byte {start:,} of {info.key} on")


def check_size(info: BlobInfo, max_bytes: int) -> None:
    """A blob that is read at once must fit."""
    if info.size_bytes > max_bytes:
        raise InvalidValueError("size_bytes", info.size_bytes, f"{info.key} must have at most {max_bytes:,} bytes to be read at once")


def check_lifetime(expires_s: int) -> None:
    """A link must die soon."""
    if not 1 <= expires_s <= MAX_URL_LIFETIME_S:
        raise InvalidValueError("expires_s", expires_s, f"must be 1 to {MAX_URL_LIFETIME_S:,} seconds")
