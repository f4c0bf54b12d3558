"""Jobs to rows and back, nothing lost."""

from __future__ import annotations

import dataclasses
from typing import Any

from cinelet.jobs import Candidate, Failure, Job
from cinelet.jobs.rows import CANDIDATE, PLAIN, to_candidate, to_job, to_row
from cinelet.jobs.schema import jobs
from tests.support.world import PLAN

SAMPLES: dict[str, Any] = {"int": 3, "float": 1.5, "str": "x", "Mapping": {"a": 1}}


def full_job() -> Job:
    """A job with something in every field."""
    values: dict[str, Any] = {"plan": PLAN, "failure": Failure(code="c", message="m"), "state": "failed", "tier": "vip"}
    for number, field in enumerate(dataclasses.fields(Job)):
        kind = next((kind for kind in SAMPLES if str(field.type).startswith(kind)), None)
        if field.name not in values and kind is not None:
            sample = SAMPLES[kind]
            values[field.name] = f"{field.name}" if kind == "str" else sample + number if kind in {"int", "float"} else {field.name: 1}
    return Job(**values)


def test_a_job_survives_the_way_to_a_row_and_back() -> None:
    job = full_job()
    assert to_job(to_row(job)) == job


def test_a_row_has_exactly_the_tables_columns() -> None:
    assert set(to_row(full_job())) == set(jobs.c.keys())


def test_a_job_without_failure_has_none() -> None:
    job = dataclasses.replace(full_job(), failure=None)
    assert to_job(to_row(job)).failure is None


def test_plain_fields_and_candidates_are_columns() -> None:
    assert set(PLAIN) <= set(jobs.c.keys())
    assert set(CANDIDATE) <= set(jobs.c.keys())


def test_a_candidate_is_read_from_its_own_columns() -> None:
    row = to_row(full_job())
    assert to_candidate([row[name] for name in CANDIDATE]) == Candidate(**{name: row[name] for name in CANDIDATE})
