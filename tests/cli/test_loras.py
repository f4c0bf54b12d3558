"""`cinelet loras`, as people and programs use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome
from tests.unit.models.test_adapters import write_weights

Cinelet = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CINELET_LORAS", str(tmp_path / "loras"))
    return tmp_path / "loras"


def test_an_added_adapter_is_listed_and_checked(cinelet: Cinelet, folder: Path, tmp_path: Path) -> None:
    write_weights(tmp_path / "v1_HIGH.safetensors")
    write_weights(tmp_path / "v1_LOW.safetensors")
    added = cinelet("loras", "add", "noir", str(tmp_path / "v1_LOW.safetensors"), str(tmp_path / "v1_HIGH.safetensors"), "--title", "Noir")
    assert added.code == 0, added.err
    assert {path.name for path in (folder / "noir").iterdir()} == {"high_noise.safetensors", "low_noise.safetensors", "adapter.json"}
    [facts] = [entry for entry in json.loads(cinelet("loras", "list", "--json").out) if entry["name"] == "noir"]
    assert (facts["title"], len(facts["files"])) == ("Noir", 2)
    assert "2 files" in cinelet("loras", "check", "noir").out


def test_what_is_no_adapter_is_not_added_and_leaves_nothing(cinelet: Cinelet, folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "a_high_noise.safetensors"
    write_weights(half)
    (tmp_path / "a.bin").write_bytes(b"x")
    for arguments, words in [
        (("ink", str(tmp_path / "a.bin")), "is a pickle"),
        (("../ink", str(half)), "is not allowed"),
        (("ink", str(half), str(half)), "half a pair"),
    ]:
        outcome = cinelet("loras", "add", *arguments)
        assert outcome.code == 2
        assert words in outcome.err
    assert not folder.exists() or list(folder.iterdir()) == []


def test_a_name_that_is_taken_or_unknown_has_a_clear_answer(cinelet: Cinelet, folder: Path, tmp_path: Path) -> None:
    write_weights(tmp_path / "a.safetensors")
    assert cinelet("loras", "add", "ink", str(tmp_path / "a.safetensors")).code == 0
    assert "exists already" in cinelet("loras", "add", "ink", str(tmp_path / "a.safetensors")).err
    assert "did you mean ink?" in cinelet("loras", "check", "imk").err


def test_a_broken_adapter_is_listed_with_its_fault(cinelet: Cinelet, folder: Path) -> None:
    write_weights(folder / "half" / "x_low.safetensors")
    assert "half a pair" in cinelet("loras", "list").out
