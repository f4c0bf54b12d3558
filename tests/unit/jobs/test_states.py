"""The life of a job, as declared."""

from __future__ import annotations

from typing import get_args

from cinelet.jobs.states import EVENTS, FINAL, OPEN, TRANSITIONS, WAITING, WIRE, State, sources_of


def test_every_state_has_transitions_a_word_on_the_wire_and_an_event() -> None:
    states = set(get_args(State))
    assert set(TRANSITIONS) == set(WIRE) == set(EVENTS) == states
    assert set(OPEN) | set(FINAL) == states
    assert not set(OPEN) & set(FINAL)
    assert set(WAITING) < set(OPEN)


def test_the_wire_knows_four_words() -> None:
    assert set(WIRE.values()) == {"queued", "in_progress", "completed", "failed"}


def test_final_states_have_no_way_out_and_open_ones_lead_to_an_end() -> None:
    for state in FINAL:
        assert TRANSITIONS[state] == frozenset()
    for state in OPEN:
        assert TRANSITIONS[state] & set(FINAL)


def test_every_state_but_the_first_two_can_be_reached() -> None:
    assert {state for state in TRANSITIONS if not sources_of(state)} == set()
    assert sources_of("running") == ("available",)
    assert sources_of("expired") == ("scheduled", "available")
    assert sources_of("cancelled") == OPEN
