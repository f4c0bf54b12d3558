"""What a load says of its samples: counts add up, percentiles are of what was measured, and doubts are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.capacity import TIERS, Arrival
from cinelet.capacity.load import Sample, Wishes, summarise
from cinelet.capacity.load.probe import MAX_QUEUED_PAUSE_S, MAX_RUNNING_PAUSE_S, MIN_PAUSE_S, pause_s
from cinelet.capacity.load.sample import OUTCOMES
from cinelet.capacity.load.wishes import read_prompts
from cinelet.errors import RequestError

SETTINGS = {"url": "http://host/v1"}


def sample(at_s: float = 0.0, took_s: float = 1.0, **more: object) -> Sample:
    arrival = Arrival(arrival_s=at_s, tier=more.pop("tier", "standard"), deadline_s=more.pop("deadline_s", None))
    ended = {"sent_s": at_s, "accepted_s": at_s, "ended_s": at_s + took_s, "outcome": "completed"}
    return Sample(number=0, arrival=arrival, **{**ended, **more})


def summed(*samples: Sample, num_planned: int | None = None) -> dict:
    return summarise(samples, num_planned=len(samples) if num_planned is None else num_planned, duration_s=10.0, settings=SETTINGS)


samples = st.builds(
    sample,
    at_s=st.floats(0, 100),
    took_s=st.floats(0, 100),
    tier=st.sampled_from(TIERS),
    outcome=st.sampled_from(OUTCOMES),
    deadline_s=st.none() | st.floats(0.1, 100),
    eta_s=st.none() | st.floats(0, 100),
)


@given(st.lists(samples, max_size=30))
def test_counts_add_up_and_every_number_is_json(many: list[Sample]) -> None:
    summary = summed(*sorted(many, key=lambda one: one.intended_s))
    parts = summary["by_tier"].values()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert sum(summary[f"num_{outcome}"] for outcome in OUTCOMES) == len(many)
    for name in ("num_jobs", *(f"num_{outcome}" for outcome in OUTCOMES)):
        assert sum(part[name] for part in parts) == summary[name]
    for part in (summary, *parts):
        assert part["slo_attainment"] is None or 0 <= part["slo_attainment"] <= 1
        assert part["p50_s"] is None or part["p50_s"] <= part["p95_s"] <= part["p99_s"] <= part["max_s"]


def test_deadlines_count_from_the_intended_instant_and_are_missed_without_a_clip() -> None:
    late_sender = sample(5.0, 3.0, sent_s=7.9, deadline_s=2.0)
    in_time = sample(5.0, 1.9, deadline_s=2.0)
    refused = sample(5.0, 0.1, outcome="refused", deadline_s=2.0)
    without = sample(5.0, 9.0)
    still_open = sample(5.0, 0.0, outcome="open", ended_s=None, deadline_s=2.0)
    assert summed(late_sender, in_time, refused, without, still_open)["slo_attainment"] == pytest.approx(1 / 3, abs=1e-3)


def test_the_error_of_a_quote_is_relative_to_the_real_time_after_acceptance() -> None:
    good = sample(0.0, 11.0, accepted_s=1.0, eta_s=9.0)
    bad = sample(0.0, 11.0, accepted_s=1.0, eta_s=20.0)
    cached = sample(0.0, 0.1, eta_s=30.0, is_cached=True)
    failed = sample(0.0, 11.0, eta_s=9.0, outcome="failed")
    eta = summed(good, bad, cached, failed)["eta"]
    assert eta == {"num_quotes": 2, "median_error": pytest.approx(0.55), "share_within_35_percent": 0.5}


def test_doubts_are_told() -> None:
    assert summed(sample())["warnings"] == []
    late = [sample(float(i), 1.0, sent_s=i + 0.5) for i in range(10)]
    assert "the sender lagged" in summed(*late)["warnings"][0]
    assert "10.0% timed out: percentiles above p90" in summed(*[sample()] * 9, sample(outcome="timed_out"))["warnings"][0]
    assert "1 of 5 requests were sent" in summed(sample(), num_planned=5)["warnings"][0]
    assert "under way" in summed(sample(outcome="open", ended_s=None))["warnings"][0]


@given(st.floats(0, 1e6), st.sampled_from(["queued", "in_progress", "processing"]))
def test_looks_are_never_hasty_and_never_far_apart(waited_s: float, word: str) -> None:
    most_s = MAX_QUEUED_PAUSE_S if word == "queued" else MAX_RUNNING_PAUSE_S
    assert MIN_PAUSE_S <= pause_s(waited_s, word) <= min(most_s, max(MIN_PAUSE_S, 0.05 * waited_s))


def test_an_arrival_says_what_it_knows_and_the_rest_comes_from_the_defaults() -> None:
    wishes = Wishes(prompts=("a", "b"), size=(832, 480), num_frames=81, num_inference_steps=40, first_seed=2**31 - 2)
    assert wishes.fields(1, Arrival(arrival_s=0.0)) == {
        "prompt": "b", "size": "832x480", "num_frames": "81", "num_inference_steps": "40", "seed": "0"
    }  # fmt: skip
    told = wishes.fields(2, Arrival(arrival_s=0.0, width=64, num_frames=5, prompt="c", deadline_s=2.5, model="m"))
    assert told == {
        "prompt": "c", "model": "m", "size": "64x480", "num_frames": "5", "num_inference_steps": "40", "seed": "1", "deadline_s": "2.5"
    }  # fmt: skip


def test_prompts_come_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("﻿a red car\r\n\n 红色的车 \n".encode())
    assert read_prompts(path) == ["a red car", "红色的车"]
    path.write_bytes(b"\n \n")
    with pytest.raises(RequestError, match="has no prompts"):
        read_prompts(path)
    path.write_bytes(b"a\nb\0c\n")
    with pytest.raises(RequestError, match="line 2"):
        read_prompts(path)
    path.write_bytes(b"\xff")
    with pytest.raises(RequestError, match="UTF-8"):
        read_prompts(path)
    with pytest.raises(RequestError, match="prompts"):
        read_prompts(tmp_path)
