"""The promise of the first minute: `cinelet serve` without settings answers a stock client with a playable clip."""

from __future__ import annotations

from pathlib import Path

import httpx2
import openai
import pytest

from cinelet.media import read_clip
from tests.support.service import Service, running_service


@pytest.fixture
def client_of() -> object:
    def make(service: Service) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{service.url}/v1", api_key="any", http_client=None)

    return make


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_stock_client_gets_a_playable_clip_from_the_real_model(tmp_path: Path, client_of) -> None:
    with running_service(tmp_path, engine="real") as service, client_of(service) as client:
        video = client.videos.create_and_poll(prompt="a red balloon rising at sunset", model="pocket")
        assert video.status == "completed", video
        path = tmp_path / "clip.mp4"
        client.videos.download_content(video.id).write_to_file(path)
        frames, fps = read_clip(path)
        assert (frames.shape, fps) == ((17, 96, 160, 3), 8)


def test_the_same_request_with_a_seed_is_answered_at_once_the_second_time(tmp_path: Path) -> None:
    with running_service(tmp_path) as service, httpx2.Client(base_url=service.url, trust_env=False, timeout=30) as client:
        body = {"prompt": "a cat", "seed": 7}
        first = client.post("/v1/videos", json=body, headers={"prefer": "wait=20"}).json()
        assert first["status"] == "completed", first
        second = client.post("/v1/videos", json=body).json()
        assert second["status"] == "completed"
        assert second["cached"] is True
        assert second["id"] != first["id"]
        clips = [client.get(f"/v1/videos/{video['id']}/content").content for video in (first, second)]
        assert clips[0] == clips[1]
