"""What a worker asks of an engine: the verbs of `cinelet.engine.EngineProcess`. Trajectories go by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cinelet.video import OnFrames, Plan, Video


class EnginePort(Protocol):
    """One engine on one device, for one caller at a time.

    Every verb may raise `EngineDiedError`: then all trajectories are gone, and `start` begins anew. Other errors concern the
    named trajectory alone.
    """

    def start(self) -> None:
        """Load and wait until ready; nothing where it runs."""

    def stop(self) -> None:
        """End it, in any state."""

    def admit(self, name: str, plan: Plan, image_HWC: NDArray[np.uint8] | None = None) -> None:
        """Begin a trajectory, with the pixels of the start image that its plan names."""

    def resume(self, name: str, path: Path) -> int:
        """Continue a saved trajectory; returns its finished steps."""

    def step(self, names: Sequence[str], timeout_s: float | None = None) -> dict[str, int]:
        """One step of each, or of those whose turn it is; returns finished steps by name."""

    def save(self, name: str, path: Path) -> None:
        """Write a checkpoint."""

    def preview(self, name: str) -> NDArray[np.uint8]:
        """A rough picture of each latent frame, `[T', H', W', C]`."""

    def drop(self, name: str) -> None:
        """Forget a trajectory; an unknown one is fine."""

    def finish(self, name: str, plan: Plan, on_frames: OnFrames | None = None, *, may_wait: bool = True) -> Video | None:
        """Decode a trajectory whose steps are done, and forget it; `on_frames` hears of frames as they come and must not raise.

        Without `may_wait` None says that it is being decoded beside the steps of others: call again.
        """
