"""What an arrival costs, by a profile measured on a device: its shape planned on the model's card, priced by the production cost model."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from cinelet.capacity.trace import Arrival
from cinelet.errors import InvalidValueError
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.scheduling.cost import Architecture, Cost
from cinelet.scheduling.pricer import Pricer
from cinelet.scheduling.profile import Profile, read_profile
from cinelet.video import VideoRequest

MAX_PROFILE_BYTES = 16 * 1024 * 1024
NUM_SHAPES = 4096
"""How many different shapes are priced once and looked up afterwards."""


class Pricing:
    """Prices arrivals of the profile's model; what an arrival does not say is the model's default."""

    def __init__(self, profile: Profile, card: ModelCard) -> None:
        self.profile = profile
        self._card = card
        self._pricer = Pricer(Architecture(*card.architecture), card.latent_stride, profile.samples)
        self._cost_of_shape = lru_cache(NUM_SHAPES)(self._predict)

    def cost_of(self, arrival: Arrival) -> Cost:
        """Predicted seconds, alone on a free device. Raises `RequestError` for a shape or a model that the profile's cannot make."""
        if arrival.model not in {None, self.profile.model}:
            raise InvalidValueError("model", arrival.model, f"the profile is of {self.profile.model}; give service_s for others")
        return self._cost_of_shape(arrival.width, arrival.height, arrival.num_frames, arrival.num_inference_steps)

    def _predict(self, width: int | None, height: int | None, num_frames: int | None, num_steps: int | None) -> Cost:
        request = VideoRequest(prompt="any", width=width, height=height, num_frames=num_frames, num_inference_steps=num_steps)
        return self._pricer.price(plan(request, self._card, seed=0))


def open_pricing(path: Path, catalogue: Catalogue) -> Pricing:
    """The pricing of a profile's file. Raises `InvalidValueError` where it is none, `ModelNotFoundError` where nobody knows its model."""
    try:
        if path.stat().st_size > MAX_PROFILE_BYTES:
            raise InvalidValueError("profile", path, f"must have at most {MAX_PROFILE_BYTES:,} bytes")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidValueError("profile", path, f"must be a file that can be read; {(error.strerror or 'it cannot').lower()}") from error
    except (ValueError, RecursionError) as error:
        raise InvalidValueError("profile", path, "must be JSON, as a worker keeps it") from error
    if not isinstance(content, dict):
        raise InvalidValueError("profile", path, "must be a JSON object")
    profile = read_profile(content)
    return Pricing(profile, catalogue.get(profile.model))
