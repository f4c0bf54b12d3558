"""Those who were told to come back find the room that was kept for them."""

from __future__ import annotations

from cinelet.scheduling.waiting_room import KEPT_S, MAX_BOOKINGS, WaitingRoom


def test_who_comes_at_its_time_is_let_in_once() -> None:
    room = WaitingRoom()
    room.book("ann", 3.0, 100.0)
    assert not room.redeem("ann", 50.0)
    assert not room.redeem("bob", 100.0)
    assert room.redeem("ann", 100.0)
    assert not room.redeem("ann", 100.0)


def test_who_comes_too_early_keeps_its_time_and_who_comes_too_late_has_lost_it() -> None:
    room = WaitingRoom()
    assert room.book("ann", 3.0, 100.0).at == room.book("ann", 3.0, 140.0).at == 100.0
    assert not room.redeem("ann", 100.0 + KEPT_S + 1)


def test_promised_work_counts_until_it_is_asked_for_or_forgotten() -> None:
    room = WaitingRoom()
    room.book("ann", 3.0, 100.0)
    room.book("bob", 4.0, 110.0)
    assert room.booked_s(100.0) == 7.0
    room.redeem("ann", 100.0)
    assert room.booked_s(100.0) == 4.0
    assert room.booked_s(111.0 + KEPT_S) == 0.0


def test_it_is_bounded() -> None:
    room = WaitingRoom()
    for number in range(MAX_BOOKINGS + 10):
        room.book(str(number), 1.0, 100.0)
    assert room.booked_s(0.0) == MAX_BOOKINGS
