"""One attempt at a job, in memory: its lease, how far it is, whether it runs or is parked, when it was last saved, shown and told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cinelet.jobs import DECODING, Beat, Lease
from cinelet.scheduling import RANKS, Cost
from cinelet.scheduling.order import ALONE_FROM_ATTEMPT
from cinelet.scheduling.work import MIN_STEPS_LEFT
from cinelet.video import Plan
from cinelet.worker.frame_stream import FrameStream

STAGES = {"encode": "text_encode", "denoise": "denoise_high", "decode": DECODING, "mux": "video_encode"}
"""The engine's stages in the words of the wire."""


@dataclass(kw_only=True)
class Run:
    """What the worker knows of a job it works on: a `cinelet.scheduling.Work`. Instants are the worker's own monotonic seconds.

    `turn_step` is where it stood when it last came to the device, `turn_at` when that was (unix seconds; None off the device). A parked
    run keeps its trajectory in the engine and gets no steps.
    `draft_steps` is above 0 while a quick draft of it is made first. `stream` takes its frames to a deliverer once they are decoded, of
    which there are `num_decoded`.
    """

    lease: Lease
    cost: Cost
    step: int
    began_at: float
    stage: str = "denoise_high"
    saved_at: float = 0.0
    shown_at: float = 0.0
    told_at: float = 0.0
    saved_step: int = 0
    turn_step: int = 0
    turn_at: float | None = None
    was_overdue: bool = False
    parked_at: float | None = None
    draft_steps: int = 0
    num_decoded: int = 0
    stream: FrameStream | None = None

    @property
    def id(self) -> str:
        """The job's."""
        return self.lease.job.id

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.lease.job.tenant

    @property
    def rank(self) -> int:
        """0 is the best tier."""
        return RANKS[self.lease.job.tier]

    @property
    def arrived_at(self) -> float:
        """When the job was accepted, unix seconds."""
        return self.lease.job.created_at

    @property
    def created_at(self) -> float:
        """The same."""
        return self.lease.job.created_at

    @property
    def attempt(self) -> int:
        """Attempts that were counted, this one among them."""
        return self.lease.job.attempt

    @property
    def due_at(self) -> float:
        """What the scheduler aims at, unix seconds."""
        return self.lease.job.due_at

    @property
    def solo_s(self) -> float:
        """Its whole work alone."""
        return self.cost.solo_s

    @property
    def step_s(self) -> float:
        """One step."""
        return self.cost.step_s

    def left_at(self, now: float) -> float:  # noqa: ARG002 - the protocol's signature
        """What is left of it; a draft that is still to be made counts."""
        if self.draft_steps:
            return self.cost.solo_s + (self.draft_steps - self.step) * self.cost.step_s
        return self.cost.left_s(self.step) - self.cost.decode_s * self.num_decoded / self.plan.num_frames

    def can_park(self, now: float) -> bool:  # noqa: ARG002
        """After a step of this turn, and not near its end; a suspect stays alone to its end."""
        is_suspect = self.attempt > ALONE_FROM_ATTEMPT
        return not is_suspect and self.step > self.turn_step and self.num_steps - self.step >= MIN_STEPS_LEFT

    @property
    def is_parked(self) -> bool:
        """Whether it gave its place to another."""
        return self.parked_at is not None

    @property
    def name(self) -> str:
        """The trajectory's name: one attempt, so that a rerun never meets its predecessor's; a draft has its own."""
        return f"{self.lease.job.id}/{self.lease.token}{'/draft' if self.draft_steps else ''}"

    @property
    def plan(self) -> Plan:
        """What the engine is at: the job's plan, or its draft."""
        plan = self.lease.job.plan
        return replace(plan, num_inference_steps=self.draft_steps) if self.draft_steps else plan

    @property
    def shape(self) -> str:
        """What it must share with others to be stepped with them."""
        return self.lease.job.plan.shape

    @property
    def num_steps(self) -> int:
        """Steps of what the engine is at."""
        return self.plan.num_inference_steps

    @property
    def is_done(self) -> bool:
        """Whether only decoding is left."""
        return self.step >= self.num_steps

    def beat(self) -> Beat:
        """What is told of it. A draft's steps are not the clip's."""
        step = 0 if self.draft_steps else self.step
        return Beat(job_id=self.lease.job.id, token=self.lease.token, stage=self.stage, step=step, left_s=self.left_at(0.0))
