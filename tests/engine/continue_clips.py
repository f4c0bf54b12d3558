"""A second process: `python -m tests.engine.continue_clips MODEL_FOLDER NUM_THREADS TRAJECTORY...` writes `.npz` beside each."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from cinelet.engine import Engine, load_model
from tests.engine.clips import advance


def main(folder: str, num_threads: str, *paths: str) -> None:
    """Finish each trajectory and write its frames and latents."""
    torch.set_num_threads(int(num_threads))
    engine = Engine(load_model(Path(folder), torch.device("cpu")))
    for path in map(Path, paths):
        video = engine.finish(advance(engine, engine.resume(path)))
        np.savez(path.with_suffix(".npz"), frames=video.frames, latents=video.latents)


if __name__ == "__main__":
    main(*sys.argv[1:])
