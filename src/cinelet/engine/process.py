"""An engine in a child process, with the engine's own verbs: commands in, events out, frames through shared memory.

A sticky CUDA error, a segfault or the out-of-memory killer ends the child, not the caller: the call under way raises
`EngineDiedError`, and the next `start` brings a fresh child. The parent owns the memory that frames come back in, so a
killed child leaks nothing. Knows nothing of jobs; the caller names trajectories and decides what is stepped.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from math import prod
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinelet.engine.engine import Engine
from cinelet.engine.spec import EngineSpec, open_engine
from cinelet.engine.trajectory import Trajectory
from cinelet.errors import CineletError, EngineDiedError, InternalError
from cinelet.video import Plan, Video

START_TIMEOUT_S = 1800.0
"""Loading the largest checkpoints from a slow disk has been seen to take 23 minutes (DFloat11 issue 25)."""
STOP_TIMEOUT_S = 10.0


class EngineProcess:
    """One child with one engine. Not thread-safe: one caller at a time.

    Every verb raises what the engine raises, `EngineDiedError` when the child ends under it or does not answer within
    `timeout_s`. After that the process is stopped, its trajectories are gone, and `start` begins anew.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._process: Any = None
        self._commands: Connection | None = None

    def start(self) -> None:
        """Start the child and wait until its model is loaded. Does nothing while it runs."""
        if self.is_alive:
            return
        self.stop()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._commands = ours
        self._process = context.Process(target=_serve, args=(theirs, self._spec), daemon=True, name="cinelet-engine")
        self._process.start()
        theirs.close()
        self._receive(ours, START_TIMEOUT_S, None)

    def stop(self) -> None:
        """End the child; safe to call in any state."""
        if self._commands is not None:
            self._commands.close()
            self._commands = None
        if self._process is not None:
            self._process.join(STOP_TIMEOUT_S if self._process.is_alive() else 0)
            self._process.kill()
            self._process.join()
            self._process = None

    @property
    def is_alive(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int | None:
        """The child's process id, or None."""
        return None if self._process is None else self._process.pid

    def admit(self, name: str, plan: Plan, image_HWC: NDArray[np.uint8] | None = None) -> None:
        """Begin a trajectory under `name`, with the pixels of the start image that its plan names."""
        self._call("admit", name, plan, image_HWC)

    def resume(self, name: str, path: Path) -> int:
        """Continue a saved trajectory under `name`; returns its finished steps."""
        step: int = self._call("resume", name, path)
        return step

    def step(self, names: Sequence[str], timeout_s: float | None = None) -> dict[str, int]:
        """Advance these trajectories by one step each, in as few forwards as their shapes allow; returns finished steps by name.

        Where the two experts cannot lie on the device together, those that want the other one wait for their turn (`Phases`).
        """
        steps: dict[str, int] = self._call("step", list(names), timeout_s=timeout_s)
        return steps

    def save(self, name: str, path: Path) -> None:
        """Write a checkpoint; the trajectory goes on."""
        self._call("save", name, path)

    def preview(self, name: str) -> NDArray[np.uint8]:
        """A rough picture of each latent frame."""
        pictures: NDArray[np.uint8] = self._call("preview", name)
        return pictures

    def drop(self, name: str) -> None:
        """Forget a trajectory: cancelled, preempted or saved."""
        self._call("drop", name)

    def finish(self, name: str, plan: Plan, on_part: Callable[[float], None] | None = None) -> Video:
        """Decode a trajectory whose steps are done, and forget it. `plan` is the one it was admitted with."""
        shape = (plan.num_frames, plan.height, plan.width, 3)
        memory = SharedMemory(create=True, size=prod(shape))
        try:
            about = self._call("finish", name, memory.name, on_event=on_part)
            frames: NDArray[np.uint8] = np.ndarray(shape, np.uint8, memory.buf).copy()
        finally:
            memory.close()
            memory.unlink()
        return Video(frames=frames, plan=plan, **about)

    def _call(self, verb: str, *args: Any, timeout_s: float | None = None, on_event: Callable[[Any], None] | None = None) -> Any:
        if self._commands is None:
            raise EngineDiedError("engine: no engine process runs; start it first")
        try:
            self._commands.send((verb, args))
        except OSError as error:
            raise self._died() from error
        return self._receive(self._commands, timeout_s, on_event)

    def _receive(self, replies: Connection, timeout_s: float | None, on_event: Callable[[Any], None] | None) -> Any:
        while True:
            try:
                if not replies.poll(timeout_s):
                    raise self._died(f"engine: no answer within {timeout_s} s; the engine process was ended")
                kind, value = replies.recv()
            except (EOFError, OSError) as error:
                raise self._died() from error
            if kind == "event":
                if on_event:
                    on_event(value)
            elif kind == "error":
                raise value
            else:
                return value

    def _died(self, message: str = "") -> EngineDiedError:
        """Clean up after the child and say how it ended."""
        process = self._process
        if process is not None:
            if message:
                process.kill()
            process.join(STOP_TIMEOUT_S)
        code = None if process is None else process.exitcode
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
        self.stop()
        return EngineDiedError(message or f"engine: the engine process ended ({how}) in the middle of its work")


class _Servant:
    """The child's side: an engine, trajectories by name, one method a verb."""

    def __init__(self, engine: Engine, send_event: Callable[[Any], None]) -> None:
        self._engine = engine
        self._send_event = send_event
        self._trajectories: dict[str, Trajectory] = {}

    def admit(self, name: str, plan: Plan, image_HWC: NDArray[np.uint8] | None) -> None:
        self._trajectories[name] = self._engine.admit(plan, image_HWC=image_HWC)

    def resume(self, name: str, path: Path) -> int:
        self._trajectories[name] = self._engine.resume(path)
        return self._trajectories[name].step

    def step(self, names: list[str]) -> dict[str, int]:
        for group in self._engine.groups(self._trajectories[name] for name in names):
            self._engine.step(group)
        return {name: self._trajectories[name].step for name in names}

    def save(self, name: str, path: Path) -> None:
        self._trajectories[name].save(path)

    def preview(self, name: str) -> NDArray[np.uint8]:
        return self._engine.preview(self._trajectories[name])

    def drop(self, name: str) -> None:
        self._trajectories.pop(name, None)

    def finish(self, name: str, memory_name: str) -> dict[str, Any]:
        video = self._engine.finish(self._trajectories[name], self._send_event)
        memory = SharedMemory(memory_name)
        np.ndarray(video.frames.shape, np.uint8, memory.buf)[:] = video.frames
        memory.close()
        del self._trajectories[name]
        return {
            "stage_durations_s": video.stage_durations_s,
            "peak_memory_bytes": video.peak_memory_bytes,
            "decode": video.decode,
            "speed_path": video.speed_path,
            "precision": video.precision,
            "placement": video.placement,
            "latents": video.latents,
        }


def _serve(commands: Connection, spec: EngineSpec) -> None:
    """The child's life: load, then answer one command after the other until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        servant = _Servant(open_engine(spec), lambda value: commands.send(("event", value)))
        commands.send(("done", None))
        while True:
            verb, args = commands.recv()
            commands.send(_answer(servant, verb, args))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the parent is gone: nothing is left to tell anyone
    except CineletError as error:
        commands.send(("error", error))


def _answer(servant: _Servant, verb: str, args: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "done", getattr(servant, verb)(*args)
    except CineletError as error:
        return "error", error
    except Exception as error:  # noqa: BLE001 - the edge of a process: it tells and lives on
        return "error", InternalError(f"engine: {verb} failed: {type(error).__name__}", detail=traceback.format_exc())
