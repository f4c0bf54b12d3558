"""The nouns that cross every border: what was asked (`VideoRequest`), what will be done (`Plan`), what came of it (`Video`).

Nothing of models, devices, jobs or HTTP. A request says None for "as the model likes it"; a plan has no None left
where the model has a default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from cinelet.errors import InvalidValueError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OnFrames = Callable[[int, "NDArray[np.uint8]"], None]
"""Hears of frames as they are decoded: the number of the first, and uint8 `[T, H, W, C]`. A decode that ran out of memory begins again,
at frame 0."""
Preset = Literal["draft", "standard", "final"]
SamplerName = Literal["unipc", "dpm++", "dpm++sde", "euler", "lcm"]
VaeTier = Literal["full", "half", "tiny"]
StepCache = Literal["off", "mild", "strong"]
Stage = Literal["encode", "denoise", "decode", "mux"]

PRESETS: tuple[Preset, ...] = ("draft", "standard", "final")
SAMPLERS: tuple[SamplerName, ...] = ("unipc", "dpm++", "dpm++sde", "euler", "lcm")
STOCHASTIC_SAMPLERS: tuple[SamplerName, ...] = ("dpm++sde", "lcm")
"""They draw noise at each step: more steps give another clip, not the same one more exactly."""
VAE_TIERS: tuple[VaeTier, ...] = ("full", "half", "tiny")
"""Decoding in float32, in bfloat16, by a tiny decoder: from the best picture to the quickest."""
STEP_CACHES: tuple[StepCache, ...] = ("off", "mild", "strong")
"""How many denoising steps reuse what earlier ones computed: none, few, many."""
CONTAINERS = ("mp4", "webm", "gif")

MAX_PROMPT_CHARS = 32_000
"""The longest prompt OpenAI's API documents; the text encoder reads the first 512 tokens."""
MAX_STEPS = 1000
"""Wan is trained on 1000 noise levels; more steps than levels repeat some."""
MAX_FPS = 120
MAX_GUIDANCE = 50.0
MAX_SEED = 2**63 - 1
MAX_LORAS = 8
MAX_LORA_SCALE = 4.0
LORA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names are not paths."""


class LoraUse(NamedTuple):
    """One LoRA adapter in a clip: its name, how strongly it acts (1: as trained), and the digest of its files once they are known."""

    name: str
    scale: float = 1.0
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """What a client asked for. Checked for form on creation; what a model can do is checked when it is planned.

    `width`, `height` are pixels, `fps` frames per second, `flow_shift` the shift of the noise schedule, `seed` the start of the
    random latents (None: the planner draws one and the plan records it). `variation_strength` 0..1 turns those latents towards the
    ones of `variation_seed`: 0 is the seed's own clip, 1 the other's. `image` is the SHA-256 of a start image that is kept elsewhere.
    Raises `InvalidValueError`.
    """

    prompt: str
    negative_prompt: str | None = None
    model: str | None = None
    preset: Preset = "standard"
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    fps: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    guidance_scale_2: float | None = None
    sampler: SamplerName | None = None
    flow_shift: float | None = None
    seed: int | None = None
    variation_seed: int | None = None
    variation_strength: float = 0.0
    loras: tuple[LoraUse, ...] = ()
    vae: VaeTier | None = None
    step_cache: StepCache | None = None
    image: str | None = None

    def __post_init__(self) -> None:
        check_text("prompt", self.prompt, allow_empty=False)
        if self.negative_prompt is not None:
            check_text("negative_prompt", self.negative_prompt, allow_empty=True)
        check_choice("preset", self.preset, PRESETS)
        if self.sampler is not None:
            check_choice("sampler", self.sampler, SAMPLERS)
        for name in ("width", "height", "num_frames"):
            check_integer(name, getattr(self, name), 1, 2**31 - 1)
        check_integer("fps", self.fps, 1, MAX_FPS)
        check_integer("num_inference_steps", self.num_inference_steps, 1, MAX_STEPS)
        for name in ("seed", "variation_seed"):
            check_integer(name, getattr(self, name), 0, MAX_SEED)
        check_number("variation_strength", self.variation_strength, 0.0, 1.0)
        for name in ("guidance_scale", "guidance_scale_2", "flow_shift"):
            check_number(name, getattr(self, name), 0.0, MAX_GUIDANCE)
        if self.vae is not None:
            check_choice("vae", self.vae, VAE_TIERS)
        if self.step_cache is not None:
            check_choice("step_cache", self.step_cache, STEP_CACHES)
        # Requests are kept as JSON, which knows lists only.
        object.__setattr__(self, "loras", tuple(LoraUse(*use) for use in self.loras))
        check_loras(self.loras)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done for a request: each number settled. Equal plans on one device give equal frames.

    `timesteps` are the noise levels (after any shift, 0 to 1000) that a distilled checkpoint was trained for; empty: the sampler lays out
    its own. `window_frames` is how many frames the model looks at together in a clip longer than that; 0: at all.
    """

    prompt: str
    negative_prompt: str
    model: str
    width: int
    height: int
    num_frames: int
    fps: int
    num_inference_steps: int
    guidance_scale: float
    guidance_scale_2: float
    sampler: SamplerName
    flow_shift: float
    seed: int
    variation_seed: int = 0
    variation_strength: float = 0.0
    loras: tuple[LoraUse, ...] = ()
    vae: VaeTier = "full"
    step_cache: StepCache = "off"
    timesteps: tuple[float, ...] = ()
    image: str | None = None
    window_frames: int = 0

    def __post_init__(self) -> None:
        # Plans are kept as JSON, which knows lists only.
        object.__setattr__(self, "loras", tuple(LoraUse(*use) for use in self.loras))
        object.__setattr__(self, "timesteps", tuple(self.timesteps))

    @property
    def duration_s(self) -> float:
        """Length of the clip in seconds."""
        return self.num_frames / self.fps

    @property
    def shape(self) -> str:
        """What clips of one model must share to be stepped in one forward."""
        loras = "".join(f" {use.name}:{use.scale:g}" for use in self.loras)
        return f"{self.width}x{self.height}x{self.num_frames}{' guided' if self.guidance_scale > 1.0 else ''}{loras}"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a generation has come. `stage` holds for the whole report; steps count finished denoising steps."""

    stage: Stage
    step: int
    num_steps: int
    remaining_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Video:
    """A finished clip: `frames` uint8 `[T, H, W, C]` in red, green, blue, and the plan that made it.

    `decode` names the rung of the decode ladder that was used (and the decoder's tier where it was not the full one: `full:half`),
    `precision` what the model's weights were kept in, `placement` which of its parts lay on the device together at the end, `speed_path`
    the attention kernel and what else was switched on to be fast, `latents` float32 `[C, T', H', W']` are what was decoded.
    """

    frames: NDArray[np.uint8]
    latents: NDArray[np.float32]
    plan: Plan
    stage_durations_s: dict[str, float] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    decode: str = "full"
    speed_path: str = ""
    precision: str = "float32"
    placement: str = "all"

    @property
    def fps(self) -> int:
        """Frames per second."""
        return self.plan.fps


def check_text(name: str, value: object, *, allow_empty: bool) -> None:
    """A prompt must be text that UTF-8 can carry, without NUL, of a bounded length."""
    if not isinstance(value, str):
        raise InvalidValueError(name, value, "must be text")
    if not allow_empty and not value.strip():
        raise InvalidValueError(name, value, f"must have 1 to {MAX_PROMPT_CHARS:,} characters that are not all spaces")
    if len(value) > MAX_PROMPT_CHARS:
        raise InvalidValueError(name, value, f"must have at most {MAX_PROMPT_CHARS:,} characters")
    if "\0" in value:
        raise InvalidValueError(name, value, "must not contain the NUL character")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise InvalidValueError(name, value, "must be valid Unicode; it contains half of a surrogate pair")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """One of a closed list of names."""
    if value not in allowed:
        raise InvalidValueError(name, value, f"must be one of {', '.join(allowed)}")


def check_integer(name: str, value: object, low: int, high: int) -> None:
    """None, or a whole number within `low` to `high`."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidValueError(name, value, f"must be a whole number from {low:,} to {high:,}")


def lora_named(text: str) -> LoraUse:
    """The adapter of `name` or `name:scale`. Raises `InvalidValueError`."""
    name, colon, scale = text.partition(":")
    try:
        return LoraUse(name, float(scale) if colon else 1.0)
    except ValueError as error:
        raise InvalidValueError("loras", text, "must be a name, or a name and a scale such as ink:0.8") from error


def check_loras(uses: tuple[LoraUse, ...]) -> None:
    """Up to `MAX_LORAS` adapters, each once, by a plain name and a scale."""
    if len(uses) > MAX_LORAS:
        raise InvalidValueError("loras", len(uses), f"at most {MAX_LORAS} adapters act in one clip")
    for use in uses:
        if not isinstance(use.name, str) or not LORA_NAME.fullmatch(use.name):
            raise InvalidValueError("loras", use.name, "an adapter's name has 1 to 64 letters, digits, dots, dashes or underscores")
        check_number(f"loras.{use.name}", use.scale, -MAX_LORA_SCALE, MAX_LORA_SCALE)
    names = [use.name for use in uses]
    if len(set(names)) < len(names):
        raise InvalidValueError("loras", max(names, key=names.count), "names each adapter once")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """None, or a finite number within `low` to `high`."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or not low <= value <= high:
        raise InvalidValueError(name, value, f"must be a number from {low:g} to {high:g}")
