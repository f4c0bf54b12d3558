"""`cinelet generate --url` and `cinelet jobs`: the same output, exit codes that say what to do, and jobs that survive Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cinelet.media import read_clip, write_clip
from tests.support.fake_service import CLIP


def job_ids(service) -> list[str]:
    return list(service.jobs)


def wait_for(service, count: int, method: str, path: str) -> None:
    """Until the service has seen so many calls."""
    with service.lock:
        assert service.lock.wait_for(lambda: len(service.calls(method, path)) >= count, timeout=60)


def test_a_sentence_becomes_a_file(cinelet, service, tmp_path: Path) -> None:
    done = cinelet("generate", "a red car", "--seed", "3", "--size", "320x192", "-o", "clip.mp4")
    assert done.code == 0
    assert done.out.startswith("clip.mp4  320x192, 16 frames at 8 fps, seed 3, ")
    assert (tmp_path / "clip.mp4").read_bytes() == CLIP
    assert service.calls("POST")[0].body == {"prompt": "a red car", "preset": "standard", "seed": 3, "width": 320, "height": 192}


def test_json_has_the_shape_of_a_local_run(cinelet, service) -> None:
    result = json.loads(cinelet("generate", "a red car", "--json").out)
    assert {"path", "sheet", "plan", "stage_durations_s", "peak_memory_bytes", "decode"} <= set(result)
    assert result["path"] == "a-red-car-4711.mp4"
    assert result["id"] in service.jobs


def test_several_clips_have_seeds_that_count_up(cinelet, service, tmp_path: Path) -> None:
    done = cinelet("generate", "a red car", "--seed", "3", "--clips", "3", "-o", "clip.mp4", "--json")
    assert [result["plan"]["seed"] for result in json.loads(done.out)] == [3, 4, 5]
    assert {path.name for path in tmp_path.iterdir()} == {"clip-1.mp4", "clip-2.mp4", "clip-3.mp4"}


def test_other_formats_and_contact_sheets_are_made_here(cinelet, service, tmp_path: Path) -> None:
    write_clip(np.full((8, 32, 32, 3), 90, np.uint8), tmp_path / "served.mp4", 8)
    service.clip = (tmp_path / "served.mp4").read_bytes()
    assert cinelet("generate", "a red car", "-o", "clip.gif", "--sheet").code == 0
    assert read_clip(tmp_path / "clip.gif")[0].shape == (8, 32, 32, 3)
    assert (tmp_path / "clip.png").is_file()


def test_the_flag_goes_before_the_environment(cinelet, service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINELET_URL", "http://127.0.0.1:9")
    service.api_key = "mine"
    assert cinelet("jobs", "list", "--url", service.url, "--api-key", "mine").code == 0


BAD = {
    "local start": (["--latents", "x.npy"], "latents"),
    "kept trajectory": (["--keep", "x.safetensors"], "keep"),
    "no folder": (["-o", "no/such/clip.mp4"], "output"),
    "suffix": (["-o", "clip.avi"], "output"),
    "size": (["--size", "big"], "size"),
    "steps": (["--steps", "0"], "num_inference_steps"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_be_seen_here_is_refused_before_anything_is_submitted(case: str, cinelet, service) -> None:
    args, field = BAD[case]
    done = cinelet("generate", "a red car", *args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error {field}")
    assert service.seen == []


CODES = {404: 3, 401: 4, 403: 4, 429: 5, 400: 2, 500: 1, 503: 1}


@pytest.mark.parametrize("status", CODES)
def test_exit_codes_say_what_to_do(status: int, cinelet, service) -> None:
    service.trouble("POST", "/videos$", times=9, status=status, headers={"x-should-retry": "false"})
    done = cinelet("generate", "a red car")
    assert done.code == CODES[status]
    assert done.err == "error trouble\n"
    assert done.out == ""


def test_a_failed_job_is_told_with_its_reason(cinelet, service, tmp_path: Path) -> None:
    service.outcome = lambda job: ("numerical_failure", "the numbers left their range")
    done = cinelet("generate", "a red car")
    assert done.code == 1
    assert "the numbers left their range" in done.err
    assert list(tmp_path.iterdir()) == []


def test_no_service_named_is_said(cinelet) -> None:
    done = cinelet("jobs", "list")
    assert done.code == 2
    assert "CINELET_URL" in done.err


def test_jobs_are_listed_for_people_and_programs(cinelet, service) -> None:
    for seed in "123":
        cinelet("generate", "a red car", "--seed", seed)
    listed = cinelet("jobs", "list", "--limit", "2")
    assert [line.split("\t")[0] for line in listed.out.splitlines()] == ["id", *job_ids(service)[:0:-1]]
    assert f"--after {job_ids(service)[1]}" in listed.err
    assert [job["seed"] for job in json.loads(cinelet("jobs", "list", "--json").out)] == [3, 2, 1]


def test_a_job_is_shown_cancelled_retried_and_deleted(cinelet, service) -> None:
    service.hold_all = True
    service.new_job({"prompt": "a red car"})
    (job_id,) = job_ids(service)
    assert f"id\t{job_id}" in cinelet("jobs", "show", job_id).out
    assert json.loads(cinelet("jobs", "show", job_id, "--json").out)["id"] == job_id
    assert cinelet("jobs", "cancel", job_id).out == f"{job_id}\tcancelled\n"
    again = cinelet("jobs", "retry", job_id).out.split("\t")[0]
    assert cinelet("jobs", "delete", job_id, again).code == 0
    assert service.jobs == {}
    assert cinelet("jobs", "show", job_id).code == 3


def test_waiting_fetches_the_clip(cinelet, service, tmp_path: Path) -> None:
    service.new_job({"prompt": "a red car"})
    done = cinelet("jobs", "wait", job_ids(service)[0], "-o", "clip.mp4", "--json")
    assert (done.code, json.loads(done.out)["status"]) == (0, "completed")
    assert (tmp_path / "clip.mp4").read_bytes() == CLIP


def test_waiting_ends_in_time_and_for_failures(cinelet, service) -> None:
    service.outcome = lambda job: ("expired", "the deadline passed")
    service.new_job({"prompt": "a red car"})
    service.hold_all = True
    service.new_job({"prompt": "a blue car"})
    failed, held = job_ids(service)
    assert cinelet("jobs", "wait", failed).code == 1
    late = cinelet("jobs", "wait", held, "--timeout", "0.05")
    assert late.code == 6
    assert "goes on" in late.err


def test_the_first_ctrl_c_detaches_and_says_how_to_come_back(started, service, tmp_path: Path, cinelet) -> None:
    service.hold_all = True
    process = started("generate", "a red car", "-o", "my clip.mp4", "-q")
    wait_for(service, 1, "GET", "/events$")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    (job_id,) = job_ids(service)
    assert (process.returncode, out) == (130, "")
    assert f"cinelet jobs wait {job_id} -o 'my clip.mp4'" in err
    assert service.jobs[job_id]["status"] == "queued"
    service.release(job_id)
    assert cinelet("jobs", "wait", job_id, "-o", "my clip.mp4").code == 0


def test_the_second_ctrl_c_cancels(started, service, tmp_path: Path) -> None:
    service.hold_all = True
    process = started("generate", "a red car", "--clips", "2", "-q")
    wait_for(service, 1, "GET", "/events$")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "Ctrl-C again" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert "cancelled" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert {job["x_state"] for job in service.jobs.values()} == {"cancelled"}
    assert list(tmp_path.iterdir()) == []


def test_a_remote_run_needs_no_engine(service, tmp_path: Path) -> None:
    """The base install has no torch and no codec: an MP4 from a service needs neither."""
    code = (
        "import sys; sys.argv = ['cinelet', 'generate', 'a red car', '-o', 'clip.mp4']\n"
        "sys.modules.update(dict.fromkeys(('torch', 'diffusers', 'transformers', 'av', 'PIL')))\n"
        "from cinelet.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert (tmp_path / "clip.mp4").read_bytes() == CLIP
