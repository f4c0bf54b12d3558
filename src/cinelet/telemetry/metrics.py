"""Every number a cinelet process shows to Prometheus, declared once; its page and its reference page come from here.

Nothing of HTTP, queues or engines: whoever knows a number sets it. Labels are closed sets (`label.py`): no id, no prompt, no
path. Gauges of the queue say what the process last saw of a store it shares with others: take the maximum over processes,
not the sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from cinelet import errors
from cinelet.telemetry.label import Label
from cinelet.telemetry.metric import Counter, Gauge, Histogram, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of `Metrics.page`."""

TIERS = ("free", "standard", "vip")
STAGES = ("text_encode", "denoise_high", "denoise_low", "vae_decode", "video_encode", "upload", "safety")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
CACHES = ("exact", "follower", "semantic", "latents", "prompt")
DELIVERIES = ("delivered", "retried", "dead", "disabled")
OUTCOMES = ("generated", "cached", "cancelled", "expired", "attempts_exhausted")
FAILURES = ("moderation_blocked", "resource_exhausted", "numerical_failure", "storage_unavailable")

MAX_ROUTES = 60
"""Templates; the service has about forty."""
MAX_MODELS = 50
"""Names of a catalogue; a machine holds a handful."""

JOB_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800)
"""From a pocket clip on a GPU to a long clip of a large model behind a queue."""
STEP_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, *JOB_BUCKETS_S[:11])
"""One step, or one stage: parts of a job, so finer at the short end."""
HTTP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RATIO_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5)
REALTIME_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The metrics of one process, in a registry of its own.

    `version` is shown in `build_info`. With `mirror_vllm`, running and waiting requests stand on the page under vLLM's names too,
    for dashboards and autoscalers that know those. An unknown label value counts as `other`; a missing or unknown
    label is a mistake of ours and raises.
    """

    def __init__(self, registry: CollectorRegistry, *, version: str, mirror_vllm: bool = False) -> None:
        self._registry = registry
        self._declare_queue(registry)
        self._declare_jobs(registry)
        self._declare_engine(registry)
        self._declare_service(registry)
        self.build_info.set(1, version=version)
        if mirror_vllm:
            registry.register(VllmMirror(self))

    def page(self) -> bytes:
        """All series in Prometheus' text format; serve it as `CONTENT_TYPE`."""
        return generate_latest(WithoutCreated(self._registry))

    def declared(self) -> tuple[Metric[Any], ...]:
        """Every metric, in the order of declaration."""
        return tuple(value for value in vars(self).values() if isinstance(value, Metric))

    def _declare_queue(self, registry: CollectorRegistry) -> None:
        tier = Label("tier", TIERS)
        self.requests_running = Gauge(registry, "requests_running", "Jobs under a lease.")
        self.requests_waiting = Gauge(registry, "requests_waiting", "Jobs that wait for a worker.", tier)
        self.queue_oldest_age_seconds = Gauge(registry, "queue_oldest_age_seconds", "How long the oldest waiting job has waited.")
        self.queue_work_seconds = Gauge(registry, "queue_work_seconds", "Predicted device time of all waiting jobs: scale on this.")
        self.running_work_seconds = Gauge(registry, "running_work_seconds", "Predicted device time that is left of the jobs under a lease.")
        self.arriving_work_ratio = Gauge(
            registry, "arriving_work_ratio", "Device time accepted a second, the upper estimate: how many devices it keeps busy."
        )
        self.workers_present = Gauge(registry, "workers_present", "Workers that signed in lately.")
        self.scale_target_devices = Gauge(
            registry, "scale_target_devices", "Devices that `cinelet scale advise` with its defaults wants; see docs/guides/scaling.md."
        )
        self.rate_limited_total = Counter(registry, "rate_limited_total", "Submissions refused for a rate, a quota or a full queue.", tier)
        self.preemptions_total = Counter(registry, "preemptions_total", "Clips that gave their place to another between two steps.")
        self.degraded_total = Counter(registry, "degraded_total", "Clips accepted lighter than asked for, by permission.", tier)
        self.overload_refusals_total = Counter(
            registry, "overload_refusals_total", "Submissions sent away with a time to come back: the wait was too long.", tier
        )
        self.accept_batch_size = Histogram(
            registry, "accept_batch_size", "Submissions that went into one transaction.", buckets=BATCH_BUCKETS
        )

    def _declare_jobs(self, registry: CollectorRegistry) -> None:
        status = Label("status", ("completed", "failed"))
        reason = Label("reason", job_reasons())
        result = Label("result", DELIVERIES)
        self.jobs_total = Counter(registry, "jobs_total", "Jobs that came to their end.", status, reason)
        self.job_e2e_seconds = Histogram(registry, "job_e2e_seconds", "From acceptance to the end of a job.", buckets=JOB_BUCKETS_S)
        self.job_queue_seconds = Histogram(registry, "job_queue_seconds", "From acceptance to the first step.", buckets=JOB_BUCKETS_S)
        self.job_gpu_seconds = Histogram(registry, "job_gpu_seconds", "Device time of one job, all attempts.", buckets=JOB_BUCKETS_S)
        self.eta_error_ratio = Histogram(
            registry,
            "eta_error_ratio",
            "Distance of the real duration from the one quoted at acceptance, as a share of the quoted one; 0 is exact.",
            buckets=RATIO_BUCKETS,
        )
        self.webhook_deliveries_total = Counter(registry, "webhook_deliveries_total", "Attempts to deliver a webhook.", result)

    def _declare_engine(self, registry: CollectorRegistry) -> None:
        stage = Label("stage", STAGES)
        model = Label("model", room=MAX_MODELS)
        self.stage_seconds = Histogram(registry, "stage_seconds", "Time of one job in one stage.", stage, buckets=STEP_BUCKETS_S)
        self.denoise_step_seconds = Histogram(registry, "denoise_step_seconds", "One denoising step of a group.", buckets=STEP_BUCKETS_S)
        self.frames_generated_total = Counter(registry, "frames_generated_total", "Frames of finished clips.")
        self.video_seconds_generated_total = Counter(registry, "video_seconds_generated_total", "Length of finished clips.")
        self.realtime_factor = Histogram(
            registry, "realtime_factor", "Seconds of work for one second of clip; 1 is real time, less is faster.", buckets=REALTIME_BUCKETS
        )
        self.model_load_seconds = Histogram(registry, "model_load_seconds", "Loading a model, disk to device.", buckets=JOB_BUCKETS_S)
        self.model_loaded = Gauge(registry, "model_loaded", "1 while the model is in the engine's memory, else 0.", model)
        self.device_slots = Gauge(registry, "device_slots", "Clips that the device may step together now; 0 while it cools.")
        self.device_temperature_celsius = Gauge(
            registry, "device_temperature_celsius", "What the guard last read; 0 where it watches no temperature."
        )
        self.device_power_watts = Gauge(registry, "device_power_watts", "What the guard last read; 0 where it watches no power.")
        self.cooling_pauses_total = Counter(
            registry, "cooling_pauses_total", "Pauses between two steps because the device was too hot or drew too much."
        )

    def _declare_service(self, registry: CollectorRegistry) -> None:
        cache = Label("cache", CACHES)
        route = Label("route", room=MAX_ROUTES)
        method = Label("method", METHODS)
        status_class = Label("status_class", STATUS_CLASSES)
        self.cache_hits_total = Counter(registry, "cache_hits_total", "Lookups that found something to use.", cache)
        self.cache_misses_total = Counter(registry, "cache_misses_total", "Lookups that found nothing.", cache)
        self.http_requests_total = Counter(
            registry, "http_requests_total", "Answered requests, by route template.", route, method, status_class
        )
        self.http_request_seconds = Histogram(
            registry, "http_request_seconds", "From request to the head of its answer.", buckets=HTTP_BUCKETS_S
        )
        self.build_info = Gauge(registry, "build_info", "1, with the version that runs.", Label("version", room=1))


