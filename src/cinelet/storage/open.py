"""From a URL to a `BlobStore`: where blobs live is one setting. Nothing of what is stored."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from obstore.store import MemoryStore, S3Store

from cinelet.errors import InvalidValueError
from cinelet.storage.bucket import BucketBlobs
from cinelet.storage.folder import FolderBlobs
from cinelet.storage.port import BlobStore
from cinelet.storage.s3 import open_s3

LIMIT = "must be a folder, file:///folder, s3://bucket/prefix?endpoint=…&region=… or memory://"
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
BUCKET_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
ENDPOINT = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+/?")
REGION = re.compile(r"[a-z0-9-]{1,32}")


def open_blobs(url: str) -> BlobStore:
    """The store that `url` names; a folder is created, a bucket must exist.

    - `/srv/blobs`, `blobs`, `file:///srv/blobs`: a folder of this machine
    - `s3://bucket/prefix?endpoint=https://host:port&region=name`: S3 or what speaks its protocol; credentials from `AWS_…`
    - `memory://`: this process's memory, new and empty each time; for tests

    Raises `InvalidValueError` for anything else.
    """
    if not url.strip() or "\0" in url:
        raise refused(url, LIMIT)
    if "://" not in url:
        if ":" in url.partition("/")[0]:
            raise refused(url, LIMIT)  # `s3:/bucket` is a slip, not a folder
        return FolderBlobs(Path(url))
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise refused(url, LIMIT) from error
    if "@" in parts.netloc or "@" in unquote(parts.query):
        raise InvalidValueError("blobs", f"{parts.scheme}://…", "must not carry credentials; they come from the environment")
    match parts.scheme:
        case "file":
            return open_folder(url, parts)
        case "s3":
            return BucketBlobs(open_bucket(url, parts))
        case "memory" if url == "memory://":
            return BucketBlobs(MemoryStore())
        case _:
            raise refused(url, LIMIT)


def open_folder(url: str, parts: SplitResult) -> BlobStore:
    """`file:///folder`."""
    path = unquote(parts.path)
    if parts.netloc or parts.query or parts.fragment or not path.startswith("/") or "\0" in path:
        raise refused(url, "must be file:/// and an absolute folder, and nothing else")
    return FolderBlobs(Path(path))


def open_bucket(url: str, parts: SplitResult) -> S3Store:
    """`s3://bucket/prefix?endpoint=…&region=…`."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    prefix = parts.path.strip("/")
    endpoint = options.pop("endpoint", None)
    region = options.pop("region", None)
    if options or parts.fragment:
        raise refused(url, "its options are endpoint and region")
    check(url, "bucket", parts.netloc, BUCKET)
    check(url, "prefix", prefix or None, BUCKET_PREFIX)
    check(url, "endpoint", endpoint, ENDPOINT)
    check(url, "region", region, REGION)
    return open_s3(parts.netloc, prefix=prefix or None, endpoint=endpoint, region=region)


def check(url: str, part: str, value: str | None, pattern: re.Pattern[str]) -> None:
    """A part that is there must have its form."""
    if value is not None and pattern.fullmatch(value) is None:
        raise refused(url, f"its {part} must match {pattern.pattern}")


def refused(url: str, limit: str) -> InvalidValueError:
    """The error about the setting."""
    return InvalidValueError("blobs", url, limit)
