"""What a worker tells of a clip it is at."""

from __future__ import annotations

import pytest

from cinelet.jobs import Job, Lease
from cinelet.scheduling import Cost
from cinelet.worker.run import Run
from tests.support.world import PLAN

COST = Cost(encode_s=0.5, step_s=1.0, decode_s=3.0, num_steps=PLAN.num_inference_steps)


@pytest.mark.parametrize(("step", "num_decoded", "left_s"), [(0, 0, 13.5), (4, 0, 9.0), (10, 0, 3.0), (10, 3, 2.0), (10, 9, 0.0)])
def test_what_is_left_falls_with_the_steps_and_then_with_the_frames(step: int, num_decoded: int, left_s: float) -> None:
    job = Job(id="a", tenant="ann", tier="free", state="running", plan=PLAN, created_at=0.0)
    run = Run(lease=Lease(job=job, token="t"), cost=COST, step=step, began_at=0.0, num_decoded=num_decoded)
    assert run.beat().left_s == pytest.approx(left_s)
