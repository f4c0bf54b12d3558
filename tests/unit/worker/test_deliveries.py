"""Clips on their way out: a draft is one of them although its run goes on as the clip itself."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from cinelet.worker.deliveries import MAX_DELIVERIES, Deliveries


def run_named(name: str) -> Any:
    return SimpleNamespace(name=name, lease=f"lease of {name}")


def test_a_run_that_has_another_name_by_the_time_its_draft_is_there_is_known_all_the_same() -> None:
    has_ended, gate = threading.Event(), threading.Event()
    deliveries = Deliveries(has_ended.set)
    run = run_named("one/draft")
    deliveries.begin(run, lambda lease, what: f"{what} by the {lease}" if gate.wait(10) else "", "draft")
    run.name = "one"
    assert (bool(deliveries), deliveries.runs, deliveries.take_ended()) == (True, [run], [])
    gate.set()
    assert has_ended.wait(10)
    assert deliveries.take_ended() == [(run, "draft by the lease of one/draft")]
    assert not deliveries
    deliveries.close()


def test_no_more_than_a_few_are_under_way_at_once() -> None:
    gate = threading.Event()
    deliveries = Deliveries(lambda: None)
    for number in range(MAX_DELIVERIES):
        assert not deliveries.is_full
        deliveries.begin(run_named(str(number)), lambda *_: str(gate.wait(10)), None)
    assert deliveries.is_full
    gate.set()
    deliveries.close()
    assert len(deliveries.take_ended()) == MAX_DELIVERIES
    assert not deliveries.is_full
