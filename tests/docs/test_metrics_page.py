"""The page of metrics is the metrics."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from cinelet.telemetry.metrics import Metrics, reference_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def test_the_metrics_page_is_the_metrics() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page()


def test_every_metric_says_what_it_means_and_follows_the_naming_rules() -> None:
    for metric in Metrics(CollectorRegistry(), version="1").declared():
        assert metric.meaning.endswith(".")
        assert metric.name.startswith("cinelet_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
