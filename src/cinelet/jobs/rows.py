"""Rows to values and back: the only place that knows which column holds which field."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from cinelet.jobs.job import Candidate, Failure, Job
from cinelet.video import Plan

PLAIN = tuple(field.name for field in dataclasses.fields(Job) if field.name not in {"plan", "failure"})
"""Fields that are columns of the same name."""
CANDIDATE = tuple(field.name for field in dataclasses.fields(Candidate) if field.name not in {"firm_s", "told_step_s"})


def to_row(job: Job) -> dict[str, Any]:
    """The columns of `job`."""
    row = {name: getattr(job, name) for name in PLAIN}
    failure = job.failure
    return {
        **row,
        "model": job.plan.model,
        "shape": job.plan.shape,
        "plan": dict(vars(job.plan)),
        "failure_code": None if failure is None else failure.code,
        "failure_message": None if failure is None else failure.message,
    }


def to_job(row: RowMapping) -> Job:
    """The job of a whole row."""
    code = row["failure_code"]
    return Job(
        **{name: row[name] for name in PLAIN},
        plan=Plan(**row["plan"]),
        failure=None if code is None else Failure(code=code, message=row["failure_message"]),
    )


def to_candidate(row: Sequence[Any]) -> Candidate:
    """A candidate from its own few columns, in the order of `CANDIDATE`."""
    return Candidate(**dict(zip(CANDIDATE, row, strict=True)))
