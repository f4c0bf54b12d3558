"""Which clips a training looks at."""

from __future__ import annotations

import argparse

import pytest
import torch

from training.pocket.encode_clips import scene_of
from training.pocket.train_transformer import own_guesses, own_levels, parse_lean, shares


def test_a_lean_training_looks_at_what_is_named_more_often_by_the_product_of_its_labels() -> None:
    likely = shares(400, parse_lean("spinning=4,bird=2"))
    assert likely.sum() == pytest.approx(1.0)
    plain = min(likely)
    for i, chance in enumerate(likely):
        scene = scene_of(i)
        assert chance / plain == pytest.approx((4 if scene.motion == "spinning" else 1) * (2 if scene.subject == "bird" else 1))


def test_without_a_word_all_clips_are_alike() -> None:
    assert set(shares(10, parse_lean(""))) == {0.1}


@pytest.mark.parametrize("text", ["unicorn=2", "spinning", "spinning=", "spinning=-1", "spinning=1.2.3", "=4"])
def test_a_label_that_is_none_or_a_number_that_is_none_is_named(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no label name and a number"):
        parse_lean(text)


@pytest.mark.parametrize("num_steps", [1, 2, 6])
def test_own_steps_begin_at_pure_noise_and_leave_one_to_go(num_steps: int) -> None:
    levels = own_levels(num_steps)
    assert len(levels) == num_steps + 1
    assert levels[0] == 1.0
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] > 0


def test_a_network_that_knows_the_clip_believes_in_it_wherever_it_stands() -> None:
    clip, noise = torch.randn(2, 2, 3), torch.randn(2, 2, 3)
    guess = own_guesses(lambda x, level: (x - clip) / level, noise, own_levels(3))
    torch.testing.assert_close(guess, clip)
