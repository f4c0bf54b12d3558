"""A job of the service as the client sees it. A value: it knows no connection and does not change; ask again for news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cinelet.errors import (
    CineletError,
    ConflictError,
    InternalError,
    OutOfMemoryError,
    RequestError,
    TimedOutError,
    UnavailableError,
)
from cinelet.video import Plan, Progress, Stage

FINAL_STATUSES = ("completed", "failed")

STAGES: dict[str, Stage] = {
    "text_encode": "encode",
    "denoise_high": "denoise",
    "denoise_low": "denoise",
    "vae_decode": "decode",
    "video_encode": "mux",
    "upload": "mux",
    "safety": "mux",
}
"""The service's stages in the words of `Progress`."""

FAILURES: dict[str, type[CineletError]] = {
    "cancelled": ConflictError,
    "expired": TimedOutError,
    "moderation_blocked": RequestError,
    "resource_exhausted": OutOfMemoryError,
    "numerical_failure": InternalError,
    "storage_unavailable": UnavailableError,
}
"""What a failed job raises where its clip is asked for, by `error_code`; any other code is an `UnavailableError`."""

PLAN_FIELDS = (
    *("prompt", "negative_prompt", "model", "num_frames", "fps", "num_inference_steps"),
    *("guidance_scale", "guidance_scale_2", "sampler", "flow_shift", "seed"),
)


@dataclass(frozen=True, kw_only=True)
class RemoteJob:
    """What the service said last about one job.

    `status` is queued, in_progress, completed or failed; `state` the richer word where the service has one. `progress` is a
    percentage, `queue_position` the jobs ahead, `eta_s` seconds to the end as estimated now; None is "not said". `raw` holds
    the whole answer.
    """

    id: str
    status: str
    state: str
    progress: int = 0
    model: str | None = None
    prompt: str | None = None
    seed: int | None = None
    created_at: float | None = None
    completed_at: float | None = None
    stage: str | None = None
    step: int | None = None
    num_steps: int | None = None
    queue_position: int | None = None
    eta_s: float | None = None
    error_code: str | None = None
    error_message: str | None = None
    warnings: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Any) -> RemoteJob:
        """Read a `Video` object. Odd optional values count as not said; without id and status: `UnavailableError`."""
        if not isinstance(data, Mapping) or not _text(data.get("id")) or not _text(data.get("status")):
            raise UnavailableError(
                "url: the service answers, but not with a video object; is it a cinelet service?", detail=repr(data)[:500]
            )
        told = data.get("error")
        error: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
        warnings = data.get("warnings")
        return cls(
            id=data["id"],
            status=data["status"],
            state=_text(data.get("x_state")) or data["status"],
            progress=_whole(data.get("progress")) or 0,
            model=_text(data.get("model")),
            prompt=_text(data.get("prompt")),
            seed=_whole(data.get("seed")),
            created_at=_number(data.get("created_at")),
            completed_at=_number(data.get("completed_at")),
            stage=_text(data.get("stage")),
            step=_whole(data.get("current_step")),
            num_steps=_whole(data.get("num_inference_steps")),
            queue_position=_whole(data.get("queue_position")),
            eta_s=_number(data.get("eta_seconds")),
            error_code=_text(error.get("code")),
            error_message=_text(error.get("message")),
            warnings=tuple(str(warning) for warning in warnings) if isinstance(warnings, list) else (),
            raw=dict(data),
        )

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in FINAL_STATUSES

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels."""
        width, cross, height = (_text(self.raw.get("size")) or "").partition("x")
        return (int(width), int(height)) if cross and width.isdecimal() and height.isdecimal() else None

    @property
    def plan(self) -> Plan | None:
        """The plan of the clip, or None where the service does not say every number of it."""
        if self.size is None or any(self.raw.get(name) is None for name in PLAN_FIELDS):
            return None
        variation = {name: self.raw[name] for name in ("variation_seed", "variation_strength") if self.raw.get(name) is not None}
        extras = {name: self.raw[name] for name in ("vae", "step_cache") if self.raw.get(name) is not None}
        extras["loras"] = [(use["name"], use["scale"]) for use in self.raw.get("loras") or []]
        return Plan(width=self.size[0], height=self.size[1], **{name: self.raw[name] for name in PLAN_FIELDS}, **variation, **extras)

    @property
    def stage_durations_s(self) -> dict[str, float]:
        """Seconds spent in each stage, as far as the service told. Names that end in `_ms` are converted."""
        told = self.raw.get("stage_durations")
        durations = told.items() if isinstance(told, Mapping) else ()
        numbers = ((name, _number(value)) for name, value in durations)
        return {
            name.removesuffix("_ms").removesuffix("_gen"): value / 1000 if name.endswith("_ms") else value
            for name, value in numbers
            if value is not None
        }

    def to_progress(self) -> Progress:
        """The same news as the in-process engine tells it. A waiting job is a generation at its step 0."""
        num_steps = self.num_steps if self.num_steps is not None else 100
        stage = STAGES.get(self.stage or "", "encode")
        step = self.step if self.step is not None else num_steps * self.progress // 100
        if self.status == "completed":
            stage, step = "mux", num_steps
        return Progress(stage=stage, step=min(step, num_steps), num_steps=num_steps, remaining_s=self.eta_s)

    def raise_for_failure(self) -> None:
        """Raise what the failure means for the caller (`FAILURES`) where the job has failed; else do nothing."""
        if self.status == "failed":
            kind = FAILURES.get(self.error_code or "", UnavailableError)
            raise kind(f"{self.id}: {self.error_message or self.error_code or 'failed; the service gave no reason'}")


@dataclass(frozen=True, kw_only=True)
class JobEvent:
    """News of a job. `type` is the service's word, such as `video.progress` or `video.preview`; `id` resumes the stream after it."""

    type: str
    job: RemoteJob
    id: str | None = None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1 else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
