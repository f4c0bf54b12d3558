"""Blobs in an obstore store: S3 and what speaks its protocol, or this process's memory. Nothing of how such a store is opened.

A put is atomic there: an object is seen once its last part and its completion have arrived, and an upload that fails is aborted.
Parts that a killed process leaves are removed by the bucket's lifecycle rule (`docs/guides/storage.md`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import MemoryStore, S3Store

from cinelet.errors import NotFoundError, UnavailableError
from cinelet.storage.artifact import Artifact, check_content_type
from cinelet.storage.blob_info import BlobInfo
from cinelet.storage.key import check_prefix, is_key, parse_key
from cinelet.storage.port import CHUNK_BYTES
from cinelet.storage.tally import Tally, check_lifetime, check_range, check_size, chunks_of, save

PART_BYTES = 8 << 20
"""What travels in one request. S3 wants parts of 5 MiB or more and takes 10,000 of them: 78 GiB."""
MAX_PARTS_UNDER_WAY = 4
"""With `PART_BYTES` the memory that one upload takes: 32 MiB."""
LIST_PAGE = 1000
"""The most objects that S3 names in one answer."""


class BucketBlobs:
    """A `BlobStore` on an obstore store that is already open and belongs to it."""

    def __init__(self, store: S3Store | MemoryStore) -> None:
        self._store = store

    def put_file(self, key: str, path: Path, content_type: str) -> Artifact:
        """Store a copy of the file at `path`."""
        return self._put(key, chunks_of(path), content_type)

    def put_bytes(self, key: str, data: bytes, content_type: str) -> Artifact:
        """Store `data`."""
        return self._put(key, [data], content_type)

    def get_bytes(self, key: str, max_bytes: int) -> bytes:
        """The whole content, if it is short enough."""
        info = self._get(key)
        check_size(info, max_bytes)
        return b"".join(self._pieces(info, 0, info.size_bytes))

    def get_file(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        """Copy the content to `path`, whole or not at all."""
        info = self._get(key)
        save(self._pieces(info, 0, info.size_bytes), path, key, sha256)

    def read(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """A part of the content, piece by piece."""
        info = self._get(key)
        check_range(info, start, length)
        return self._pieces(info, start, length)

    def find(self, key: str) -> BlobInfo | None:
        """What is stored under `key`, or None."""
        parse_key(key)
        with translated(key):
            try:
                return info_of(obstore.head(self._store, key))
            except FileNotFoundError:
                return None

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """All blobs below `prefix`."""
        top = check_prefix(prefix) if prefix else None
        with translated("list"):
            for page in obstore.list(self._store, top, chunk_size=LIST_PAGE):
                yield from (info_of(found) for found in page if is_key(found["path"]))

    def delete(self, key: str) -> None:
        """Remove a blob; a missing one is fine."""
        parse_key(key)
        with translated(key), suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    def delete_prefix(self, prefix: str) -> int:
        """Remove all blobs of one job or attempt, a page at a time."""
        check_prefix(prefix)
        count = 0
        infos = self.list(prefix)
        while keys := [info.key for info in itertools.islice(infos, LIST_PAGE)]:
            with translated(prefix), suppress(FileNotFoundError):
                obstore.delete(self._store, keys)
            count += len(keys)
        return count

    def drop_drafts(self, before_at: float) -> int:  # noqa: ARG002 - the port's
        """Nothing: parts of a cut upload are the lifecycle rule's."""
        return 0

    def signed_url(self, key: str, expires_s: int) -> str | None:
        """A link of S3's own; None for memory."""
        parse_key(key)
        check_lifetime(expires_s)
        if isinstance(self._store, MemoryStore):
            return None
        with translated(key):
            return obstore.sign(self._store, "GET", key, timedelta(seconds=expires_s))

    def _get(self, key: str) -> BlobInfo:
        info = self.find(key)
        if info is None:
            raise NotFoundError(f"{key}: there is no such blob")
        return info

    def _put(self, key: str, chunks: Iterable[bytes], content_type: str) -> Artifact:
        parse_key(key)
        check_content_type(content_type)
        tally = Tally(chunks)
        rest = iter(tally)
        first = take(rest, PART_BYTES)
        with translated(key):
            obstore.put(
                self._store,
                key,
                first if len(first) < PART_BYTES else itertools.chain([first], rest),
                attributes={"Content-Type": content_type},
                use_multipart=len(first) >= PART_BYTES,
                chunk_size=PART_BYTES,
                max_concurrency=MAX_PARTS_UNDER_WAY,
            )
        return tally.artifact(key, content_type, self.find(key))

    def _pieces(self, info: BlobInfo, start: int, length: int) -> Iterator[bytes]:
        """One short request a piece: a reader who takes an hour holds no connection that could time out."""
        end = start + length
        while start < end:
            stop = min(start + CHUNK_BYTES, end)
            with translated(info.key):
                piece = bytes(obstore.get(self._store, info.key, options={"range": (start, stop), "if_match": info.etag}).bytes())
            if len(piece) != stop - start:
                raise UnavailableError(f"{info.key}: the store gave {len(piece):,} bytes instead of {stop - start:,}")
            yield piece
            start = stop


def info_of(found: obstore.ObjectMeta) -> BlobInfo:
    """obstore's words in ours. S3 always gives a tag; without one a reader could get a mixture of two versions."""
    if found["e_tag"] is None:
        raise UnavailableError(f"{found['path']}: the store gives no ETag")
    return BlobInfo(found["path"], found["size"], found["last_modified"].timestamp(), found["e_tag"])


def take(chunks: Iterator[bytes], min_bytes: int) -> bytes:
    """The next chunks together: at least `min_bytes`, or all there is."""
    taken: list[bytes] = []
    length = 0
    while length < min_bytes and (chunk := next(chunks, None)) is not None:
        taken.append(chunk)
        length += len(chunk)
    return b"".join(taken)


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """obstore's errors as ours. Addresses, buckets and requests stay in the private detail.

    That credentials or the bucket are refused is nothing that whoever asks for a blob could change: it is `UnavailableError` too.
    """
    try:
        yield
    except (BaseError, OSError) as error:
        raise UnavailableError(f"{subject}: the store failed; {reason_of(error)}", detail=str(error)) from error


def reason_of(error: Exception) -> str:
    """What an operator should look at first."""
    match error:
        case PreconditionError():
            return "the blob changed while it was read"
        case FileNotFoundError():
            return "the blob or its bucket is gone"
        case PermissionDeniedError() | UnauthenticatedError():
            return "it refuses the credentials"
        case _:
            return "it gave no usable answer"
