"""What a worker owes its jobs: to go on where it was, to stop when told, to survive its engine. Real processes, really killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.postgres import Postgres
from tests.support.service import Service, running_service

PATIENCE_S = 120.0


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=30.0) as client:
        yield client


def submit(client: httpx2.Client, service: Service, **fields: Any) -> str:
    answer = client.post(f"{service.url}/v1/videos", json={"prompt": "a cat", **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def wait_for(client: httpx2.Client, service: Service, job_id: str, is_met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The video as soon as `is_met`; told by the event stream, not by the clock."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with client.stream("GET", f"{service.url}/v1/videos/{job_id}/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("data: ") and is_met(video := json.loads(line[6:])):
                    return dict(video)
    raise AssertionError(f"{job_id} did not come that far")


def is_final(video: dict[str, Any]) -> bool:
    return video["status"] in {"completed", "failed"}


def claims(service: Service, job_id: str) -> list[dict[str, Any]]:
    """The worker's log of claims of one job."""
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "claimed" and line["job_id"] == job_id]


def test_a_killed_clip_goes_on_from_its_checkpoint(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=0.05, checkpoint_every_s=0.1, lease_s=1.0) as service:
        job_id = submit(client, service, num_inference_steps=60)
        wait_for(client, service, job_id, lambda video: video["current_step"] >= 15)
        service.kill()
        service.start()
        video = wait_for(client, service, job_id, is_final)
        assert video["status"] == "completed"
        assert video["attempt"] == 2
        assert claims(service, job_id)[1]["checkpoint_step"] >= 10


def test_a_stopped_worker_saves_its_clip_and_spends_no_attempt(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=0.05, grace_s=0.0) as service:
        job_id = submit(client, service, num_inference_steps=60)
        wait_for(client, service, job_id, lambda video: video["current_step"] >= 5)
        assert service.stop() == 0
        service.start()
        video = wait_for(client, service, job_id, is_final)
        assert (video["status"], video["attempt"]) == ("completed", 1)
        assert claims(service, job_id)[1]["checkpoint_step"] >= 5


def test_cancelling_frees_the_device_within_one_step(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=0.5) as service:
        first = submit(client, service, num_inference_steps=500)
        second = submit(client, service, num_inference_steps=1)
        wait_for(client, service, first, lambda video: video["status"] == "in_progress")
        cancelled = client.post(f"{service.url}/v1/videos/{first}/cancel").json()
        assert (cancelled["status"], cancelled["error"]["code"], cancelled["x_state"]) == ("failed", "cancelled", "cancelled")
        assert wait_for(client, service, second, is_final)["status"] == "completed"
        again = client.post(f"{service.url}/v1/videos/{first}/cancel").json()
        assert again["completed_at"] is None
        assert again["x_state"] == "cancelled"
        assert again["current_step"] < 10


def test_a_client_that_leaves_changes_nothing(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path) as service:
        body = json.dumps({"prompt": "a cat"}).encode()
        head = f"POST /v1/videos/sync HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", service.settings["port"])) as leaving:
            leaving.sendall(head.encode() + body)
            wait_until(lambda: client.get(f"{service.url}/v1/videos").json()["data"])
        video = client.get(f"{service.url}/v1/videos").json()["data"][0]
        assert wait_for(client, service, video["id"], is_final)["status"] == "completed"


def test_a_clip_survives_the_death_of_its_engine(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, engine="real", checkpoint_every_s=0.05) as service:
        small = {"size": "96x64", "num_frames": 9, "num_inference_steps": 50, "seed": 1}
        job_id = submit(client, service, **small)
        wait_for(client, service, job_id, lambda video: video["current_step"] >= 10)
        os.kill(engine_of(service.pid), signal.SIGKILL)
        video = wait_for(client, service, job_id, is_final)
        assert (video["status"], video["attempt"]) == ("completed", 2)
        assert claims(service, job_id)[1]["checkpoint_step"] > 0
        clip = client.get(video["url"]).content
        undisturbed = submit(client, service, **small, guidance_scale=2.0000001)
        video = wait_for(client, service, undisturbed, is_final)
        assert len(client.get(video["url"]).content) == pytest.approx(len(clip), rel=0.05)


def engine_of(pid: int) -> int:
    """The engine child of a serving process: the one that runs multiprocessing's spawn."""
    for child in children_of_threads(pid):
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("no engine runs")


def children_of_threads(pid: int) -> list[str]:
    return [child for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def wait_until(is_met: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_worker_that_starts_before_its_database_waits_for_it(tmp_path: Path) -> None:
    with Postgres() as server:
        server.stop()
        with Service(tmp_path, "worker", store=server.url, engine="fake") as worker:
            worker.wait_logged("store is away")
            server.start()
            worker.wait_logged('"ready"')
