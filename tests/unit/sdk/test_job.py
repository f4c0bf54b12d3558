"""A job as the client reads it."""

from __future__ import annotations

import pytest

from cinelet.errors import ConflictError, InternalError, OutOfMemoryError, RequestError, TimedOutError, UnavailableError
from cinelet.sdk import RemoteJob
from cinelet.video import Progress


def job(**values: object) -> RemoteJob:
    return RemoteJob.from_json({"id": "video_local_1", "status": "in_progress", **values})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("cancelled", ConflictError),
        ("expired", TimedOutError),
        ("moderation_blocked", RequestError),
        ("resource_exhausted", OutOfMemoryError),
        ("numerical_failure", InternalError),
        ("storage_unavailable", UnavailableError),
        ("something new", UnavailableError),
        (None, UnavailableError),
    ],
)
def test_a_failure_is_the_error_that_says_what_to_do(code: str | None, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="video_local_1"):
        job(status="failed", error={"code": code, "message": None}).raise_for_failure()


def test_what_has_not_failed_raises_nothing() -> None:
    job(status="completed").raise_for_failure()


@pytest.mark.parametrize(
    ("news", "progress"),
    [
        ({"status": "queued", "eta_seconds": 6, "num_inference_steps": 16}, Progress(stage="encode", step=0, num_steps=16, remaining_s=6)),
        ({"stage": "denoise_high", "current_step": 7, "num_inference_steps": 16}, Progress(stage="denoise", step=7, num_steps=16)),
        ({"stage": "denoise_low", "progress": 50}, Progress(stage="denoise", step=50, num_steps=100)),
        ({"stage": "vae_decode", "progress": 90}, Progress(stage="decode", step=90, num_steps=100)),
        ({"stage": "a new word", "current_step": 99, "num_inference_steps": 16}, Progress(stage="encode", step=16, num_steps=16)),
        ({"status": "completed", "num_inference_steps": 16}, Progress(stage="mux", step=16, num_steps=16)),
    ],
)
def test_news_are_told_in_the_words_of_the_engine(news: dict[str, object], progress: Progress) -> None:
    assert job(**news).to_progress() == progress


def test_durations_are_seconds() -> None:
    assert job(stage_durations={"denoise_gen_ms": 1500, "decode": 0.5, "odd": "x"}).stage_durations_s == {"denoise": 1.5, "decode": 0.5}


@pytest.mark.parametrize("seed", [float("nan"), float("inf"), True, "3", 1.5, [], None])
def test_a_number_that_is_none_counts_as_not_said(seed: object) -> None:
    assert job(seed=seed).seed is None
