"""Which clips a training looks at."""

from __future__ import annotations

import argparse

import pytest

from training.pocket.encode_clips import scene_of
from training.pocket.train_transformer import parse_lean, shares


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
