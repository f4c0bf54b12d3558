"""What a step may take: the first ones long, since they may compile; later ones ten times the usual, and never less than half a minute."""

from __future__ import annotations

from cinelet.worker.pace import FIRST_STEP_TIMEOUT_S, MIN_STEP_TIMEOUT_S, StepTimes


def test_the_first_steps_may_compile_and_later_ones_may_take_ten_times_the_usual() -> None:
    times = StepTimes()
    assert times.usual_s == 0.0
    for seconds in (60.0, 5.0):
        times.add(seconds)
        assert times.timeout_s == FIRST_STEP_TIMEOUT_S
    times.add(5.0)
    assert (times.usual_s, times.timeout_s) == (5.0, 50.0)


def test_a_quick_device_is_given_half_a_minute_all_the_same() -> None:
    times = StepTimes()
    for _ in range(100):
        times.add(0.01)
    assert times.timeout_s == MIN_STEP_TIMEOUT_S
