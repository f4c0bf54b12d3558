"""A job as a value: accepted work, durable until its final state. Read-only copies of rows; only the store changes rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cinelet.errors import CineletError
from cinelet.jobs.states import FINAL, State
from cinelet.scheduling import RANKS
from cinelet.video import Plan

Tier = Literal["free", "standard", "vip"]
TIERS: tuple[Tier, ...] = ("free", "standard", "vip")
FAR_AT = 4_000_000_000.0
"""An instant (the year 2096) that no deadline comes near."""
START_IMAGE = "start.png"
"""The name of a start image among a job's files; its digest, which the plan names, stands in the place of a lease token."""
MAX_START_IMAGE_BYTES = 1 << 26
"""Pixels of the largest clips, uncompressed, with room."""
DECODING = "vae_decode"
"""The stage of a job whose steps are done and whose frames are not, in the words of the wire."""
STEPS_ASSUMED = 25
"""Of a job whose plan is not at hand: only how soon it could give way depends on it."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a job failed: a stable code, and a sentence fit for the client."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row. Instants are unix seconds, None where they have not come; `step` counts finished denoising steps.

    `result` maps variant (video, thumbnail, spritesheet) to an artifact's JSON; `report` holds what the run measured
    (`stage_durations_s`, `peak_memory_bytes`, `inference_time_s`, `worker`). `leader_id` names the running job whose result this
    one waits for; `result_of` the job under whose keys a shared result lies. `work_s` is the predicted device time, `left_s` what
    is left of it. `deadline_at` ends a waiting job; `due_at` is what the scheduler aims at: that deadline, or the tier's promise.
    `draft` is the artifact of a draft that is shown until the clip is there.
    """

    id: str
    tenant: str
    tier: Tier
    state: State
    plan: Plan
    created_at: float
    request: Mapping[str, Any] = field(default_factory=dict)
    digest: str | None = None
    work_s: float = 0.0
    left_s: float = 0.0
    available_at: float = 0.0
    deadline_at: float | None = None
    due_at: float = FAR_AT
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    deleted_at: float | None = None
    purged_at: float | None = None
    attempt: int = 0
    lease_token: str | None = None
    leased_until: float | None = None
    worker: str | None = None
    stage: str | None = None
    step: int = 0
    checkpoint: str | None = None
    checkpoint_step: int = 0
    preview: str | None = None
    preview_step: int = 0
    draft: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    leader_id: str | None = None
    result_of: str | None = None
    remixed_from: str | None = None
    callback_url: str | None = None
    body_digest: str | None = None
    reserved_s: float = 0.0

    @property
    def is_final(self) -> bool:
        """Whether the job has ended; final states never change."""
        return self.state in FINAL

    @property
    def is_cached(self) -> bool:
        """Whether the result was made for another job."""
        return self.state == "succeeded" and self.result_of is not None


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What admission hands over for one accepted request; the store decides between new job, hit, follower and repetition.

    `job` is in state available or scheduled. `body_digest` tells equal bodies; with `is_repeat` (the client says it tries again) an
    equal body of the last ten minutes is the same submission even without an idempotency key. `refusal` answers it if it is new work:
    what exists already is no load.
    """

    job: Job
    idempotency_key: str | None = None
    is_repeat: bool = False
    may_reuse: bool = True
    max_waiting: int | None = None
    refusal: CineletError | None = None


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to work on a job, until `leased_until` unless renewed. The token fences: no other token can publish."""

    job: Job
    token: str


@dataclass(frozen=True, kw_only=True)
class Beat:
    """What a worker tells while it holds a lease; `left_s` device seconds are left of the job."""

    job_id: str
    token: str
    stage: str
    step: int
    left_s: float


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What scheduling needs to know of a waiting or running job: a `cinelet.scheduling.Work` on the clock of the database.

    Of a running one `told_step_s` is a step by its plan, and once `firm_s` are left nobody takes its place any more: its last steps and
    its decode.
    """

    id: str
    tenant: str
    tier: Tier
    state: State
    created_at: float
    due_at: float
    work_s: float
    left_s: float
    attempt: int
    shape: str
    stage: str | None = None
    firm_s: float = 0.0
    told_step_s: float = 0.0

    @property
    def rank(self) -> int:
        """0 is the best tier."""
        return RANKS[self.tier]

    @property
    def arrived_at(self) -> float:
        """When it was accepted."""
        return self.created_at

    @property
    def solo_s(self) -> float:
        """Its whole work alone on a free device."""
        return self.work_s

    @property
    def step_s(self) -> float:
        """One step, or about one."""
        return self.told_step_s or self.work_s / STEPS_ASSUMED

    def left_at(self, now: float) -> float:  # noqa: ARG002 - the protocol's signature
        """What is left, as it was last told."""
        return self.left_s

    def can_park(self, now: float) -> bool:  # noqa: ARG002
        """Whether it would give its place away."""
        return self.stage != DECODING and self.left_s >= self.firm_s
