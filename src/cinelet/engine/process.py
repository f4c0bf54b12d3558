"""An engine in a child process, with the engine's own verbs: commands in, events out, frames through shared memory as they are decoded.

A sticky CUDA error, a segfault or the out-of-memory killer ends the child, not the caller: the call under way raises
`EngineDiedError`, and the next `start` brings a fresh child. The parent owns the memory that frames come back in, so a
killed child leaks nothing. Knows nothing of jobs; the caller names trajectories and decides what is stepped.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from math import prod
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinelet.engine.beside import Decoded
from cinelet.engine.engine import Engine
from cinelet.engine.spec import EngineSpec, open_engine
from cinelet.engine.trajectory import Trajectory
from cinelet.errors import CineletError, EngineDiedError, InternalError
from cinelet.video import OnFrames, Plan, Video

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
        self._decodes: dict[str, _Decode] = {}

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
        self._receive(ours, START_TIMEOUT_S)

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
        for name in list(self._decodes):
            self._decodes.pop(name).close()

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
        if name in self._decodes:
            self._decodes.pop(name).close()

    def finish(self, name: str, plan: Plan, on_frames: OnFrames | None = None, *, may_wait: bool = True) -> Video | None:
        """Decode a trajectory whose steps are done, and forget it. `plan` is the one it was admitted with.

        `on_frames` hears of frames as they come, here or in a later call; they stay valid, and it must not raise. Without `may_wait`
        None says that the clip is being decoded beside the steps of others, where the engine can do that: call again.
        """
        if name not in self._decodes:
            self._decodes[name] = _Decode(plan, on_frames)
            self._decodes[name].is_over = not self._call("begin_decode", name, self._decodes[name].memory_name)
        decode = self._decodes[name]
        if not may_wait and not decode.is_over:
            self._hear_events()
            if not decode.is_over:
                return None
        try:
            about = self._call("finish", name)
        finally:
            self._decodes.pop(name, decode).close()
        return Video(frames=decode.frames, plan=plan, **about)

    def _call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        if self._commands is None:
            raise EngineDiedError("engine: no engine process runs; start it first")
        try:
            self._commands.send((verb, args))
        except OSError as error:
            raise self._died() from error
        return self._receive(self._commands, timeout_s)

    def _receive(self, replies: Connection, timeout_s: float | None) -> Any:
        while True:
            try:
                if not replies.poll(timeout_s):
                    raise self._died(f"engine: no answer within {timeout_s} s; the engine process was ended")
                kind, value = replies.recv()
            except (EOFError, OSError) as error:
                raise self._died() from error
            if kind == "event":
                self._take(*value)
            elif kind == "error":
                raise value
            else:
                return value

    def _hear_events(self) -> None:
        """What the child has said unasked; no command is under way."""
        try:
            while self._commands is not None and self._commands.poll():
                _, value = self._commands.recv()
                self._take(*value)
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _take(self, name: str, start: int, stop: int) -> None:
        """Frames of a clip have come, or, where there are none, its decode is over. A clip that was dropped is nobody's."""
        decode = self._decodes.get(name)
        if decode is not None:
            decode.take(start, stop)

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


class _Decode:
    """The parent's side of a clip that is being decoded: memory that the child writes into, and the frames that came so far."""

    def __init__(self, plan: Plan, on_frames: OnFrames | None) -> None:
        shape = (plan.num_frames, plan.height, plan.width, 3)
        self._memory = SharedMemory(create=True, size=prod(shape))
        self._shared: NDArray[np.uint8] | None = np.ndarray(shape, np.uint8, self._memory.buf)
        self._on_frames = on_frames
        self.frames: NDArray[np.uint8] = np.empty(shape, np.uint8)
        self.is_over = False

    @property
    def memory_name(self) -> str:
        """Where the child writes."""
        return self._memory.name

    def take(self, start: int, stop: int) -> None:
        """Frames from `start` to before `stop` are there; none: no more will come by themselves."""
        if start == stop:
            self.is_over = True
        elif self._shared is not None:
            self.frames[start:stop] = self._shared[start:stop]
            if self._on_frames is not None:
                self._on_frames(start, self.frames[start:stop])

    def close(self) -> None:
        """Let go of the shared memory; the frames stay."""
        if self._shared is not None:
            self._shared = None
            self._memory.close()
            self._memory.unlink()


class _Servant:
    """The child's side: an engine, trajectories by name, one method a verb. `tell` says which frames of a clip are in its memory."""

    def __init__(self, engine: Engine, tell: Callable[[str, int, int], None]) -> None:
        self._engine = engine
        self._tell = tell
        self._trajectories: dict[str, Trajectory] = {}
        self._outlets: dict[str, _Outlet] = {}
        self._begun: dict[str, Future[Decoded]] = {}

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
        outlet, begun = self._outlets.pop(name, None), self._begun.pop(name, None)
        if outlet is not None and begun is not None:
            begun.add_done_callback(lambda _: outlet.close())  # at once where it is done
        elif outlet is not None:
            outlet.close()

    def begin_decode(self, name: str, memory_name: str) -> bool:
        trajectory = self._trajectories[name]
        self._outlets[name] = _Outlet(trajectory.plan, memory_name, functools.partial(self._tell, name))
        begun = self._engine.begin_decode(trajectory, self._outlets[name])
        if begun is None:
            return False
        self._begun[name] = begun
        begun.add_done_callback(lambda _: self._tell(name, 0, 0))
        return True

    def finish(self, name: str) -> dict[str, Any]:
        video = self._engine.finish(self._trajectories[name], self._outlets[name], self._begun.get(name))
        self.drop(name)
        return {
            "stage_durations_s": video.stage_durations_s,
            "peak_memory_bytes": video.peak_memory_bytes,
            "decode": video.decode,
            "speed_path": video.speed_path,
            "precision": video.precision,
            "placement": video.placement,
            "latents": video.latents,
        }


class _Outlet:
    """The child's side of a clip that is being decoded: writes its frames where the parent reads them."""

    def __init__(self, plan: Plan, memory_name: str, tell: Callable[[int, int], None]) -> None:
        self._memory = SharedMemory(memory_name)
        self._shared: NDArray[np.uint8] | None = np.ndarray((plan.num_frames, plan.height, plan.width, 3), np.uint8, self._memory.buf)
        self._tell = tell

    def __call__(self, start: int, part: NDArray[np.uint8]) -> None:
        if self._shared is not None:
            self._shared[start : start + len(part)] = part
            self._tell(start, start + len(part))

    def close(self) -> None:
        self._shared = None
        self._memory.close()


def _serve(commands: Connection, spec: EngineSpec) -> None:
    """The child's life: load, then answer one command after the other until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        speaking = threading.Lock()  # a decode in another thread tells too

        def send(kind: str, value: Any) -> None:
            with speaking:
                commands.send((kind, value))

        servant = _Servant(open_engine(spec), lambda *frames: send("event", frames))
        send("done", None)
        while True:
            verb, args = commands.recv()
            send(*_answer(servant, verb, args))
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
