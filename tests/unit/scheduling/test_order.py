"""A job that was there when two attempts ended badly runs alone, and is not left waiting for ever."""

from __future__ import annotations

from dataclasses import dataclass

from cinelet.scheduling.order import ALONE_FROM_ATTEMPT, LONGEST_SUSPICION_S, may_start


@dataclass(frozen=True)
class Tried:
    attempt: int = 0
    created_at: float = 0.0


FRESH, TRIED_ONCE, SUSPECT = Tried(), Tried(1), Tried(ALONE_FROM_ATTEMPT)


def test_on_a_free_device_anyone_may_start() -> None:
    assert may_start([FRESH, SUSPECT, TRIED_ONCE], [], 1.0) == [FRESH, SUSPECT, TRIED_ONCE]


def test_beside_others_a_suspect_may_not() -> None:
    assert may_start([FRESH, SUSPECT, TRIED_ONCE], [FRESH], 1.0) == [FRESH, TRIED_ONCE]


def test_beside_a_running_suspect_nobody_may() -> None:
    assert may_start([FRESH, TRIED_ONCE, SUSPECT], [Tried(ALONE_FROM_ATTEMPT + 1)], 1.0) == []


def test_a_suspect_that_waited_long_has_the_device_emptied_for_it() -> None:
    late = LONGEST_SUSPICION_S + 1
    assert may_start([FRESH, SUSPECT], [FRESH], late) == []
    assert may_start([FRESH, SUSPECT], [], late) == [SUSPECT]
