"""What people say about a clip, before a model is known."""

from __future__ import annotations

import pytest

from cinelet.errors import InvalidValueError
from cinelet.sdk import make_wish


def test_names_for_people_become_names_of_the_field() -> None:
    wish = make_wish("a red car", steps=8, size=(160, 96), seed=7)
    assert (wish.request.num_inference_steps, wish.request.width, wish.request.height, wish.request.seed) == (8, 160, 96, 7)


def test_what_a_model_must_turn_into_numbers_is_kept_for_it() -> None:
    assert make_wish("a", resolution="480p", length_sec=2).extra == {"resolution": "480p", "seconds": 2}


def test_the_exact_word_goes_before_the_rough_one() -> None:
    assert make_wish("a", resolution="480p", size=(160, 96), length_sec=2, num_frames=9).extra == {"resolution": None, "seconds": None}


@pytest.mark.parametrize("length", [0, -1, float("nan"), float("inf"), 3601, True])
def test_a_length_that_is_none_is_refused(length: float) -> None:
    with pytest.raises(InvalidValueError, match="length_sec"):
        make_wish("a", length_sec=length)


def test_an_unknown_option_is_a_mistake_in_the_call() -> None:
    with pytest.raises(TypeError, match="stepz"):
        make_wish("a", stepz=3)
