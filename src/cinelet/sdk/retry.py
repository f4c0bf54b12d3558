"""When a call is made again, and after how long. Nothing of how calls are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from cinelet.sdk.exchange import Answer, Lost

MAX_RETRIES = 4
"""0.5 + 1 + 2 + 4 s at most: a service that restarts comes back within that; a longer outage is told to the caller."""
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 8.0
MAX_RETRY_AFTER_S = 60.0
"""A longer wait than this is the caller's decision: the error comes at once and says how long."""
RETRIED_STATUSES = (408, 409, 429)
"""Beside every 5xx. 409 is a duplicate still in flight; a conflict for good says `x-should-retry: false`."""


class RetryPolicy:
    """Decides on one failed attempt. `random` gives numbers from 0 to 1, `now` the unix time, for dates in `Retry-After`."""

    def __init__(self, *, random: Callable[[], float], now: Callable[[], float], max_retries: int = MAX_RETRIES) -> None:
        self._random = random
        self._now = now
        self.max_retries = max_retries

    def delay_s(self, outcome: Answer | Lost, num_failures: int) -> float | None:
        """Seconds to wait before the next attempt, or None to stop here. `num_failures` counts the attempts before this one."""
        if num_failures >= self.max_retries or not should_retry(outcome):
            return None
        asked_s = None if isinstance(outcome, Lost) else retry_after_s(outcome.headers, self._now())
        if asked_s is not None:
            return asked_s if asked_s <= MAX_RETRY_AFTER_S else None
        return self.backoff_s(num_failures)

    def backoff_s(self, num_failures: int) -> float:
        """Doubling from `FIRST_DELAY_S` to `MAX_DELAY_S`, less up to a quarter, so that many clients do not come back at once."""
        return float(min(FIRST_DELAY_S * 2 ** min(num_failures, 16), MAX_DELAY_S)) * (1 - self._random() / 4)


def should_retry(outcome: Answer | Lost) -> bool:
    """Whether another attempt can help. The service's own word, `x-should-retry`, goes first."""
    if isinstance(outcome, Lost):
        return True
    told = outcome.headers.get("x-should-retry")
    if told in ("true", "false"):
        return told == "true" and outcome.status >= 400
    return outcome.status in RETRIED_STATUSES or outcome.status >= 500


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """How long the service asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date; None where it says nothing."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("retry-after")
    seconds = _seconds(told)
    if seconds is not None or told is None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - now)
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) and number >= 0 else None
