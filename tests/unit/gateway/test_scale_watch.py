"""What a gateway remembers for scaling: since when there are as many workers as there are."""

from __future__ import annotations

from cinelet.gateway.scale_watch import ScaleWatch
from cinelet.jobs.history import Past
from cinelet.jobs.register import Load
from cinelet.scheduling.scale import ScalePolicy

QUIET = Load(waiting={}, waiting_s=0.0, running=0, running_s=0.0, oldest_at=None)
NOTHING = Past(end_s=0.0, bucket_s=300.0, num_jobs=[0] * 12, work_s=[0.0] * 12)


def test_a_first_look_drains_nothing_and_a_later_one_does() -> None:
    watch = ScaleWatch(ScalePolicy(calm_s=600))
    assert watch.look(QUIET, 5, NOTHING, 1000.0).action == "hold"
    assert watch.look(QUIET, 5, NOTHING, 1500.0).action == "hold"
    assert watch.look(QUIET, 5, NOTHING, 1600.0).target_devices == 1


def test_a_worker_that_comes_or_goes_starts_the_calm_anew() -> None:
    watch = ScaleWatch(ScalePolicy(calm_s=600))
    watch.look(QUIET, 5, NOTHING, 1000.0)
    assert watch.look(QUIET, 4, NOTHING, 1700.0).action == "hold"
    assert watch.unchanged_s(4, 2000.0) == 300.0
    assert watch.look(QUIET, 4, NOTHING, 2300.0).action == "in"


def test_a_backlog_asks_for_devices_at_once() -> None:
    load = Load(waiting={"free": 8, "vip": 2}, waiting_s=6000.0, running=1, running_s=300.0, oldest_at=900.0)
    advice = ScaleWatch().look(load, 1, NOTHING, 1000.0)
    assert (advice.action, advice.target_devices) == ("out", 11)


def test_a_clock_that_was_set_back_is_no_time_at_all() -> None:
    watch = ScaleWatch()
    watch.unchanged_s(2, 1000.0)
    assert watch.unchanged_s(2, 900.0) == 0.0
