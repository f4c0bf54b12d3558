"""How often a tenant may call: submissions by the tenant's own limit, reads by one generous limit for all.

A sliding window of a minute, counted in this process or in a store that all gateways share. A shared store that fails or
dawdles is left alone for a while, and a stricter count in this process takes its place: never none.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from limits import RateLimitItemPerMinute, storage
from limits.aio.storage import MemoryStorage, SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError

from cinelet.errors import InternalError, InvalidValueError, RateLimitedError
from cinelet.jobs import Tenant

WINDOW_S = 60.0
READS_PER_MINUTE = 6000
"""A hundred a second: stock clients poll ten times a second for each clip they wait for."""
STORE_TIMEOUT_S = 0.05
"""What a slow store may add to a request."""
STORE_REST_S = 5.0
"""How long a store that failed is not asked again."""
STRICTNESS = 4
"""Counting alone, a gateway allows this fraction: it cannot know what the others let through."""

Kind = Literal["submit", "read"]


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What is left of a limit after a call. `reset_s` is when all of it is free again if no other call comes."""

    limit: int
    remaining: int
    reset_s: float

    @property
    def headers(self) -> dict[str, str]:
        """The `x-ratelimit-…-requests` headers, in the notation of OpenAI's."""
        values = {"limit": str(self.limit), "remaining": str(self.remaining), "reset": f"{math.ceil(self.reset_s)}s"}
        return {f"x-ratelimit-{name}-requests": value for name, value in values.items()}


class Limiter:
    """Counts calls in `shared`, a store of `open_counters`, that may take `patience_s` over each.

    `clock` gives monotonic seconds and times the rest of a failed store.
    """

    def __init__(self, shared: Storage, *, patience_s: float = STORE_TIMEOUT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._patience_s = patience_s
        self._local = MemoryStorage()
        self._clock = clock
        self._resting_until = float("-inf")

    @property
    def is_degraded(self) -> bool:
        """Whether the shared store is being left alone."""
        return self._clock() < self._resting_until

    async def spend(self, tenant: Tenant, kind: Kind) -> Allowance | None:
        """Count one call. None: this tenant's calls are not limited. Raises `RateLimitedError` that says when to come back."""
        limit = tenant.requests_per_minute if kind == "submit" else READS_PER_MINUTE
        if limit is None:
            return None
        if not self.is_degraded:
            try:
                async with asyncio.timeout(self._patience_s):
                    return await _spend(self._shared, limit, kind, tenant.id)
            except (StorageError, OSError):  # a timeout is an OSError
                self._resting_until = self._clock() + STORE_REST_S
        return await _spend(self._local, max(1, limit // STRICTNESS) if limit else 0, kind, tenant.id)


def open_counters(url: str | None = None) -> Storage:
    """Where calls are counted: this process (None), or `redis://…`, `rediss://…` for many gateways. Raises `InvalidValueError`."""
    scheme = "memory" if url is None else urlsplit(url).scheme
    try:
        if url is None:
            return MemoryStorage()
        if scheme in {"redis", "rediss"}:
            opened = storage.storage_from_string(f"async+{url}", implementation="redispy", wrap_exceptions=True)
            if isinstance(opened, Storage):
                return opened
    except ConfigurationError as error:
        raise InvalidValueError("cache", f"{scheme}://…", f"cannot be used to count calls; {error}") from error
    raise InvalidValueError("cache", f"{scheme}://…", "must be redis:// or rediss://")


async def _spend(counters: Storage, limit: int, kind: Kind, tenant_id: str) -> Allowance:
    item = RateLimitItemPerMinute(limit, namespace="cinelet")
    is_allowed = await SlidingWindowCounterRateLimiter(counters).hit(item, kind, tenant_id)
    if not isinstance(counters, SlidingWindowCounterSupport):
        raise InternalError("limits: this store counts no sliding window")
    window = await counters.get_sliding_window(item.key_for(kind, tenant_id), int(WINDOW_S))
    if not is_allowed:
        raise RateLimitedError(f"{kind}: more than {limit:,} calls a minute", wait_s(limit, *window))
    previous, previous_ttl_s, current, current_ttl_s = window
    used = math.floor(previous * previous_ttl_s / WINDOW_S + current)
    return Allowance(limit=limit, remaining=max(0, limit - used), reset_s=current_ttl_s if current else previous_ttl_s)


def wait_s(limit: int, previous: int, previous_ttl_s: float, current: int, current_ttl_s: float) -> float:
    """Whole seconds until one more call fits, if no other comes.

    Counted are `current` calls of this window, and those of the `previous` one by the share of it that the last minute still
    covers: `previous_ttl_s` of `WINDOW_S`. `current_ttl_s` is when the calls of this window stop to count.
    """
    if limit <= 0:
        return WINDOW_S
    if current < limit:
        rest_s = previous_ttl_s - WINDOW_S * (limit - current) / previous if previous else 0.0
    else:
        rest_s = current_ttl_s - WINDOW_S * limit / current
    return math.floor(max(0.0, rest_s)) + 1.0
