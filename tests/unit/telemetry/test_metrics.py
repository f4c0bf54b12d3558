"""Metrics: names and labels others rely on, and a number of series that no caller can drive up."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from cinelet.jobs.job import TIERS as JOB_TIERS
from cinelet.telemetry import Metrics
from cinelet.telemetry.label import OTHER, Label
from cinelet.telemetry.metrics import TIERS


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry(), version="1.2.3")


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    samples = [s for family in text_string_to_metric_families(metrics.page().decode()) for s in family.samples]
    return next((s.value for s in samples if s.name == name and s.labels == labels), None)


def num_series(metrics: Metrics) -> int:
    return sum(not line.startswith("#") for line in metrics.page().decode().splitlines())


def test_what_is_told_stands_on_the_page(metrics: Metrics) -> None:
    metrics.jobs_total.add(status="failed", reason="expired")
    metrics.requests_waiting.set(3, tier="vip")
    metrics.stage_seconds.observe(0.2, stage="denoise_high")
    metrics.frames_generated_total.add(81)
    assert value(metrics, "cinelet_jobs_total", status="failed", reason="expired") == 1
    assert value(metrics, "cinelet_requests_waiting", tier="vip") == 3
    assert value(metrics, "cinelet_stage_seconds_sum", stage="denoise_high") == 0.2
    assert value(metrics, "cinelet_frames_generated_total") == 81
    assert value(metrics, "cinelet_build_info", version="1.2.3") == 1


def test_a_counter_with_a_closed_set_begins_at_zero(metrics: Metrics) -> None:
    assert value(metrics, "cinelet_webhook_deliveries_total", result="dead") == 0
    assert value(metrics, "cinelet_cache_hits_total", cache="exact") == 0


def test_a_value_outside_the_set_counts_as_other(metrics: Metrics) -> None:
    metrics.jobs_total.add(status="completed", reason="hearsay\nI said so")
    assert value(metrics, "cinelet_jobs_total", status="completed", reason=OTHER) == 1
    assert "hearsay" not in metrics.page().decode()


def test_every_code_of_an_error_is_a_reason(metrics: Metrics) -> None:
    metrics.jobs_total.add(status="failed", reason="engine_died")
    assert value(metrics, "cinelet_jobs_total", status="failed", reason="engine_died") == 1


def test_made_up_values_add_no_series_beyond_the_bound(metrics: Metrics) -> None:
    for i in range(10_000):
        metrics.http_requests_total.add(route=f"/made/up/{i}", method=f"M{i}", status_class="4xx")
        metrics.model_loaded.set(1, model=f"model-{i}")
        metrics.rate_limited_total.add(tier=f"tier-{i}")
        metrics.jobs_total.add(status=f"status {i}", reason=f"reason {i}")
    assert num_series(metrics) < 2000
    assert value(metrics, "cinelet_rate_limited_total", tier=OTHER) == 10_000


def test_a_long_value_takes_no_room() -> None:
    label = Label("route", room=1)
    assert label.settle("x" * 101) == OTHER
    assert label.settle("/v1/videos") == "/v1/videos"
    assert label.settle("/v1/other") == OTHER
    assert label.settle("/v1/videos") == "/v1/videos"


@pytest.mark.parametrize("labels", [{}, {"tier": "vip", "tenant": "acme"}, {"tenant": "acme"}])
def test_a_missing_or_unknown_label_is_our_mistake(metrics: Metrics, labels: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        metrics.requests_waiting.set(1, **labels)


@pytest.mark.parametrize("spoilt", [math.nan, math.inf, -3.0])
def test_a_clock_that_was_set_back_spoils_no_sum(metrics: Metrics, spoilt: float) -> None:
    metrics.job_e2e_seconds.observe(spoilt)
    metrics.video_seconds_generated_total.add(spoilt)
    assert value(metrics, "cinelet_job_e2e_seconds_sum") == 0
    assert value(metrics, "cinelet_job_e2e_seconds_count") == 1
    assert value(metrics, "cinelet_video_seconds_generated_total") == 0


def test_two_processes_worth_of_metrics_stand_side_by_side() -> None:
    one, two = (Metrics(CollectorRegistry(), version="1") for _ in range(2))
    one.requests_running.set(5)
    assert value(two, "cinelet_requests_running") == 0


def test_the_page_has_no_creation_times(metrics: Metrics) -> None:
    assert "_created" not in metrics.page().decode()


def test_the_queue_stands_under_the_names_of_vllm_when_asked() -> None:
    metrics = Metrics(CollectorRegistry(), version="1", mirror_vllm=True)
    metrics.requests_running.set(2)
    metrics.requests_waiting.set(3, tier="free")
    metrics.requests_waiting.set(4, tier="vip")
    assert value(metrics, "vllm:num_requests_running") == 2
    assert value(metrics, "vllm:num_requests_waiting") == 7
    assert "vllm" not in Metrics(CollectorRegistry(), version="1").page().decode()


def test_the_tiers_are_those_of_jobs() -> None:
    assert TIERS == JOB_TIERS
