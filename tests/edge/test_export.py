"""What an export writes, and what it refuses: one clear line, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cinelet.cli.app import main
from cinelet.edge import EdgeRunner, load_manifest
from cinelet.edge import exporter as exporter_module
from cinelet.edge.exporter import export_model, stages
from cinelet.errors import InvalidValueError, ModelFilesError, NotFoundError, RequestError, UnavailableError
from tests.edge.conftest import PLANS, PROMPT, Exported

Usage = namedtuple("Usage", "total used free")


def test_the_manifest_says_what_was_exported(exported: Exported) -> None:
    manifest = load_manifest(exported.folder)
    assert manifest == exported.manifest
    assert (manifest.digest, manifest.width, manifest.height, manifest.num_frames) == (exported.engine.model.digest, 48, 32, 7)
    assert manifest.transformers[0].inputs["timestep"] == ("batch", manifest.num_tokens)
    for name, digest in manifest.sha256.items():
        assert hashlib.sha256((exported.folder / name).read_bytes()).hexdigest() == digest
    assert {path.name for path in exported.folder.iterdir()} == {*manifest.sha256, "export.json"}


def test_the_stages_are_heard_in_order(exported: Exported) -> None:
    assert exported.heard == stages(exported.engine.model, int8=True)


def test_the_recipe_for_tensorrt_names_every_input_of_every_graph(exported: Exported) -> None:
    script = (exported.folder / "build_tensorrt.sh").read_text()
    for bound in ("minShapes", "optShapes", "maxShapes"):
        line = next(line for line in script.splitlines() if f"--{bound}" in line)
        assert all(f"{name}:" in line for name in exported.manifest.transformers[0].inputs)
    assert script.count("trtexec --onnx=") == 2
    assert "not run" in script


@pytest.mark.parametrize("folder", ["taken", "nowhere/deep"])
def test_a_place_that_is_taken_or_missing_is_refused_before_the_work(exported: Exported, tmp_path: Path, folder: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidValueError, match=r"to: .* is not allowed"):
        export_model(exported.engine, PLANS, tmp_path / folder, on_stage=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_full_disk_is_told_before_the_work(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 1 << 40, 1 << 20))
    with pytest.raises(UnavailableError, match=r"needs 0\.1 GiB"):
        export_model(exported.engine, PLANS, tmp_path / "export", on_stage=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_breaks_off_leaves_nothing(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporter_module, "_export_transformer", no_room)
    with pytest.raises(UnavailableError, match="the disk is full"):
        export_model(exported.engine, PLANS, tmp_path / "export", on_stage=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_the_way_to_install_it(exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(RequestError, match=r"onnxscript: is not installed; pip install 'cinelet\[edge\]'"):
        export_model(exported.engine, PLANS, tmp_path / "export", on_stage=lambda _: None)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["no-such-model"], "is unknown"),
        (["pocket", "--shape", "160by96"], "must be WIDTHxHEIGHTxFRAMES"),
        (["pocket", "--shape", "161x96x17"], "width: 161 is not allowed"),
        (["pocket", "--shape", "160x96x9999"], "num_frames: 9999 is not allowed"),
    ],
)
def test_the_command_refuses_in_one_line(
    arguments: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["cinelet", "export", *arguments, "--to", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert line in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_runner_refuses_what_the_export_does_not_have(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        EdgeRunner(tmp_path)
    runner = EdgeRunner(exported.folder)
    with pytest.raises(InvalidValueError, match="preset"):
        runner.make(runner.prompt(PROMPT), preset="final")
    with pytest.raises(InvalidValueError, match="latents"):
        runner.make(runner.prompt(PROMPT), latents_CTHW=np.zeros((1, 1, 1, 1), np.float32))
    with pytest.raises(InvalidValueError, match="prompt"):
        runner.prompt("another one")


@pytest.mark.parametrize("harm", ["cut", "lost", "other format", "no manifest"])
def test_a_damaged_export_is_named(exported: Exported, tmp_path: Path, harm: str) -> None:
    folder = shutil.copytree(exported.folder, tmp_path / "copy")
    if harm == "cut":
        (folder / "transformer.onnx").write_bytes((folder / "transformer.onnx").read_bytes()[:1000])
    elif harm == "lost":
        (folder / "vae_decoder.onnx").unlink()
    else:
        values = json.loads((folder / "export.json").read_text())
        (folder / "export.json").write_text(json.dumps({**values, "format": 2}) if harm == "other format" else "[]")
    with pytest.raises(ModelFilesError, match=r"export: "):
        EdgeRunner(folder)
