"""A clip as people ask for it: a sentence and options by the names of `TextToVideoGenerator.generate`. Nothing of models.

`resolution` and `length_sec` mean pixels and frames only once a model is known: the in-process generator looks at its
card, the service at its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from cinelet.errors import InvalidValueError
from cinelet.sdk.start_image import ImageLike, data_url, read_image
from cinelet.video import LoraUse, Preset, SamplerName, StepCache, VaeTier, VideoRequest, check_text, lora_named

MAX_LENGTH_S = 3600.0


class Options(TypedDict, total=False):
    """What can be said about a clip beside its sentence; what is left out, the model decides.

    `resolution` is a name such as `"480p"`, `size` pixels (width, height) and goes first; `length_sec` counts seconds at the
    clip's frame rate, `num_frames` goes first. `seed` makes the same clip again. `loras` are adapters: `"ink:0.8"` or `("ink", 0.8)`.
    `image` is what the clip begins with, for models that take one: a file's path, its bytes, or pixels uint8 `[H, W, 3]`.
    """

    steps: int | None
    resolution: str | None
    length_sec: float | None
    size: tuple[int, int] | None
    num_frames: int | None
    fps: int | None
    seed: int | None
    model: str | None
    preset: Preset
    negative_prompt: str | None
    guidance_scale: float | None
    guidance_scale_2: float | None
    sampler: SamplerName | None
    flow_shift: float | None
    variation_seed: int | None
    variation_strength: float
    loras: Sequence[str | tuple[str, float]]
    vae: VaeTier | None
    step_cache: StepCache | None
    image: ImageLike | None


@dataclass(frozen=True)
class Wish:
    """A request, the two things that only a model can turn into numbers, and a start image's file. None: not said, or more exactly."""

    request: VideoRequest
    resolution: str | None = None
    length_s: float | None = None
    image: bytes | None = field(default=None, repr=False)

    @property
    def extra(self) -> dict[str, Any]:
        """The fields of the wire beside the request."""
        fields = {"resolution": self.resolution, "seconds": self.length_s}
        return fields if self.image is None else {**fields, "input_reference": {"image_url": data_url(self.image)}}


def make_wish(
    text: str,
    *,
    steps: int | None = None,
    resolution: str | None = None,
    length_sec: float | None = None,
    size: tuple[int, int] | None = None,
    loras: Sequence[str | tuple[str, float]] = (),
    image: ImageLike | None = None,
    **request: Any,
) -> Wish:
    """The wish for `text` with `Options`. Raises `InvalidValueError`, and `TypeError` for an option that does not exist."""
    if resolution is not None:
        check_text("resolution", resolution, allow_empty=False)
    if length_sec is not None and (isinstance(length_sec, bool) or not 0 < length_sec <= MAX_LENGTH_S):
        raise InvalidValueError("length_sec", length_sec, f"must be a number above 0, at most {MAX_LENGTH_S:g}")
    width, height = (None, None) if size is None else size
    uses = tuple(lora_named(use) if isinstance(use, str) else LoraUse(*use) for use in loras)
    asked = VideoRequest(prompt=text, num_inference_steps=steps, width=width, height=height, loras=uses, **request)
    file = None if image is None else read_image(image)
    return Wish(asked, resolution if size is None else None, length_sec if asked.num_frames is None else None, file)
