"""The engine: prompt → frames, one step at a time. torch lives in this folder and nowhere else."""

from cinelet.engine import hush  # noqa: F401 - before any library speaks

# isort: split
from cinelet.engine.engine import Engine
from cinelet.engine.model import WanModel, load_model
from cinelet.engine.trajectory import Trajectory

__all__ = ["Engine", "Trajectory", "WanModel", "load_model"]
