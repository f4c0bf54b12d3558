"""`cinelet scale advise` and the gauges on a real service: a backlog asks for devices, and says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.service import Service, running_service

NUM_JOBS = 12


def advise(service: Service, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CINELET_URL": service.url}
    command = [sys.executable, "-m", "cinelet", "scale", "advise", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def advice(service: Service, *options: str) -> dict[str, Any]:
    done = advise(service, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def gauges(service: Service) -> dict[str, float]:
    page = httpx2.get(service.url + "/metrics", trust_env=False).text
    lines = (line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("cinelet_") and "{" not in line)
    return {name: float(value) for name, value in lines}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One worker whose steps take a second, and jobs for minutes."""
    with running_service(tmp_path_factory.mktemp("busy"), fake_step_s=1.0, grace_s=0.0) as service:
        with httpx2.Client(base_url=service.url, trust_env=False) as client:
            for number in range(NUM_JOBS):
                body = {"prompt": f"a red balloon {number}", "num_inference_steps": 20}
                assert client.post("/v1/videos", json=body).is_success
        yield service


def test_the_queue_tells_work_workers_and_what_was_accepted(busy: Service) -> None:
    told = httpx2.get(busy.url + "/v1/queue?history_s=3600&bucket_s=300", trust_env=False).json()
    assert told["workers"] == 1
    assert sum(told["waiting"].values()) + told["running"] == NUM_JOBS
    assert sum(told["accepted"]["num"]) == NUM_JOBS
    assert sum(told["accepted"]["work_seconds"]) == pytest.approx(told["waiting_seconds"] + told["running_seconds"], rel=0.2)
    assert len(told["accepted"]["num"]) == 12
    assert told["oldest_wait_seconds"] > 0
    assert "accepted" not in httpx2.get(busy.url + "/v1/queue", trust_env=False).json()


@pytest.mark.parametrize(
    "query", ["history_s=60&bucket_s=300", "history_s=1e9", "history_s=nan", "history_s=3600&bucket_s=0.1", "history_s=x"]
)
def test_a_history_nobody_can_tell_is_refused(busy: Service, query: str) -> None:
    refused = httpx2.get(f"{busy.url}/v1/queue?{query}", trust_env=False)
    assert refused.status_code == 400
    assert "_s" in refused.json()["error"]["message"]


def test_a_backlog_asks_for_devices(busy: Service) -> None:
    told = advice(busy, "--target-wait", "1", "--cold-start", "1", "--max", "4")
    assert (told["action"], told["num_devices"], told["target_devices"], told["num_start"]) == ("out", 1, 4, 3)
    assert told["wait_s"] > 1
    assert told["situation"]["num_waiting"] >= NUM_JOBS - 2
    assert "the target is 1 s" in told["reason"]


def test_devices_on_their_way_are_counted(busy: Service) -> None:
    assert advice(busy, "--target-wait", "1", "--cold-start", "1", "--max", "4", "--starting", "3")["action"] == "hold"


def test_the_same_advice_for_people(busy: Service) -> None:
    done = advise(busy, "--target-wait", "1", "--cold-start", "1", "--max", "4")
    assert done.returncode == 0
    assert "1 now, 4 wanted" in done.stdout
    assert "start 3" in done.stdout


def test_the_gauges_tell_what_the_command_tells(busy: Service) -> None:
    shown, told = gauges(busy), advice(busy)
    assert shown["cinelet_workers_present"] == 1
    assert shown["cinelet_scale_target_devices"] == told["target_devices"]
    assert shown["cinelet_queue_work_seconds"] == pytest.approx(told["situation"]["waiting_s"], rel=0.3)
    assert shown["cinelet_running_work_seconds"] > 0
    assert shown["cinelet_arriving_work_ratio"] == pytest.approx(told["arriving"], rel=0.5)


def test_a_cold_start_of_half_an_hour_falls_back_to_the_recent_rate_where_there_is_no_history(busy: Service) -> None:
    done = advise(busy, "--cold-start", "1800", "--json")
    assert done.returncode == 0
    assert "the recent rate is used" in done.stderr
    assert json.loads(done.stdout)["action"] in ("out", "hold")


@pytest.mark.parametrize("options", [["--min", "5", "--max", "4"], ["--quantile", "7"]])
def test_options_that_contradict_each_other_are_one_line_and_exit_code_2(busy: Service, options: list[str]) -> None:
    done = advise(busy, *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not allowed" in done.stderr
