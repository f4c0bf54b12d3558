"""What was measured of one model on one device, to be kept: a service that starts again need not learn anew, a simulator can ask it.

Plain JSON in, plain JSON out; where it lies is others' business. Another device's profile is refused: it would be wrong in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cinelet.errors import InvalidValueError
from cinelet.scheduling.cost import CostModel, Sample, Shape

FORMAT = 1
MAX_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The samples of `model` at `revision` on `device`; `cold_start_s` is how long it took to load."""

    device: str
    model: str
    revision: str
    cold_start_s: float = 0.0
    samples: tuple[Sample, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {"format": FORMAT, **asdict(self), "samples": [asdict(sample) for sample in self.samples]}

    def cost_model(self) -> CostModel:
        """A cost model that has learnt them."""
        return CostModel(self.samples)


def read_profile(
    content: Mapping[str, Any], *, device: str | None = None, model: str | None = None, revision: str | None = None
) -> Profile:
    """The profile of a JSON document. Raises `InvalidValueError` where it is no profile, or not of the given device, model, revision."""
    if content.get("format") != FORMAT:
        raise InvalidValueError("profile", content.get("format"), f"must have format {FORMAT}")
    for name, wanted in (("device", device), ("model", model), ("revision", revision)):
        if not isinstance(content.get(name), str):
            raise InvalidValueError(f"profile.{name}", content.get(name), "must be text")
        if wanted is not None and content[name] != wanted:
            raise InvalidValueError(f"profile.{name}", content[name], f"was measured elsewhere; here it is {wanted!r}: measure anew")
    try:
        samples = tuple(_sample(entry) for entry in content["samples"])
        cold_start_s = _seconds("cold_start_s", content.get("cold_start_s", 0.0))
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidValueError("profile.samples", type(content.get("samples")).__name__, "must be a list of measured clips") from error
    return Profile(
        device=content["device"], model=content["model"], revision=content["revision"], cold_start_s=cold_start_s, samples=samples
    )


def _sample(entry: Mapping[str, Any]) -> Sample:
    shape = entry["shape"]
    sizes = Shape(
        step_flops=_positive("step_flops", shape["step_flops"]),
        num_steps=int(_positive("num_steps", shape["num_steps"])),
        num_pixels=int(shape["num_pixels"]),
        way=str(shape.get("way", "")),
    )
    return Sample(sizes, *(_seconds(name, entry[name]) for name in ("encode_s", "step_s", "decode_s")))


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_SECONDS:
        raise InvalidValueError(f"profile.{name}", value, f"must be a number of seconds from 0 to {MAX_SECONDS:g}")
    return float(value)


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise InvalidValueError(f"profile.{name}", value, "must be a number above 0")
    return float(value)
