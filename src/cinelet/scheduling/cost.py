"""What a clip costs: seconds of encoding, of each step, of decoding, predicted from its shape and corrected by what clips took.

A step is a fixed part and a part that grows with the arithmetic of the transformer; FLOPs are quadratic in tokens, so neither area
nor frames alone predict time. Knows no device: seconds come from measured clips.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np

from cinelet.scheduling.work import MIN_STEPS_LEFT
from cinelet.video import Plan
from cinelet.windows import latent_frames, windows

PATCH_SIDE = 2
"""A token covers 2 × 2 latents (Wan's patch size)."""
TEXT_TOKENS = 512
FIRST_S_A_FLOP = 7e-12
FIRST_S_A_PIXEL = 1.9e-6
"""Before anything was measured: the pocket model on two cores (benchmarks/results/engine.json: 16 steps of 2 × 5.6 GFLOP in 1.24 s,
261,120 pixels decoded in 0.49 s)."""
NUM_SAMPLES = 128
NUM_OF_A_SHAPE = 9
"""A shape's own last clips predict it better than any formula; their median lets one slow clip pass."""
MIN_OF_A_SHAPE = 2
MAX_TOLD = 1024


@dataclass(frozen=True)
class Architecture:
    """Sizes of a Wan transformer that its arithmetic depends on."""

    dim: int
    num_layers: int
    ffn_dim: int

    def forward_flops(self, num_tokens: int) -> float:
        """FLOPs of one forward pass: projections and feed-forward, self-attention, attention to the text.

        2NL(6d² + 2d·ffn) + 4LN²d + 4LNT·d + 4LT·d², for N tokens, L layers, width d, T text tokens.
        """
        n, d, t = num_tokens, self.dim, TEXT_TOKENS
        dense = 2 * n * (6 * d * d + 2 * d * self.ffn_dim)
        return float(self.num_layers * (dense + 4 * n * n * d + 4 * n * t * d + 4 * t * d * d))


@dataclass(frozen=True)
class Shape:
    """What decides the cost of a plan: FLOPs of one step with its guidance passes, steps, pixels to decode.

    `way` names what else takes other time than the plain clip: another decoder, cached steps, adapters.
    """

    step_flops: float
    num_steps: int
    num_pixels: int
    way: str = ""

    @property
    def key(self) -> tuple[float, int, str]:
        """What clips share whose times are each other's best prediction."""
        return self.step_flops, self.num_pixels, self.way


@dataclass(frozen=True)
class Cost:
    """Predicted seconds alone on a free device."""

    encode_s: float
    step_s: float
    decode_s: float
    num_steps: int

    @property
    def solo_s(self) -> float:
        """All of it."""
        return self.encode_s + self.num_steps * self.step_s + self.decode_s

    @property
    def firm_s(self) -> float:
        """With less left it keeps its place."""
        return MIN_STEPS_LEFT * self.step_s + self.decode_s

    def left_s(self, step: int) -> float:
        """What is left after `step` steps; encoding is over by then."""
        return self.solo_s if step == 0 else (self.num_steps - step) * self.step_s + self.decode_s


@dataclass(frozen=True)
class Sample:
    """What one clip took on the device."""

    shape: Shape
    encode_s: float
    step_s: float
    decode_s: float


def shape_of(plan: Plan, architecture: Architecture, latent_stride: tuple[int, int]) -> Shape:
    """The shape of `plan` on a model whose latents stride (frames, pixels)."""
    side = latent_stride[1] * PATCH_SIDE
    frame_tokens = (plan.height // side) * (plan.width // side)
    num_latents, length = (latent_frames(count, latent_stride[0]) for count in (plan.num_frames, plan.window_frames))
    forwards = (architecture.forward_flops(frame_tokens * (window.stop - window.start)) for window in windows(num_latents, length))
    passes = 1 if plan.guidance_scale <= 1.0 else 2
    pixels = plan.num_frames * plan.width * plan.height
    way = [plan.vae] * (plan.vae != "full") + [plan.step_cache] * (plan.step_cache != "off") + ["lora"] * bool(plan.loras)
    return Shape(passes * sum(forwards), plan.num_inference_steps, pixels, " ".join(way))


class CostModel:
    """Predicts from the last clips of one model; corrects itself with each. Not safe across threads."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.samples: deque[Sample] = deque(maxlen=NUM_SAMPLES)
        self._own: defaultdict[Hashable, deque[Sample]] = defaultdict(lambda: deque(maxlen=NUM_OF_A_SHAPE))
        self._told: dict[Shape, Cost] = {}
        for sample in samples:
            self.observe(sample)

    def observe(self, sample: Sample) -> None:
        """A clip was made."""
        self.samples.append(sample)
        self._own[sample.shape.key].append(sample)
        self._told.clear()

    def predict(self, shape: Shape) -> Cost:
        """What a clip of `shape` will take. Asked for every request, so what was told holds until the next clip was made."""
        if shape not in self._told:
            if len(self._told) >= MAX_TOLD:
                self._told.clear()
            self._told[shape] = self._predict(shape)
        return self._told[shape]

    def _predict(self, shape: Shape) -> Cost:
        own = self._own.get(shape.key, ())
        if len(own) >= MIN_OF_A_SHAPE:
            step_s = median(sample.step_s for sample in own)
            decode_s = median(sample.decode_s for sample in own)
        else:
            fixed, per_flop = self._fit()
            step_s = fixed + per_flop * shape.step_flops
            decode_s = shape.num_pixels * self._median("decode_s", "num_pixels", FIRST_S_A_PIXEL)
        encode_s = median(sample.encode_s for sample in self.samples) if self.samples else 0.0
        return Cost(encode_s, step_s, decode_s, shape.num_steps)

    def _fit(self) -> tuple[float, float]:
        """Seconds of a step as fixed + per_flop · FLOPs: least squares of relative errors, no part below zero."""
        ratio = self._median("step_s", "step_flops", FIRST_S_A_FLOP)
        flops = np.array([sample.shape.step_flops for sample in self._plain])
        seconds = np.array([sample.step_s for sample in self._plain])
        if len(set(flops)) < 2 or (seconds <= 0).any():
            return 0.0, ratio
        per_flop, fixed = np.polyfit(flops, seconds, 1, w=1 / seconds)
        return (0.0, ratio) if fixed < 0 or per_flop < 0 else (float(fixed), float(per_flop))

    def _median(self, seconds: str, size: str, otherwise: float) -> float:
        return median(getattr(sample, seconds) / getattr(sample.shape, size) for sample in self._plain) if self.samples else otherwise

    @property
    def _plain(self) -> list[Sample]:
        """The clips that say something of other shapes: those made in the plain way, if there are any."""
        return [sample for sample in self.samples if not sample.shape.way] or list(self.samples)
