"""Counters, gauges and histograms with closed labels: Prometheus' own, behind a border that keeps the number of series bounded.

Nothing of what is measured; `metrics.py` declares that.
"""

from __future__ import annotations

import math
from typing import Generic, TypeVar

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from cinelet.telemetry.label import Label

PREFIX = "cinelet_"

Wrapped = TypeVar("Wrapped", bound=MetricWrapperBase)


class Metric(Generic[Wrapped]):
    """What all three share. `name` is the full name, `meaning` one sentence with the unit where the name has none."""

    kind = ""

    def __init__(self, wrapped: Wrapped, name: str, meaning: str, labels: tuple[Label, ...]) -> None:
        self.name = PREFIX + name
        self.meaning = meaning
        self.labels = labels
        self._wrapped = wrapped
        self._children: dict[tuple[str, ...], Wrapped] = {}
        if len(labels) == 1:
            # A counter that begins to exist with 1 shows no increase; one that stood at 0 before does.
            for value in labels[0].values:
                wrapped.labels(value)

    def _series(self, values: dict[str, str]) -> Wrapped:
        """The series of these label values, unknown ones settled to `other`."""
        if not self.labels and not values:
            return self._wrapped
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {', '.join(names_of(self.labels))}, not {', '.join(values)}")
        settled_values = tuple([label.settle(values[label.name]) for label in self.labels])
        child = self._children.get(settled_values)
        if child is None:
            child = self._children[settled_values] = self._wrapped.labels(*settled_values)
        return child


class Counter(Metric[prometheus_client.Counter]):
    """A number that only grows, until the process ends."""

    kind = "counter"

    def __init__(self, registry: CollectorRegistry, name: str, meaning: str, *labels: Label) -> None:
        wrapped = prometheus_client.Counter(PREFIX + name, meaning, names_of(labels), registry=registry)
        super().__init__(wrapped, name, meaning, labels)

    def add(self, amount: float = 1.0, /, **labels: str) -> None:
        """Count `amount` more. What is negative or no number counts nothing: it comes from a clock that was set back."""
        self._series(labels).inc(settled(amount))


class Gauge(Metric[prometheus_client.Gauge]):
    """A number that goes up and down."""

    kind = "gauge"

    def __init__(self, registry: CollectorRegistry, name: str, meaning: str, *labels: Label) -> None:
        wrapped = prometheus_client.Gauge(PREFIX + name, meaning, names_of(labels), registry=registry)
        super().__init__(wrapped, name, meaning, labels)

    def set(self, value: float, /, **labels: str) -> None:
        """What it is now."""
        self._series(labels).set(value)

    def total(self) -> float:
        """The sum of its series."""
        return sum(sample.value for metric in self._wrapped.collect() for sample in metric.samples)


class Histogram(Metric[prometheus_client.Histogram]):
    """How often which values came. `buckets` are upper bounds, in the unit of the name."""

    kind = "histogram"

    def __init__(self, registry: CollectorRegistry, name: str, meaning: str, *labels: Label, buckets: tuple[float, ...]) -> None:
        wrapped = prometheus_client.Histogram(PREFIX + name, meaning, names_of(labels), registry=registry, buckets=buckets)
        self.buckets = buckets
        super().__init__(wrapped, name, meaning, labels)

    def observe(self, value: float, /, **labels: str) -> None:
        """One value came. What is negative or no number counts as 0: it comes from a clock that was set back."""
        self._series(labels).observe(settled(value))


def names_of(labels: tuple[Label, ...]) -> tuple[str, ...]:
    """The names, in order."""
    return tuple(label.name for label in labels)


def settled(amount: float) -> float:
    """`amount`, or 0 where it would spoil a sum for ever."""
    return amount if math.isfinite(amount) and amount >= 0 else 0.0
