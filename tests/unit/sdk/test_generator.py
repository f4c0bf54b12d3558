"""`TextToVideoGenerator` with a url: the same words and results, made elsewhere."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cinelet
from cinelet.errors import ConflictError, InvalidValueError, RequestError, TimedOutError
from cinelet.local import Result, Start
from cinelet.media import read_clip, write_clip
from cinelet.video import Progress
from tests.support.fake_service import FakeService


@pytest.fixture
def real_clip(service: FakeService, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The service gives an MP4 that can be decoded."""
    path = tmp_path_factory.mktemp("served") / "clip.mp4"
    frames = np.zeros((16, 96, 160, 3), np.uint8)
    frames[..., 0] = 200
    write_clip(frames, path, 8)
    service.clip = path.read_bytes()
    return service.clip


def test_the_call_of_the_readme_gives_a_tensor(service, real_clip) -> None:
    seen: list[Progress] = []
    with cinelet.TextToVideoGenerator(region="auto", url=service.url) as generator:
        result = generator.generate(text="a red car", steps=8, resolution="480p", length_sec=2, seed=7, on_progress=seen.append)
    assert result["tensor"].shape == (16, 96, 160, 3)
    assert result["tensor"].dtype == np.uint8
    assert int(result["tensor"][0, 0, 0, 0]) == pytest.approx(200, abs=4)
    assert (result["seed"], result["fps"], result["warnings"], result["plan"].num_inference_steps) == (7, 8, [], 8)
    (call,) = service.calls("POST")
    assert call.body["resolution"] == "480p"
    assert call.body["seconds"] == 2
    assert [news.stage for news in seen] == ["denoise", "denoise", "denoise", "mux"]


def test_results_of_both_kinds_have_the_same_keys(service, real_clip) -> None:
    with cinelet.TextToVideoGenerator(url=service.url) as generator:
        remote = generator.generate("a red car")
    video = cinelet.Video(frames=remote["tensor"], plan=remote["plan"], latents=np.zeros((1, 1, 1, 1), np.float32))
    assert set(remote) == {*Result(video), "id"}


def test_an_mp4_is_saved_as_it_came_and_other_formats_are_encoded(service, real_clip, tmp_path: Path) -> None:
    with cinelet.TextToVideoGenerator(url=service.url) as generator:
        result = generator.generate("a red car")
    assert result.save(tmp_path / "clip.mp4").read_bytes() == real_clip
    assert read_clip(result.save(tmp_path / "clip.gif"))[0].shape == (16, 96, 160, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.gif", "clip.mp4"]


def test_another_process_can_fetch_the_clip_by_its_id(service, real_clip) -> None:
    with cinelet.TextToVideoGenerator(url=service.url) as first:
        job_id = first.submit("a red car", seed=7).id
    with cinelet.TextToVideoGenerator(url=service.url) as second:
        assert second.resume(job_id)["seed"] == 7
    assert len(service.calls("POST")) == 1


def test_waiting_ends_in_time_and_the_job_goes_on(service) -> None:
    service.hold_all = True
    with cinelet.TextToVideoGenerator(url=service.url) as generator:
        job_id = generator.submit("a red car").id
        with pytest.raises(TimedOutError):
            generator.resume(job_id, timeout_s=0.01)
    assert service.jobs[job_id]["status"] == "queued"


def test_a_failed_job_raises_what_its_failure_means(service) -> None:
    service.outcome = lambda job: ("cancelled", "cancelled by the operator")
    with cinelet.TextToVideoGenerator(url=service.url) as generator, pytest.raises(ConflictError, match="by the operator"):
        generator.generate("a red car")


def test_the_async_twin_does_the_same(service, real_clip) -> None:
    async def story() -> None:
        async with cinelet.AsyncTextToVideoGenerator(url=service.url) as generator:
            results = await asyncio.gather(*(generator.generate("a red car", seed=seed) for seed in (1, 2)))
            assert [result["seed"] for result in results] == [1, 2]
            job = await generator.submit("a blue car")
            assert (await generator.resume(job.id))["tensor"].shape == (16, 96, 160, 3)

    asyncio.run(story())


def test_what_has_no_meaning_is_refused(service) -> None:
    with pytest.raises(InvalidValueError, match="region"):
        cinelet.TextToVideoGenerator(region="mars")
    with pytest.raises(InvalidValueError, match="api_key") as failure:
        cinelet.TextToVideoGenerator(api_key="secret")
    assert "secret" not in failure.value.message
    with pytest.raises(InvalidValueError, match="device"):
        cinelet.TextToVideoGenerator(url=service.url, device="cpu")
    with pytest.raises(InvalidValueError, match="start"), cinelet.TextToVideoGenerator(url=service.url) as generator:
        generator.generate("a red car", start=Start())
    for verb in ("submit", "resume"):
        with pytest.raises(InvalidValueError, match="url"):
            getattr(cinelet.TextToVideoGenerator(), verb)("a red car")


def test_a_remote_generator_loads_neither_engine_nor_codec(service) -> None:
    code = f"""
import sys
from cinelet import TextToVideoGenerator
with TextToVideoGenerator(url={service.url!r}) as generator:
    generator.generate(text="a red car")
print([name for name in ("torch", "diffusers", "transformers", "av", "PIL", "fastapi", "sqlalchemy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_codec_is_named_with_what_installs_it(service, real_clip, monkeypatch: pytest.MonkeyPatch) -> None:
    with cinelet.TextToVideoGenerator(url=service.url) as generator:
        result = generator.generate("a red car")
    for name in [name for name in sys.modules if name.startswith("cinelet.media")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RequestError, match=r"cinelet\[engine\]"):
        result["tensor"]
