"""What a worker adds to the metrics: once a step, once a clip, once a failure. Nothing of how they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from cinelet.jobs import Job
from cinelet.telemetry import Metrics
from cinelet.video import Video
from cinelet.worker.guard import State
from cinelet.worker.thermal import Reading


class Tally:
    """Counts for one worker."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def loaded(self, models: list[str], seconds: float) -> None:
        """The engine is ready."""
        self._metrics.model_load_seconds.observe(seconds)
        for model in models:
            self._metrics.model_loaded.set(1, model=model)

    def died(self, models: list[str]) -> None:
        """The engine is gone."""
        for model in models:
            self._metrics.model_loaded.set(0, model=model)

    def stepped(self, seconds: float) -> None:
        """One step of a group."""
        self._metrics.denoise_step_seconds.observe(seconds)

    def guarded(self, reading: Reading, allowed: State, *, is_new_pause: bool) -> None:
        """The guard looked."""
        self._metrics.device_slots.set(allowed.slots)
        if reading.celsius is not None:
            self._metrics.device_temperature_celsius.set(reading.celsius)
        if reading.watts is not None:
            self._metrics.device_power_watts.set(reading.watts)
        if is_new_pause:
            self._metrics.cooling_pauses_total.add()

    def parked(self) -> None:
        """A clip gave its place to another."""
        self._metrics.preemptions_total.add()

    def finished(self, job: Job, video: Video, stages_s: Mapping[str, float], now: float) -> None:
        """A clip was published at `now` (unix seconds)."""
        metrics, work_s = self._metrics, sum(video.stage_durations_s.values())
        metrics.jobs_total.add(status="completed", reason="generated")
        metrics.job_e2e_seconds.observe(now - job.created_at)
        metrics.job_queue_seconds.observe((now if job.started_at is None else job.started_at) - job.created_at)
        metrics.job_gpu_seconds.observe(work_s)
        if job.work_s > 0:
            metrics.eta_error_ratio.observe(abs(work_s - job.work_s) / job.work_s)
        for stage, seconds in stages_s.items():
            metrics.stage_seconds.observe(seconds, stage=stage)
        metrics.frames_generated_total.add(job.plan.num_frames)
        metrics.video_seconds_generated_total.add(job.plan.duration_s)
        metrics.realtime_factor.observe(work_s / job.plan.duration_s)

    def failed(self, code: str) -> None:
        """A job failed for good."""
        self._metrics.jobs_total.add(status="failed", reason=code)
