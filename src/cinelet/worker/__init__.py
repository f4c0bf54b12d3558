"""Claims jobs, drives an engine, checkpoints, delivers. Knows no HTTP, and of the engine only its verbs."""

from cinelet.worker.fake import FakeEngine
from cinelet.worker.pace import Pace
from cinelet.worker.port import EnginePort
from cinelet.worker.worker import Worker

__all__ = ["EnginePort", "FakeEngine", "Pace", "Worker"]
