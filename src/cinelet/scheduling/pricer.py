"""Prices plans of one model: shape by shape, learning from each clip that was made. Safe across threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from cinelet.scheduling.cost import Architecture, Cost, CostModel, Sample, Shape, shape_of
from cinelet.video import Plan


class Pricer:
    """A cost model for the plans of one model; `latent_stride` is (frames, pixels) a latent."""

    def __init__(self, architecture: Architecture, latent_stride: tuple[int, int], samples: Iterable[Sample] = ()) -> None:
        self._architecture = architecture
        self._latent_stride = latent_stride
        self._lock = threading.Lock()
        self._model = CostModel(samples)

    def price(self, plan: Plan) -> Cost:
        """What `plan` will take alone on a free device."""
        with self._lock:
            return self._model.predict(self._shape(plan))

    def learn(self, plan: Plan, stages_s: Mapping[str, float]) -> None:
        """A clip of `plan` took so many device seconds in `encode`, `denoise` and `decode`."""
        sample = Sample(
            self._shape(plan), stages_s.get("encode", 0.0), stages_s["denoise"] / plan.num_inference_steps, stages_s.get("decode", 0.0)
        )
        with self._lock:
            self._model.observe(sample)

    def samples(self) -> tuple[Sample, ...]:
        """What it knows, to be kept."""
        with self._lock:
            return tuple(self._model.samples)

    def _shape(self, plan: Plan) -> Shape:
        return shape_of(plan, self._architecture, self._latent_stride)
