"""An engine without a model, for tests and for developing against the service: plain colours by seed, each step as long as asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cinelet.draft import Draft
from cinelet.errors import EngineDiedError, InvalidValueError, NotFoundError
from cinelet.video import OnFrames, Plan, Video

POISON = "poison"
"""A prompt with this word ends the engine at its first step, as a prompt that crashes a real one would."""


class FakeEngine:
    """Keeps plans and counts steps. Equal plans give equal frames. `step_s` is the time of a step, `sleep` what spends it."""

    def __init__(self, *, step_s: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> None:
        self.step_s = step_s
        self._sleep = sleep
        self._plans: dict[str, Plan] = {}
        self._steps: dict[str, int] = {}

    def start(self) -> None:
        """Nothing to load."""

    def stop(self) -> None:
        """Forget everything."""
        self._plans.clear()
        self._steps.clear()

    def admit(self, name: str, plan: Plan, image_HWC: NDArray[np.uint8] | None = None) -> None:
        """Begin at step 0. A start image is measured, as a real engine would, and not drawn."""
        if (None if plan.image is None else (plan.height, plan.width, 3)) != (None if image_HWC is None else image_HWC.shape):
            raise InvalidValueError("image", plan.image, "its pixels come with the plan that names it, at the clip's size")
        self._plans[name], self._steps[name] = plan, 0

    def resume(self, name: str, path: Path) -> int:
        """Go on from a file of `save`."""
        saved = json.loads(path.read_text(encoding="utf-8"))
        self._plans[name], self._steps[name] = Plan(**saved["plan"]), saved["step"]
        return self._steps[name]

    def step(self, names: Sequence[str], timeout_s: float | None = None) -> dict[str, int]:  # noqa: ARG002 - the port's signature
        """Count one step each."""
        if any(POISON in self._plan(name).prompt for name in names):
            self.stop()
            raise EngineDiedError("engine: the fake engine was poisoned")
        self._sleep(self.step_s)
        for name in names:
            self._steps[name] += 1
        return {name: self._steps[name] for name in names}

    def save(self, name: str, path: Path) -> None:
        """Write plan and step."""
        with Draft(path) as draft:
            draft.path.write_text(json.dumps({"plan": asdict(self._plan(name)), "step": self._steps[name]}), encoding="utf-8")

    def preview(self, name: str) -> NDArray[np.uint8]:
        """One small picture."""
        return paint(self._plan(name), 1)[:, ::4, ::4]

    def drop(self, name: str) -> None:
        """Forget one."""
        self._plans.pop(name, None)
        self._steps.pop(name, None)

    def finish(self, name: str, plan: Plan, on_frames: OnFrames | None = None, *, may_wait: bool = True) -> Video:  # noqa: ARG002
        """The frames of `plan`, at once."""
        self._plan(name)
        self.drop(name)
        frames = paint(plan, plan.num_frames)
        if on_frames:
            on_frames(0, frames)
        seconds = {"encode": 0.0, "denoise": self.step_s * plan.num_inference_steps, "decode": 0.0}
        return Video(frames=frames, latents=np.zeros((1, 1, 1, 1), np.float32), plan=plan, stage_durations_s=seconds)

    def _plan(self, name: str) -> Plan:
        if name not in self._plans:
            raise NotFoundError(f"trajectory: {name} is unknown")
        return self._plans[name]


def paint(plan: Plan, num_frames: int) -> NDArray[np.uint8]:
    """A colour by seed that grows brighter, `[T, H, W, C]`."""
    colour = np.random.default_rng(plan.seed).integers(0, 200, 3, np.uint8)
    frames = np.empty((num_frames, plan.height, plan.width, 3), np.uint8)
    for i, frame in enumerate(frames):
        frame[:] = colour + np.uint8(55 * i // max(1, num_frames))
    return frames
