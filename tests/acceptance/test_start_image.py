"""Clips that begin with a picture, through a real service and a real (tiny) engine: by form, by JSON, by SDK, by command line."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

import cinelet
from cinelet.cli import main
from cinelet.media import StartImage, read_clip, write_clip
from cinelet.sdk import Client
from cinelet.video import VideoRequest
from tests.support.checkpoints import make_checkpoint
from tests.support.service import Service, running_service

SIZE = {"size": "48x32", "num_frames": 5, "steps": 2, "seed": 3, "fps": 8}


def drawn(kind: str = "PNG", colour: str = "teal", **options: Any) -> bytes:
    """A picture that is wider than the clip, with something on it."""
    picture = Image.new("RGB", (120, 40), colour)
    picture.paste("gold", (50, 10, 70, 30))
    file = BytesIO()
    picture.save(file, format=kind, **options)
    return file.getvalue()


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    model = make_checkpoint(tmp_path_factory.mktemp("model"), expand_timesteps=True)
    with running_service(tmp_path_factory.mktemp("service"), engine="real", model=model, num_threads=1) as service:
        yield service


@pytest.fixture
def http(service: Service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def here(service: Service) -> cinelet.TextToVideoGenerator:
    """The same model in this process."""
    return cinelet.TextToVideoGenerator(model=str(service.settings["model"]), device="cpu", num_threads=1)


def made(http: httpx2.Client, **how: Any) -> dict[str, Any]:
    """The finished video of one request."""
    response = http.post("/v1/videos", headers={"prefer": "wait=60"}, **how)
    video: dict[str, Any] = response.json()
    assert video.get("status") == "completed", video
    return video


def content(http: httpx2.Client, video: dict[str, Any], variant: str = "video") -> bytes:
    return http.get(f"/v1/videos/{video['id']}/content", params={"variant": variant}).content


def test_every_way_to_send_a_picture_makes_the_clip_that_this_process_makes(
    service: Service, http: httpx2.Client, here: cinelet.TextToVideoGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {name: str(value) for name, value in SIZE.items()}
    by_form = made(http, data={"prompt": "a boat", **form}, files={"input_reference": ("a.png", drawn(), "image/png")})
    by_json = made(http, json={"prompt": "a boat", **SIZE, "input_reference": {"image_url": data_url(drawn())}})
    assert by_json["cached"] is True, "equal pixels are an equal clip"

    (tmp_path / "boat.png").write_bytes(drawn())
    wish = {"steps": 2, "size": (48, 32), "num_frames": 5, "seed": 3, "fps": 8}
    with cinelet.TextToVideoGenerator(url=service.url) as there:
        by_sdk = there.generate("a boat", image=tmp_path / "boat.png", **wish)  # type: ignore[arg-type]
    mine = here.generate("a boat", image=drawn(), **wish)  # type: ignore[arg-type]

    monkeypatch.chdir(tmp_path)
    command = ["generate", "a boat", "--image", "boat.png", "--size", "48x32", "--num-frames", "5", "--steps", "2", "--seed", "3"]
    for name, place in (("far.mp4", ["--url", service.url]), ("near.mp4", ["--model", str(service.settings["model"])])):
        monkeypatch.setattr(sys, "argv", ["cinelet", *command, "--fps", "8", *place, "-o", name, "-q"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code

    write_clip(mine["tensor"], tmp_path / "mine.mp4", 8, metadata={"title": "a boat"})
    (tmp_path / "form.mp4").write_bytes(content(http, by_form))
    expected = read_clip(tmp_path / "mine.mp4")[0]
    for name in ("form.mp4", "far.mp4", "near.mp4"):
        assert np.abs(read_clip(tmp_path / name)[0].astype(int) - expected).max() <= 2, name
    assert np.abs(by_sdk["tensor"].astype(int) - expected).max() <= 2
    assert mine["plan"].image == StartImage.prepare(drawn(), 48, 32).digest


def test_another_picture_is_another_clip_and_none_is_a_third(http: httpx2.Client) -> None:
    first, other = (
        made(http, json={"prompt": "a tree", **SIZE, "input_reference": {"image_url": data_url(drawn(colour=colour))}})
        for colour in ("teal", "crimson")
    )
    plain = made(http, json={"prompt": "a tree", **SIZE})
    assert not any(video["cached"] for video in (first, other, plain))
    assert len({content(http, video) for video in (first, other, plain)}) == 3


def test_a_remix_and_a_retry_begin_with_the_same_picture(service: Service, http: httpx2.Client) -> None:
    reference = {"input_reference": {"image_url": data_url(drawn(colour="navy"))}}
    original = made(http, json={"prompt": "a house", **SIZE, **reference})
    asked = made(http, json={"prompt": "a ship", **SIZE, **reference})
    with Client(service.url) as client:
        remix = http.post(f"/v1/videos/{original['id']}/remix", json={"prompt": "a ship"}).json()
        assert client.wait(remix["id"]).status == "completed"
        assert content(http, remix) == content(http, asked)
        again = http.post(f"/v1/videos/{original['id']}/retry").json()
        assert client.wait(again["id"]).status == "completed"
        assert content(http, again) == content(http, original)


def test_the_picture_can_be_fetched_and_sent_again(http: httpx2.Client) -> None:
    video = made(http, json={"prompt": "a gull", **SIZE, "input_reference": {"image_url": data_url(drawn())}})
    assert video["has_start_image"] is True
    answer = http.get(f"/v1/videos/{video['id']}/content", params={"variant": "start_image"})
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(answer.content)).size == (48, 32)
    again = made(http, json={"prompt": "a gull", **SIZE, "input_reference": {"image_url": data_url(answer.content)}})
    assert again["cached"] is True, "what was prepared once stays as it is"
    assert content(http, again, "start_image") == answer.content

    link = http.post(f"/v1/videos/{video['id']}/link", params={"variant": "start_image"}).json()["url"]
    assert http.get(link).headers["content-type"] == "image/png"

    plain = made(http, json={"prompt": "a gull", **SIZE})
    assert plain["has_start_image"] is False
    refused = http.get(f"/v1/videos/{plain['id']}/content", params={"variant": "start_image"})
    assert refused.status_code == 404
    assert refused.json()["error"]["message"] == f"video: {plain['id']} has no start_image"
    http.delete(f"/v1/videos/{video['id']}").raise_for_status()
    assert http.get(f"/v1/videos/{video['id']}/content", params={"variant": "start_image"}).status_code == 404


def test_the_picture_goes_with_the_job(service: Service, http: httpx2.Client) -> None:
    video = made(http, json={"prompt": "a lamp", **SIZE, "input_reference": {"image_url": data_url(drawn())}})
    kept = list((Path(service.settings["blobs"]) / video["id"]).rglob("start.png"))
    assert len(kept) == 1
    assert kept[0].parent.name == StartImage.prepare(drawn(), 48, 32).digest


def test_a_refused_request_leaves_no_picture(service: Service, http: httpx2.Client) -> None:
    def kept() -> set[Path]:
        return set(Path(service.settings["blobs"]).rglob("start.png"))

    body = {"prompt": "a kite", **SIZE, "input_reference": {"image_url": data_url(drawn())}}
    key = {"idempotency-key": "one"}
    made_first = http.post("/v1/videos", json=body, headers=key).json()
    before = kept()
    assert http.post("/v1/videos", json=body, headers=key).json()["id"] == made_first["id"]
    assert http.post("/v1/videos", json={**body, "prompt": "another kite"}, headers=key).status_code == 422
    assert kept() == before


def test_an_estimate_keeps_nothing_and_the_models_list_says_who_takes_pictures(service: Service, http: httpx2.Client) -> None:
    before = set(Path(service.settings["blobs"]).rglob("start.png"))
    body = {"prompt": "a kite", **SIZE, "input_reference": {"image_url": data_url(drawn())}}
    assert http.post("/v1/videos/estimate", json=body).status_code == 200
    assert set(Path(service.settings["blobs"]).rglob("start.png")) == before
    assert http.get("/v1/videos/models").json()["data"][0]["supported_frame_images"] == ["first_frame"]


def gif() -> bytes:
    return drawn("GIF")


def moving() -> bytes:
    frames = [Image.new("RGB", (8, 8), (i * 40, 0, 0)) for i in range(3)]
    file = BytesIO()
    frames[0].save(file, format="PNG", save_all=True, append_images=frames[1:])
    return file.getvalue()


BAD: dict[str, tuple[Any, int, str]] = {
    "an address": ({"image_url": "https://example.com/a.png"}, 400, "is not fetched"),
    "an address inside": ("http://169.254.169.254/latest", 400, "is not fetched"),
    "a path": ("file:///etc/passwd", 400, "is not fetched"),
    "an id": ({"file_id": "file_1"}, 400, "send the image itself"),
    "a list": ([data_url(drawn())], 400, "must be one file"),
    "broken base64": ("data:image/png;base64,%%%%", 400, "base64 is broken"),
    "nothing": ("data:image/png;base64,", 415, "must be a PNG, JPEG or WebP"),
    "a GIF": (data_url(gif()), 415, "must be a PNG, JPEG or WebP"),
    "text": (data_url(b"a picture"), 415, "must be a PNG, JPEG or WebP"),
    "a moving picture": (data_url(moving()), 400, "one still picture"),
    "half a picture": (data_url(drawn()[:80]), 400, "the file is damaged"),
    "too many bytes": (data_url(drawn() + bytes(20_000_000)), 413, "20,000,000 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_with_the_fields_name(http: httpx2.Client, name: str) -> None:
    value, status, why = BAD[name]
    response = http.post("/v1/videos", json={"prompt": "a boat", **SIZE, "input_reference": value})
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (status, "input_reference")
    assert why in error["message"]
    assert json.dumps(error).isascii()


def test_a_model_that_takes_no_picture_says_so_before_anything_is_loaded() -> None:
    with pytest.raises(cinelet.errors.InvalidValueError, match="pocket takes no start image") as caught:
        cinelet.TextToVideoGenerator().generate("a boat", image=drawn())
    assert caught.value.field == "image"
    with pytest.raises(cinelet.errors.InvalidValueError, match="pocket takes no start image"):
        cinelet.TextToVideoGenerator().plan(VideoRequest(prompt="a boat", image="ab" * 32))
