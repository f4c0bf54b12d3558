"""What was accepted when: the past that forecasts and scaling look at. Counts work that devices had to do; hits and followers are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Integer, cast, func, select

from cinelet.errors import InvalidValueError
from cinelet.jobs.database import Database
from cinelet.jobs.schema import jobs, tenants
from cinelet.video import check_number

MAX_BUCKETS = 5000
"""More than two weeks of five minutes."""
MAX_SPAN_S = 366 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Past:
    """Jobs and their predicted device seconds, a bucket each, the newest last and ending at `end_s` (unix seconds)."""

    end_s: float
    bucket_s: float
    num_jobs: Sequence[int]
    work_s: Sequence[float]


class History:
    """Looks back at accepted jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accepted(self, *, bucket_s: float, num_buckets: int) -> Past:
        """The last `num_buckets` whole buckets up to now. Raises `InvalidValueError` for more than there may be."""
        check_number("bucket_s", bucket_s, 1.0, MAX_SPAN_S)
        if not 1 <= num_buckets <= MAX_BUCKETS or num_buckets * bucket_s > MAX_SPAN_S:
            raise InvalidValueError("history_s", num_buckets * bucket_s, f"must be 1 to {MAX_BUCKETS:,} buckets within a year")
        end_s = self._database.clock()
        start_s = end_s - num_buckets * bucket_s
        c = jobs.c
        place = (c.created_at - start_s) / bucket_s
        number = cast(place if self._database.is_sqlite else func.floor(place), Integer).label("number")  # SQLite's cast cuts off
        query = (
            # by tenant, because that is the index that knows when jobs came
            select(number, func.count(), func.sum(c.work_s))
            .select_from(tenants.join(jobs, c.tenant == tenants.c.id))
            .where(c.created_at >= start_s, c.created_at < end_s, c.leader_id.is_(None), c.result_of.is_(None))
            .group_by(number)
        )
        num_jobs, work_s = [0] * num_buckets, [0.0] * num_buckets
        for place_of, count, work in self._database.read(lambda connection: connection.execute(query).all()):
            at = min(place_of, num_buckets - 1)
            num_jobs[at] += count
            work_s[at] += work
        return Past(end_s=end_s, bucket_s=bucket_s, num_jobs=num_jobs, work_s=work_s)
