"""A real `cinelet serve` (or gateway, or worker) as a child process on a free port, for tests to use, to kill and to start again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

READY_TIMEOUT_S = 120.0
POLL_S = 0.02


class Service:
    """One process of cinelet. `settings` become environment variables; `url` is set once it listens."""

    def __init__(self, folder: Path, verb: str = "serve", **settings: Any) -> None:
        self.folder = folder
        self.verb = verb
        defaults = {
            "store": str(folder / "cinelet.db"),
            "blobs": str(folder / "blobs"),
            "profiles_dir": str(folder / "profiles"),
            "secret": "x" * 40,
            "allow_loopback_callbacks": True,
        }
        if verb != "worker":
            defaults["port"] = 0
        self.settings: dict[str, Any] = {**defaults, **settings}
        self.url = ""
        self.log = folder / f"{verb}.log"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> None:
        """Start, and wait until it is ready. A gateway or serve keeps the port of its first start."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment |= {f"CINELET_{name.upper()}": _text(value) for name, value in self.settings.items()}
        command = [sys.executable, "-m", "cinelet", self.verb]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True, cwd=self.folder)
        if self.verb == "worker":
            return
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line.startswith("http"):
            self.kill()
            raise AssertionError(f"cinelet {self.verb} did not start: {self.log.read_text()[-2000:]}")
        self.url = line
        self.settings["port"] = int(line.rsplit(":", 1)[1])
        threading.Thread(target=self._process.stdout.read, daemon=True).start()
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait for a green /readyz."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=5.0, verify=False) as client:
            while time.monotonic() < deadline:
                assert self.is_alive, f"cinelet {self.verb} ended: {self.log.read_text()[-2000:]}"
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx2.HTTPError:
                    pass
                time.sleep(POLL_S)
        raise AssertionError(f"cinelet {self.verb} was not ready in {READY_TIMEOUT_S} s: {self.log.read_text()[-2000:]}")

    def wait_logged(self, words: str) -> None:
        """Wait until its log has these words."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while words not in self.log.read_text():
            assert self.is_alive, f"cinelet {self.verb} ended: {self.log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"cinelet {self.verb} did not say {words!r}: {self.log.read_text()[-2000:]}"
            time.sleep(POLL_S)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a power cut for one process."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM and wait; returns the exit code."""
        return self._end(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal and do not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait_end(self, timeout_s: float = 60.0) -> int:
        """Wait until it has ended by itself; returns the exit code."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        try:
            code = self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


@contextmanager
def running_service(folder: Path, **settings: Any) -> Iterator[Service]:
    """A ready `cinelet serve` for a `with` block; on the fake engine unless `engine="real"` is given."""
    with Service(folder, **{"engine": "fake", "fake_step_s": 0.01, **settings}) as service:
        yield service


def _text(value: object) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
