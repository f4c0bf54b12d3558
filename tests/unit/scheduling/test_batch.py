"""When stepping together pays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cinelet.scheduling import BatchFit, BatchLine

SECONDS = st.floats(0.001, 10)


@given(SECONDS)
def test_a_device_that_is_full_by_one_gains_nothing(a: float) -> None:
    assert BatchLine(a, 0.0).pays(1)
    assert not any(BatchLine(a, 0.0).pays(num) for num in range(2, 9))


@given(SECONDS, SECONDS)
def test_each_clip_that_pays_makes_a_step_cheaper(a: float, b: float) -> None:
    line = BatchLine(a, b)
    for num in range(2, 30):
        if line.pays(num):
            assert line.seconds(num) / num < line.seconds(num - 1) / (num - 1)
            assert line.pays(num - 1)


@given(SECONDS, SECONDS)
def test_a_fit_finds_the_line_that_it_saw(a: float, b: float) -> None:
    fit = BatchFit()
    for num in (1, 2, 3, 4):
        fit.note(num, a * num + b)
    line = fit.line()
    assert (line.a, line.b) == pytest.approx((a, b), rel=1e-3, abs=1e-6)


def test_nothing_is_known_of_one_size_alone() -> None:
    fit = BatchFit()
    fit.note(1, 1.0)
    fit.note(1, 1.1)
    assert fit.line() is None


def test_neither_part_is_below_zero() -> None:
    fit = BatchFit()
    for num, seconds in ((1, 1.0), (2, 0.5)):
        fit.note(num, seconds)
    assert fit.line() == BatchLine(0.0, 0.75)
    fit = BatchFit()
    for num, seconds in ((1, 1.0), (2, 3.0)):
        fit.note(num, seconds)
    assert fit.line().b == 0.0
