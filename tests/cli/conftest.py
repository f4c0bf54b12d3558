"""The command line in this process and in one of its own, and a fake service to talk to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cinelet.cli import main
from tests.support.fake_service import FakeService, fake_service

SOURCE = Path(__file__).parents[2] / "src"
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs are born deaf to it
    "from cinelet.cli import main; main()"
)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def cinelet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Outcome]:
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["cinelet", *args])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return Outcome(int(stop.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """A running service, named in the environment."""
    with fake_service() as service:
        monkeypatch.setenv("CINELET_URL", service.url)
        yield service


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process of its own, in an empty folder; what still runs at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-W", "error", "-c", START, *args]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()