class WithoutCreated:
    """A registry without the `_created` samples, which double the number of series and which no query of ours reads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Any]:
        """The registry's metrics."""
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if sample.name != metric.name + "_created"]
            yield metric


class VllmMirror:
    """Running and waiting requests under the names of vLLM."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Both gauges as they are now."""
        metrics = self._metrics
        yield GaugeMetricFamily("vllm:num_requests_running", metrics.requests_running.meaning, metrics.requests_running.total())
        yield GaugeMetricFamily("vllm:num_requests_waiting", metrics.requests_waiting.meaning, metrics.requests_waiting.total())


def job_reasons() -> tuple[str, ...]:
    """Why jobs end: what may become of them, how a run may fail, and the code of every error there is."""
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CineletError)}
    return (*OUTCOMES, *FAILURES, *sorted(codes))


def reference_page() -> str:
    """`docs/reference/metrics.md`, generated: every metric with its labels, their values, its buckets and its meaning."""
    lines = [
        "# Metrics",
        "",
        "At `/metrics`, in Prometheus' text format. A label value outside its set is shown as `other`. Generated from",
        "`src/cinelet/telemetry/metrics.py`.",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    declared = Metrics(CollectorRegistry(), version="").declared()
    lines += [f"| `{m.name}` | {m.kind} | {', '.join(f'`{label.name}`' for label in m.labels)} | {m.meaning} |" for m in declared]
    lines += ["", "## Label values", "", "| label | values |", "|---|---|"]
    labels = {label.name: label for m in declared for label in m.labels}
    lines += [f"| `{label.name}` | {values_of(label)} |" for label in labels.values()]
    lines += ["", "## Buckets", "", "| histogram | upper bounds |", "|---|---|"]
    lines += [f"| `{m.name}` | {' '.join(f'{bound:g}' for bound in m.buckets)} |" for m in declared if isinstance(m, Histogram)]
    return "\n".join(lines) + "\n"


def values_of(label: Label) -> str:
    """The set, in words."""
    if label.values:
        return ", ".join(label.values)
    return f"the first {label.room} that come" if label.room > 1 else "the one that runs"
