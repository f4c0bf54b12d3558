"""`cinelet scale advise` with a cold start that needs foresight: the night before the morning."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

DAY = 48
"""Buckets of half an hour."""


def queue(work_s: list[float], bucket_s: float) -> dict[str, Any]:
    """What a quiet service with two workers tells."""
    return {
        "waiting": {"free": 0, "standard": 0, "vip": 0},
        "waiting_seconds": 0.0,
        "running": 0,
        "running_seconds": 0.0,
        "oldest_wait_seconds": 0.0,
        "workers": 2,
        "workers_unchanged_seconds": 9000.0,
        "accepted": {"work_seconds": work_s, "bucket_seconds": bucket_s, "num": [0] * len(work_s)},
    }


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """A service whose days begin with a jump from 1 to 20 devices' work; now it is just before that."""
    calls: list[tuple[float, float]] = []

    def ask(url: str | None, api_key: str | None, history_s: float, bucket_s: float) -> dict[str, Any]:
        calls.append((history_s, bucket_s))
        if bucket_s < 1800:
            return queue([300.0] * 36, 300.0)
        day = np.r_[np.full(DAY // 2, 20.0), np.full(DAY // 2, 1.0)] * 1800
        return queue([0.0] * 30 + np.tile(day, 13).tolist(), 1800.0)

    monkeypatch.setattr("cinelet.cli.scale.ask", ask)
    return calls


def test_a_long_cold_start_is_bridged_by_the_time_of_day(cinelet, asked) -> None:
    done = cinelet("scale", "advise", "--cold-start", "1800", "--json")
    told = json.loads(done.out)
    assert told["action"] == "out"
    assert 15 <= told["target_devices"] <= 30
    assert "work for" in told["reason"]
    assert "on 624 buckets of 1800 s" in done.err, "the time before the first job is no history"
    assert asked == [(10_800.0, 300.0), (14 * 86_400.0, 1800.0)]


def test_a_short_cold_start_goes_by_the_recent_rate(cinelet, asked) -> None:
    told = json.loads(cinelet("scale", "advise", "--cold-start", "120", "--json").out)
    assert (told["action"], told["arriving"]) == ("hold", 1.0)
    assert asked == [(10_800.0, 300.0)]


def test_workers_that_drain_do_not_count_as_ready(cinelet, asked) -> None:
    told = json.loads(cinelet("scale", "advise", "--draining", "1", "--json").out)
    assert (told["num_devices"], told["action"], told["num_recall"]) == (1, "out", 1)


def test_what_idles_is_drained_only_after_the_calm(cinelet, asked) -> None:
    quiet = ("--min", "0", "--max-utilization", "1", "--since-change")
    assert json.loads(cinelet("scale", "advise", "--json", *quiet, "60").out)["action"] == "hold"
    told = json.loads(cinelet("scale", "advise", "--json", "--min-utilization", "1", *quiet, "5000").out)
    assert (told["action"], told["target_devices"], told["num_drain"]) == ("in", 1, 1)
