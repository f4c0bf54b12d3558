"""`cinelet batch` of thirty rows against a real service: killed in the middle on either side, each clip is made once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from cinelet.cli.batch_manifest import NAME
from cinelet.media import read_clip
from tests.support.service import Service, running_service

NUM_ROWS = 30
MIDDLE = range(6, 24)
"""How many clips are there when the killing happens: some, and not nearly all."""
PATIENCE_S = 60.0
POLL_S = 0.005


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A few hundredths of a second a clip: time enough to be killed in."""
    with running_service(tmp_path, lease_s=1.0, slots=2) as running:
        yield running


class Batch:
    """The command in a folder of its own, as a process."""

    def __init__(self, service: Service, folder: Path) -> None:
        table = folder / "rows.csv"
        rows = "".join(f"kite number {number},4,64x64,5\n" for number in range(NUM_ROWS))
        table.write_text(f"prompt,steps,size,num_frames\n{rows}")
        self.output = folder / "clips"
        self._log = folder / "batch.log"
        self._command = [sys.executable, "-m", "cinelet", "batch", str(table), "-o", str(self.output), "--url", service.url, "--quiet"]

    def run(self) -> int:
        """To its end; returns the exit code."""
        with self._started() as process:
            return process.wait(PATIENCE_S)

    @contextmanager
    def _started(self) -> Iterator[subprocess.Popen[bytes]]:
        with self._log.open("ab") as log, subprocess.Popen(self._command, stdout=log, stderr=log) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def in_the_middle(self) -> Iterator[subprocess.Popen[bytes]]:
        """The process when it has made some of its clips."""
        with self._started() as process:
            deadline = time.monotonic() + PATIENCE_S
            while self.num_completed() < MIDDLE.start:
                assert process.poll() is None, self._log.read_text()
                assert time.monotonic() < deadline
                time.sleep(POLL_S)
            yield process

    def lines(self) -> list[dict[str, object]]:
        """What the manifest says, a line that is being written left out."""
        path = self.output / NAME
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()[1:]]

    def num_completed(self) -> int:
        """Clips that are there."""
        return sum(line["state"] == "completed" for line in self.lines())


def assert_each_once(batch: Batch, service: Service) -> list[dict[str, object]]:
    """Thirty files, thirty rows done, thirty jobs; returns the jobs."""
    files = sorted(path for path in batch.output.iterdir() if path.suffix == ".mp4")
    assert len(files) == NUM_ROWS
    assert {read_clip(path)[0].shape for path in files} == {(5, 64, 64, 3)}
    completed = [line for line in batch.lines() if line["state"] == "completed"]
    assert sorted(line["row"] for line in completed) == list(range(1, NUM_ROWS + 1))
    assert sorted(line["path"] for line in completed) == [path.name for path in files]
    page = httpx2.get(f"{service.url}/v1/videos", params={"limit": 100}, trust_env=False, timeout=30).json()
    jobs = page["data"]
    assert sorted(job["prompt"] for job in jobs) == sorted(f"kite number {number}" for number in range(NUM_ROWS))
    assert {job["status"] for job in jobs} == {"completed"}
    assert {line["job_id"] for line in completed} == {job["id"] for job in jobs}
    return jobs


def test_a_batch_that_was_killed_goes_on_and_makes_each_clip_once(service: Service, tmp_path: Path) -> None:
    batch = Batch(service, tmp_path)
    with batch.in_the_middle() as process:
        process.kill()
        process.wait()
    assert batch.num_completed() in MIDDLE
    assert batch.run() == 0
    assert {job["attempt"] for job in assert_each_once(batch, service)} == {1}


def test_a_batch_whose_service_was_killed_makes_each_clip_once(service: Service, tmp_path: Path) -> None:
    batch = Batch(service, tmp_path)
    with batch.in_the_middle() as process:
        service.kill()
        assert batch.num_completed() in MIDDLE
        service.start()
        first = process.wait(PATIENCE_S)
    assert first == 0 or batch.run() == 0
    assert_each_once(batch, service)
