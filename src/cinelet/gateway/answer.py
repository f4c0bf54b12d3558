"""A job as the JSON that clients read: the `Video` object of the OpenAI contract with our extras. Nothing of how it is sent."""

from __future__ import annotations

import math
from typing import Any

from cinelet.gateway.archive import View
from cinelet.jobs import Job
from cinelet.jobs.states import WIRE

TAIL_PROGRESS = 95
"""Percent when all steps are done; decoding and storing are the rest. 100 only when the file can be fetched."""
FAILURES = {
    "cancelled": ("cancelled", "the clip was cancelled"),
    "expired": ("expired", "the clip's deadline passed before it could start"),
    "failed": ("failed", "the clip could not be made"),
}
MIN_POLL_MS, MAX_POLL_MS = 1000, 5000


def video(view: View, base_url: str) -> dict[str, Any]:
    """The `Video` object. `base_url` is where this service is reached, with a slash at its end."""
    job, plan = view.job, view.job.plan
    is_done = job.state == "succeeded"
    return {
        "id": job.id,
        "object": "video",
        "status": WIRE[job.state],
        "x_state": job.state,
        "progress": progress(job),
        "created_at": int(job.created_at),
        "started_at": _second(job.started_at),
        "completed_at": _second(job.finished_at) if is_done else None,
        "expires_at": _second(job.expires_at),
        "model": plan.model,
        "prompt": plan.prompt,
        "negative_prompt": plan.negative_prompt,
        "seconds": _number(plan.duration_s),
        "size": f"{plan.width}x{plan.height}",
        "quality": "standard",
        "error": failure(job),
        "remixed_from_video_id": job.remixed_from,
        "fps": plan.fps,
        "num_frames": plan.num_frames,
        "duration_s": plan.duration_s,
        "seed": plan.seed,
        "num_inference_steps": plan.num_inference_steps,
        "guidance_scale": plan.guidance_scale,
        "guidance_scale_2": plan.guidance_scale_2,
        "flow_shift": plan.flow_shift,
        "variation_seed": plan.variation_seed,
        "variation_strength": plan.variation_strength,
        "sampler": plan.sampler,
        "loras": [{"name": use.name, "scale": use.scale} for use in plan.loras],
        "vae": plan.vae,
        "step_cache": plan.step_cache,
        "queue_position": view.num_ahead if job.state in {"available", "scheduled"} else None,
        "eta_seconds": None if view.eta_s is None else round(view.eta_s, 2),
        "degraded_from": job.request.get("degraded_from"),
        "original_prompt": job.request.get("original_prompt"),
        "rewriter": job.request.get("rewriter"),
        "has_draft": job.draft is not None,
        "has_start_image": plan.image is not None and job.purged_at is None,
        "stage": job.stage,
        "current_step": job.step,
        "preview_step": job.preview_step if job.state == "running" and job.preview else None,
        "attempt": job.attempt,
        "stage_durations": {name: round(seconds, 4) for name, seconds in job.report.get("stage_durations_s", {}).items()},
        "inference_time_s": job.report.get("inference_time_s"),
        "decode": job.report.get("decode"),
        "precision": job.report.get("precision"),
        "placement": job.report.get("placement"),
        "peak_memory_mb": job.report.get("peak_memory_bytes", 0) / 1e6 if is_done else None,
        "num_outputs": 1 if is_done else 0,
        "url": f"{base_url}v1/videos/{job.id}/content" if is_done else None,
        "usage": {"duration_seconds": plan.duration_s} if is_done else None,
        "cached": job.is_cached,
        "warnings": list(view.warnings),
        "metadata": job.request.get("metadata", {}),
    }


def progress(job: Job) -> int:
    """Percent; never falls, 100 only at the end."""
    if job.state == "succeeded":
        return 100
    return TAIL_PROGRESS * job.step // job.plan.num_inference_steps


def failure(job: Job) -> dict[str, str] | None:
    """Why a job ended without a clip."""
    if job.state not in FAILURES:
        return None
    code, message = FAILURES[job.state]
    if job.failure is not None:
        code, message = job.failure.code, job.failure.message
    return {"code": code, "message": message}


def poll_after_ms(view: View) -> int:
    """When asking again is worth it: clients read this once, so it follows the estimate."""
    return MIN_POLL_MS if view.eta_s is None else min(MAX_POLL_MS, max(MIN_POLL_MS, math.ceil(view.eta_s * 250)))


def _second(instant: float | None) -> int | None:
    return None if instant is None else int(instant)


def _number(value: float) -> str:
    """`4`, or `2.125`: the contract has seconds as text."""
    return f"{value:g}"
