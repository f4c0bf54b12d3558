"""The deployment's secret: made once, whole or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cinelet.cli.house import MIN_SECRET_CHARS, read_secret
from cinelet.settings import Settings

SETTINGS = Settings(secret=None)


def test_it_is_made_once_and_is_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    first = read_secret(SETTINGS, path)
    assert len(first) >= MIN_SECRET_CHARS
    assert read_secret(SETTINGS, path) == first
    assert path.stat().st_mode & 0o077 == 0


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: read_secret(SETTINGS, tmp_path / "secret"), range(32)))) == 1


def test_a_death_before_it_is_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", die)
        with pytest.raises(KeyboardInterrupt):
            read_secret(SETTINGS, tmp_path / "secret")
    assert not (tmp_path / "secret").exists()
    assert len(read_secret(SETTINGS, tmp_path / "secret")) >= MIN_SECRET_CHARS
