"""Who goes first, on real services: the best tier takes the next step, overload is answered, what is served lighter says so."""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from cinelet.media import read_clip
from tests.acceptance.test_worker import PATIENCE_S, is_final, submit, wait_for
from tests.support.service import Service, running_service

STEP_S = 0.02


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=30.0) as client:
        yield client


def log_of(service: Service, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def learn_the_price(client: httpx2.Client, service: Service) -> None:
    """Make a few clips and wait until estimates follow what they took."""
    for _ in range(2):
        wait_for(client, service, submit(client, service, num_inference_steps=10), is_final)
    deadline = time.monotonic() + PATIENCE_S
    body = {"prompt": "a cat", "num_inference_steps": 100}
    while client.post(f"{service.url}/v1/videos/estimate", json=body).json()["gpu_seconds"] > 150 * STEP_S:
        assert time.monotonic() < deadline, "the estimate did not follow"


def resident_bytes(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_the_best_tier_takes_the_next_step_and_the_other_goes_on_where_it_was(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=STEP_S) as service:
        slow = submit(client, service, num_inference_steps=200, tier="free")
        wait_for(client, service, slow, lambda video: video["current_step"] >= 5)
        quick = submit(client, service, num_inference_steps=10, tier="vip")
        wait_for(client, service, quick, is_final)
        assert client.get(f"{service.url}/v1/videos/{slow}").json()["status"] == "in_progress"
        slow_video = wait_for(client, service, slow, is_final)
        assert (slow_video["status"], slow_video["attempt"]) == ("completed", 1)
        [parked], [unparked] = log_of(service, "parked"), log_of(service, "unparked")
        assert (parked["job_id"], parked["step"]) == (unparked["job_id"], unparked["step"]) == (slow, parked["step"])  # no step is lost
        assert len(log_of(service, "claimed")) == 2


def test_first_come_first_served_lets_nobody_pass(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=STEP_S, policy="fifo") as service:
        slow = submit(client, service, num_inference_steps=50, tier="free")
        quick = submit(client, service, num_inference_steps=5, tier="vip")
        wait_for(client, service, quick, is_final)
        assert client.get(f"{service.url}/v1/videos/{slow}").json()["status"] == "completed"


def test_a_parked_clip_has_the_frames_of_an_undisturbed_one(tmp_path: Path, client: httpx2.Client) -> None:
    fields = {"seed": 5, "tier": "free", "num_inference_steps": 30, "num_frames": 9, "size": "96x64"}
    with running_service(tmp_path, engine="real") as service:
        frames = []
        for is_disturbed in (False, True):
            job_id = submit(client, service, **fields)
            if is_disturbed:
                wait_for(client, service, job_id, lambda video: video["current_step"] >= 3)
                wait_for(client, service, submit(client, service, tier="vip", num_inference_steps=2, num_frames=5, size="64x64"), is_final)
            wait_for(client, service, job_id, is_final)
            clip = tmp_path / f"{is_disturbed}.mp4"
            clip.write_bytes(client.get(f"{service.url}/v1/videos/{job_id}/content").content)
            frames.append(read_clip(clip)[0])
            client.delete(f"{service.url}/v1/videos/{job_id}")  # the next one is made anew
        assert len(log_of(service, "parked")) == 1
        np.testing.assert_array_equal(frames[0], frames[1])


def test_what_is_parked_too_long_goes_back_with_a_checkpoint(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=STEP_S) as service:
        slow = [submit(client, service, num_inference_steps=100, tier="free", prompt=f"cat {i}") for i in range(6)]
        for _ in range(6):  # each takes the place of another one of the six, whose turn has come in between
            wait_for(client, service, submit(client, service, num_inference_steps=3, tier="vip"), is_final)
        videos = [wait_for(client, service, job_id, is_final) for job_id in slow]
        assert {(video["status"], video["attempt"]) for video in videos} == {("completed", 1)}


def test_a_lighter_clip_is_served_by_permission_only_and_says_so(tmp_path: Path, client: httpx2.Client) -> None:
    url_of = "{}/v1/videos".format
    with running_service(tmp_path, fake_step_s=STEP_S) as service:
        learn_the_price(client, service)
        running = submit(client, service, num_inference_steps=100, tier="vip")
        wait_for(client, service, running, lambda video: video["current_step"] >= 1)
        asked = {"prompt": "a cat", "num_inference_steps": 100, "deadline_s": 3.3}
        refused = client.post(url_of(service.url), json=asked)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        accepted = client.post(url_of(service.url), json={**asked, "allow_degrade": True}).json()
        assert accepted["degraded_from"]["num_inference_steps"] == 100
        assert accepted["num_inference_steps"] < 100
        assert client.post(url_of(service.url), json={**asked, "allow_degrade": True, "quality": "lossless"}).status_code == 400


def test_a_deadline_that_an_idle_device_would_miss_is_the_clients_mistake(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=STEP_S) as service:
        answer = client.post(f"{service.url}/v1/videos", json={"prompt": "a cat", "num_inference_steps": 100, "deadline_s": 0.1})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "deadline_s"


def test_a_clip_that_a_better_tier_made_late_expires_and_says_so(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=STEP_S) as service:
        learn_the_price(client, service)
        first = submit(client, service, num_inference_steps=100, tier="vip")
        wait_for(client, service, first, lambda video: video["current_step"] >= 1)
        hurried = submit(client, service, num_inference_steps=10, deadline_s=3.0)
        submit(client, service, num_inference_steps=150, tier="vip")  # goes first, late or not
        expired = wait_for(client, service, hurried, is_final)
        assert (expired["status"], expired["x_state"], expired["error"]["code"]) == ("failed", "expired", "expired")


def test_a_draft_is_there_while_the_clip_is_made(tmp_path: Path, client: httpx2.Client) -> None:
    with running_service(tmp_path, fake_step_s=STEP_S) as service:
        job_id = submit(client, service, num_inference_steps=100, draft_first=True)
        video = wait_for(client, service, job_id, lambda video: bool(video["has_draft"]))
        assert video["status"] == "in_progress"
        draft = client.get(f"{service.url}/v1/videos/{job_id}/content?variant=draft")
        assert (draft.status_code, draft.headers["content-type"]) == (200, "video/mp4")
        assert wait_for(client, service, job_id, is_final)["status"] == "completed"


def test_overload_is_answered_and_who_comes_back_when_told_gets_in(tmp_path: Path) -> None:
    """Three times what the device can do: nobody waits beyond the bound, the refused ones get in at their second try."""
    steps, num_clients = 5, 60
    with running_service(tmp_path, fake_step_s=STEP_S, max_wait_s=1.0) as service:

        async def obedient(client: httpx2.AsyncClient, number: int) -> list[int]:
            await asyncio.sleep(number * steps * STEP_S / 3)  # the load's own rhythm
            answers = []
            for _ in range(4):
                fields = {"prompt": f"cat {number}", "num_inference_steps": steps}
                answer = await client.post(f"{service.url}/v1/videos", json=fields)
                answers.append(answer.status_code)
                if answer.status_code == 200:
                    assert answer.json()["eta_seconds"] < 30
                    break
                await asyncio.sleep(int(answer.headers["retry-after"]))
            return answers

        async def all_of_them() -> list[list[int]]:
            async with httpx2.AsyncClient(trust_env=False, timeout=30.0) as client:
                return await asyncio.gather(*(obedient(client, number) for number in range(num_clients)))

        before = resident_bytes(service.pid)
        began = time.monotonic()
        answers = asyncio.run(all_of_them())
        assert time.monotonic() - began < 60
        assert resident_bytes(service.pid) - before < 64 << 20
    assert {status for tries in answers for status in tries} == {200, 429}
    refused = [tries for tries in answers if tries[0] == 429]
    assert len(refused) > num_clients / 4
    assert all(tries[-1] == 200 for tries in refused)
    assert sum(len(tries) == 2 for tries in refused) >= math.floor(0.9 * len(refused))
