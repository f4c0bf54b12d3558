"""What a job says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cinelet.jobs import Job
from tests.support.world import PLAN

JOB = Job(id="video_local_0", tenant="ann", tier="standard", state="available", plan=PLAN, created_at=0.0)


@pytest.mark.parametrize(
    ("state", "is_final"), [("scheduled", False), ("available", False), ("running", False), ("succeeded", True), ("expired", True)]
)
def test_ended_jobs_are_final(state: str, *, is_final: bool) -> None:
    assert replace(JOB, state=state).is_final is is_final


def test_a_shared_result_is_a_cached_one() -> None:
    assert replace(JOB, state="succeeded", result_of="video_local_1").is_cached
    assert not replace(JOB, state="succeeded").is_cached
    assert not replace(JOB, result_of="video_local_1").is_cached
