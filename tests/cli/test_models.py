"""`cinelet models`, as people and programs use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cinelet.models import Catalogue
from tests.cli.conftest import Outcome
from tests.support.fake_hub import FakeHub, fake_hub
from tests.support.tiny_repository import BIG, checkpoint

NAME = "fastwan2.2-ti2v-5b"
Cinelet = Callable[..., Outcome]


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CINELET_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def hub(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that has one model of the catalogue; this process and those it starts ask there."""
    card = Catalogue(models_dir).get(NAME)
    with fake_hub() as hub:
        hub.repositories[card.source] = checkpoint()
        hub.commits = {"pinned": card.revision}
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        yield hub


def wait_for_the_middle(hub: FakeHub, process: subprocess.Popen) -> None:
    """Until half of a stalled file was sent; the process must live so long."""
    while not hub.halfway.wait(0.1):
        assert process.poll() is None, process.communicate()


def test_list_and_show_name_licence_steps_and_origin(cinelet: Cinelet, models_dir: Path) -> None:
    listed = cinelet("models", "list").out
    assert "wan2.2-t2v-a14b-lightning" in listed
    assert "Apache-2.0" in listed
    shown = cinelet("models", "show", "wan2.2-t2v-a14b-lightning").out
    assert "lightx2v/Wan2.2-Lightning" in shown
    assert "1000, 937.5, 833.333, 625" in shown
    facts = json.loads(cinelet("models", "show", NAME, "--json").out)
    assert (facts["is_installed"], facts["licence"], facts["timesteps"]) == (False, "Apache-2.0", [1000, 757, 522])
    assert len(json.loads(cinelet("models", "list", "--json").out)) == len(Catalogue(models_dir).list())


def test_check_of_a_model_that_is_not_there_says_how_to_get_it(cinelet: Cinelet, models_dir: Path) -> None:
    outcome = cinelet("models", "check", NAME)
    assert outcome.code == 2
    assert f"`cinelet models pull {NAME}`" in outcome.err


def test_pull_has_a_clear_answer_for_the_shipped_model_a_folder_and_an_unknown_name(cinelet: Cinelet, models_dir: Path) -> None:
    shipped = cinelet("models", "pull", "pocket")
    assert (shipped.code, shipped.out) == (0, "pocket is shipped with cinelet: there is nothing to pull\n")
    folder = cinelet("models", "pull", str(Catalogue(models_dir).get("pocket").folder))
    assert (folder.code, "is a folder of yours" in folder.err) == (2, True)
    unknown = cinelet("models", "pull", "wan2.2-ti2v")
    assert (unknown.code, "did you mean wan2.2-ti2v-5b?" in unknown.err) == (2, True)


def test_pull_installs_a_model_and_a_second_one_finds_it_whole(cinelet: Cinelet, hub: FakeHub, models_dir: Path) -> None:
    assert "MB fetched, whole in" in cinelet("models", "pull", NAME).out
    assert (models_dir / NAME / "model_index.json").is_file()
    assert json.loads(cinelet("models", "pull", NAME, "--json").out)["fetched_bytes"] == 0
    assert "all whole" in cinelet("models", "check", NAME).out
    facts = json.loads(cinelet("models", "show", NAME, "--json").out)
    assert facts["installed_revisions"] == {str(models_dir / NAME): facts["revision"]}


def test_a_pull_that_is_killed_leaves_no_model_and_goes_on_where_it_was(
    hub: FakeHub, models_dir: Path, started: Callable[..., subprocess.Popen]
) -> None:
    hub.stalled = {BIG}
    process = started("models", "pull", NAME)
    wait_for_the_middle(hub, process)
    process.kill()
    process.communicate()
    assert not (models_dir / NAME).exists()
    half_made = models_dir / f".{NAME}.part"
    whole = {path.relative_to(half_made).as_posix() for path in half_made.rglob("*") if path.is_file()} & set(hub.fetched())
    hub.stalled = set()
    hub.seen.clear()
    second = started("models", "pull", NAME)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert (models_dir / NAME / BIG).read_bytes() == hub.repositories[Catalogue(models_dir).get(NAME).source][BIG]
    assert not whole & set(hub.fetched())


def test_an_interrupted_pull_says_how_to_go_on(hub: FakeHub, started: Callable[..., subprocess.Popen]) -> None:
    hub.stalled = {BIG}
    process = started("models", "pull", NAME)
    wait_for_the_middle(hub, process)
    os.kill(process.pid, signal.SIGINT)
    hub.release.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; the same command goes on from here" in err
