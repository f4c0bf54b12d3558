"""The name of a blob: `{job_id}/{token}/{name}`. Every path and every object name is built from a key that passed here.

The token is the lease token of the attempt that wrote the blob. Two attempts at one job therefore never write to one place, and
what a dead attempt left can be told from its name. Nothing of where blobs are kept.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cinelet.errors import InvalidValueError

JOB_ID = r"video_[a-z0-9]{1,12}_[0-9A-HJKMNP-TV-Z]{26}"
TOKEN = r"[0-9a-f]{16,64}"  # noqa: S105 - a pattern, not a secret
NAME = r"[a-z0-9_-][a-z0-9._-]{0,63}"

KEY = re.compile(f"(?P<job_id>{JOB_ID})/(?P<token>{TOKEN})/(?P<name>{NAME})")
PREFIX = re.compile(f"{JOB_ID}(/{TOKEN})?")

KEY_LIMIT = "must be {job_id}/{token}/{name}: a video id, 16 to 64 hexadecimal digits, 1 to 64 of a-z 0-9 . _ - with no dot in front"
PREFIX_LIMIT = "must be {job_id} or {job_id}/{token}"


class BlobKey(NamedTuple):
    """The three parts of a key."""

    job_id: str
    token: str
    name: str

    @property
    def prefix(self) -> str:
        """What all blobs of the same attempt begin with."""
        return f"{self.job_id}/{self.token}"


def blob_key(job_id: str, token: str, name: str) -> str:
    """The key of one blob. Raises `InvalidValueError` where a part has another form."""
    key = f"{job_id}/{token}/{name}"
    parse_key(key)
    return key


def parse_key(key: str) -> BlobKey:
    """The parts of `key`. Raises `InvalidValueError` for anything that is not a key to the last character."""
    found = KEY.fullmatch(key)
    if found is None:
        raise InvalidValueError("key", key, KEY_LIMIT)
    return BlobKey(**found.groupdict())


def is_key(key: str) -> bool:
    """Whether `key` has the form of a key."""
    return KEY.fullmatch(key) is not None


def check_prefix(prefix: str) -> str:
    """`prefix` without a slash at its end. Raises `InvalidValueError` unless it names one job, or one attempt at it."""
    bare = prefix.removesuffix("/")
    if not is_prefix(bare):
        raise InvalidValueError("prefix", prefix, PREFIX_LIMIT)
    return bare


def is_prefix(prefix: str) -> bool:
    """Whether `prefix` has the form `{job_id}` or `{job_id}/{token}`."""
    return PREFIX.fullmatch(prefix) is not None
