"""`cinelet generate` on a tiny checkpoint: good input makes files, bad input makes one line, exit code 2 and no file."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from cinelet.cli import main
from cinelet.media import read_clip
from cinelet.models.files import write_manifest
from tests.support.checkpoints import make_checkpoint


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def cinelet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["cinelet", *args])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return Outcome(int(stop.value.code or 0), captured.out, captured.err)

    return run


SMALL = ["--size", "32x32", "--num-frames", "5", "--steps", "2", "--seed", "3"]


def test_a_sentence_becomes_a_file_and_a_contact_sheet(cinelet, checkpoint: Path, tmp_path: Path) -> None:
    done = cinelet("generate", "a red car", "--model", str(checkpoint), *SMALL, "--fps", "8", "-o", "clip.mp4", "--sheet")
    assert done.code == 0
    frames, fps = read_clip(tmp_path / "clip.mp4")
    assert frames.shape == (5, 32, 32, 3)
    assert fps == 8
    assert "clip.mp4" in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.png"]


def test_json_tells_everything_that_made_the_clip(cinelet, checkpoint: Path) -> None:
    done = cinelet("generate", "a red car", "--model", str(checkpoint), *SMALL, "-o", "clip.gif", "--json")
    result = json.loads(done.out)
    assert result["path"] == "clip.gif"
    assert result["plan"]["seed"] == 3
    assert result["plan"]["sampler"] == "unipc"
    assert set(result["stage_durations_s"]) == {"encode", "denoise", "decode"}


def test_several_clips_are_drawn_together_and_numbered(cinelet, checkpoint: Path, tmp_path: Path) -> None:
    done = cinelet("generate", "a red car", "--model", str(checkpoint), *SMALL, "--clips", "3", "-o", "clip.gif", "--json")
    assert [result["plan"]["seed"] for result in json.loads(done.out)] == [3, 4, 5]
    assert {path.name for path in tmp_path.iterdir()} == {"clip-1.gif", "clip-2.gif", "clip-3.gif"}


def test_a_clip_without_a_name_is_named_after_its_sentence_and_seed(cinelet, checkpoint: Path, tmp_path: Path) -> None:
    assert cinelet("generate", "A red car, fast!", "--model", str(checkpoint), *SMALL).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a-red-car-fast-3.mp4"]


def test_saved_latents_start_another_clip(cinelet, checkpoint: Path, tmp_path: Path) -> None:
    base = ["generate", "a red car", "--model", str(checkpoint), *SMALL, "-o", "clip.gif"]
    assert cinelet(*base, "--save-latents", "kept.npy").code == 0
    assert np.load(tmp_path / "kept.npy").shape == (4, 2, 4, 4)
    assert cinelet(*base, "--latents", "kept.npy").code == 0


def test_a_kept_trajectory_continues_with_another_sentence(cinelet, checkpoint: Path, tmp_path: Path) -> None:
    base = ["--model", str(checkpoint), *SMALL, "--steps", "4", "-o", "clip.gif", "--json"]
    assert cinelet("generate", "a red car", *base, "--keep", "kept.safetensors", "--keep-at", "2").code == 0
    done = cinelet("generate", "a blue car", *base, "--start-from", "kept.safetensors")
    assert json.loads(done.out)["plan"]["prompt"] == "a blue car"
    assert "sampler" in cinelet("generate", "a blue car", *base, "--start-from", "kept.safetensors", "--sampler", "euler").err


def test_a_prompt_can_come_from_stdin(cinelet, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("一辆红色的汽车\n"))
    done = cinelet("generate", "-", "--model", str(checkpoint), *SMALL, "-o", "clip.gif", "--json")
    assert json.loads(done.out)["plan"]["prompt"] == "一辆红色的汽车"


BAD = {
    "empty prompt": ([""], "prompt", "1 to 32,000 characters"),
    "blank prompt": (["   "], "prompt", "1 to 32,000 characters"),
    "long prompt": (["x" * 33_000], "prompt", "at most 32,000 characters"),
    "half surrogate": (["a \ud800 b"], "prompt", "surrogate"),
    "NUL": (["a \0 b"], "prompt", "NUL"),
    "odd width": (["a", "--size", "33x32"], "width", "multiples of 16; the nearest are 32 and 48"),
    "odd height": (["a", "--size", "32x20"], "height", "multiples of 16"),
    "size without a cross": (["a", "--size", "large"], "size", "WIDTHxHEIGHT"),
    "huge size": (["a", "--size", "160000x96000"], "size", "at most 921,600 pixels"),
    "no steps": (["a", "--steps", "0"], "num_inference_steps", "from 1 to 1,000"),
    "negative fps": (["a", "--fps", "-8"], "fps", "from 1 to 120"),
    "a billion frames": (["a", "--num-frames", "1000000000"], "num_frames", "1 to 241 frames"),
    "negative seed": (["a", "--seed", "-1"], "seed", "from 0 to"),
    "infinite guidance": (["a", "--guidance-scale", "inf"], "guidance_scale", "from 0 to 50"),
    "no number": (["a", "--guidance-scale", "nan"], "guidance_scale", "from 0 to 50"),
    "unknown sampler": (["a", "--sampler", "magic"], "sampler", "unipc, dpm++, dpm++sde, euler, lcm"),
    "unknown preset": (["a", "--preset", "magic"], "preset", "draft, standard, final"),
    "unknown model": (["a", "--model", "pockt"], "model", "did you mean pocket"),
    "no such folder": (["a", "--model", "./nowhere"], "model", "holds no checkpoint"),
    "missing folder": (["a", "-o", "no/such/folder/clip.mp4"], "output", "its directory must exist"),
    "unknown suffix": (["a", "-o", "clip.avi"], "output", ".mp4"),
    "folder as output": (["a", "-o", "."], "output", ""),
    "too many clips": (["a", "--clips", "1000"], "clips", "from 1 to 64"),
    "nothing to keep": (["a", "--steps", "4", "--keep", "kept.safetensors", "--keep-at", "4"], "keep_at", "from 1 to 3"),
    "latents that are none": (["a", "--latents", "nowhere.npy"], "latents", ".npy"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_leaves_nothing(case: str, cinelet, checkpoint: Path, tmp_path: Path) -> None:
    args, field, limit = BAD[case]
    model = [] if "--model" in args else ["--model", str(checkpoint)]
    done = cinelet("generate", *args, *model, "--quiet")
    assert done.code == 2
    assert done.out == ""
    assert len(done.err.strip().splitlines()) == 1
    assert done.err.startswith(f"error {field}")
    assert limit in done.err
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_refused_before_anything_is_drawn(cinelet, checkpoint: Path) -> None:
    done = cinelet("generate", "a", "--model", str(checkpoint), "-o", "/proc/clip.mp4", "--quiet")
    assert done.code == 2
    assert done.err.startswith("error output")


def truncate(folder: Path) -> None:
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def alter(folder: Path) -> None:
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def pickle_beside(folder: Path) -> None:
    (folder / "transformer" / "weights.bin").write_bytes(pickle.dumps({"a": 1}))


def pickle_disguised(folder: Path) -> None:
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(pickle.dumps({"a": 1}))


def remove(folder: Path) -> None:
    (folder / "text_encoder" / "model.safetensors").unlink()


DAMAGE = {
    truncate: "is truncated",
    pickle_beside: "is a pickle",
    pickle_disguised: "is a pickle",
    remove: "is missing",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_damaged_weights_are_refused(damage, cinelet, checkpoint: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "model"
    shutil.copytree(checkpoint, folder)
    damage(folder)
    done = cinelet("generate", "a", "--model", str(folder), *SMALL, "--quiet")
    assert done.code == 2
    assert done.err.startswith("error model")
    assert DAMAGE[damage] in done.err
    assert list(tmp_path.iterdir()) == []


def test_check_finds_a_file_that_is_not_the_manifests(cinelet, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("altered") / "model"
    shutil.copytree(checkpoint, folder)
    write_manifest(folder)
    assert cinelet("models", "check", str(folder)).code == 0
    alter(folder)
    done = cinelet("models", "check", str(folder))
    assert done.code == 2
    assert "sha256" in done.err
    assert "vae" in done.err


def test_models_are_listed_and_shown(cinelet) -> None:
    listed = json.loads(cinelet("models", "list", "--json").out)
    assert {"pocket", "wan2.2-ti2v-5b", "wan2.2-t2v-a14b"} <= {card["name"] for card in listed}
    assert "160" in cinelet("models", "show", "pocket").out


def test_the_doctor_measures_this_machine(cinelet) -> None:
    report = json.loads(cinelet("doctor", "--json").out)
    assert report["device"]["matmul_float32_tflops"] > 0
    assert report["models"]["pocket"] == "installed"
    assert report["pocket"]["standard_clip_s"] > 0


def test_settings_faults_are_all_named_at_once(cinelet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CINELET_DEVICE", "abacus")
    monkeypatch.setenv("CINELET_NUM_THREADS", "-3")
    done = cinelet("models", "list")
    assert done.code == 2
    assert "device" in done.err
    assert "num_threads" in done.err
