"""Finds and removes what dead attempts left: blobs that no job will ever name. Who is alive is told by the caller.

A crash between upload and commit, and a worker that lost its lease, leave whole blobs under the token of an attempt that is over.
A token that died stays dead, and no token is used twice; so what is dead when it is looked at may be removed later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cinelet.errors import InvalidValueError
from cinelet.storage.blob_info import BlobInfo
from cinelet.storage.key import parse_key
from cinelet.storage.port import BlobStore

MIN_AGE_S = 3600.0
"""An hour: longer than any upload, any difference between our clock and the store's, and any database replica's delay."""

IsLive = Callable[[str, str], bool]
"""`(job_id, token)` → whether that attempt holds its lease, or is the one whose result the job names."""


def orphans(infos: Iterable[BlobInfo], is_live: IsLive, now: float, min_age_s: float = MIN_AGE_S) -> list[str]:
    """The prefixes of dead attempts, sorted, whose youngest blob is at least `min_age_s` old at `now` (unix seconds).

    `is_live` is asked once for each attempt that is old enough. Memory: one number for each attempt that has blobs.
    """
    if min_age_s < 0:
        raise InvalidValueError("min_age_s", min_age_s, "must be 0 or more seconds")
    youngest: dict[tuple[str, str], float] = {}
    for info in infos:
        job_id, token, _ = parse_key(info.key)
        youngest[job_id, token] = max(info.last_modified_at, youngest.get((job_id, token), info.last_modified_at))
    old = sorted(attempt for attempt, modified_at in youngest.items() if now - modified_at >= min_age_s)
    return [f"{job_id}/{token}" for job_id, token in old if not is_live(job_id, token)]


def sweep(store: BlobStore, is_live: IsLive, now: float, min_age_s: float = MIN_AGE_S) -> int:
    """Remove the blobs of dead attempts, and drafts as old; tell how many of both there were."""
    count = sum(store.delete_prefix(prefix) for prefix in orphans(store.list(), is_live, now, min_age_s))
    return count + store.drop_drafts(now - min_age_s)
