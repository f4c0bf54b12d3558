"""A caretaker goes on after any fault: a job that waits for its rescuer would wait for ever."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cinelet.storage import open_blobs
from cinelet.worker import caretaker as caretaker_module
from cinelet.worker.caretaker import Caretaker
from tests.support.world import open_world


def test_a_round_that_fails_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = open_world("sqlite://")
    caretaker = Caretaker(world.store, open_blobs(str(tmp_path)))
    rounds: list[int] = []
    has_gone_on = threading.Event()

    def failing_round() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 3:
            has_gone_on.set()
        raise ZeroDivisionError

    monkeypatch.setattr(caretaker_module, "ROUND_S", 0.01)
    monkeypatch.setattr(caretaker, "round", failing_round)
    caretaker.start()
    assert has_gone_on.wait(30)
    caretaker.stop()
    world.store.close()
