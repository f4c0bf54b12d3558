"""Starts cinelet processes by forking one that has everything imported: real processes to kill, without seconds of start-up each.

Run as a module; takes one JSON line a child on stdin (`{"verb", "settings", "log"}`) and answers with its process id.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

import cinelet.gateway.app
import cinelet.gateway.courier
import cinelet.gateway.desk
import cinelet.worker.caretaker
from cinelet.cli.serve import run_house
from cinelet.settings import load_settings

IMPORTED = (uvicorn, cinelet.gateway.app, cinelet.gateway.courier, cinelet.gateway.desk, cinelet.worker.caretaker)
"""What `run_house` imports late: here once for all children."""


class Zygote:
    """The parent of killable processes. `settings` of a child are those of `cinelet.settings.Settings`."""

    def __enter__(self) -> Self:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{Path(__file__).parents[2]}"}
        command = [sys.executable, "-m", "tests.support.zygote"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._read()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def fork(self, verb: str, log: Path, **settings: Any) -> int:
        """A process running `cinelet VERB` with these settings; returns its id. It ends with the zygote at the latest."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"verb": verb, "settings": settings, "log": str(log)}) + "\n")
        self._process.stdin.flush()
        return int(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the zygote ended"
        return line


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # killed children need no burial
    gc.freeze()
    children = []
    print("ready", flush=True)
    for line in sys.stdin:
        wish = json.loads(line)
        pid = os.fork()
        if pid == 0:
            run(wish)
        children.append(pid)
        print(pid, flush=True)
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def run(wish: dict[str, Any]) -> None:
    """The child: its output goes to its log, then it is `cinelet VERB`."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(wish["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(0)
        verb = wish["verb"]
        run_house(load_settings(**wish["settings"]), has_gateway=verb != "worker", has_worker=verb != "gateway")
        code = 0
    except BaseException as error:  # noqa: BLE001 - the edge of a process
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
