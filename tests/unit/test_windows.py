"""Windows of a long clip: every latent frame is seen, and what windows say of one adds up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.windows import latent_frames, windows


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 40))
def test_windows_cover_the_clip_in_order_at_one_length_and_their_shares_add_up(num_latents: int, length: int) -> None:
    spans = windows(num_latents, length)
    assert (spans[0].start, spans[-1].stop) == (0, num_latents)
    assert {span.stop - span.start for span in spans} == {min(length, num_latents)}
    assert all(one.start < other.start <= one.stop for one, other in pairwise(spans))
    sums = [0.0] * num_latents
    for span in spans:
        assert len(span.shares) == span.stop - span.start
        for i, share in enumerate(span.shares, span.start):
            assert share > 0
            sums[i] += share
    assert sums == pytest.approx([1.0] * num_latents)


@settings(deadline=None)
@given(st.integers(3, 40), st.integers(1, 20))
def test_neighbours_share_latent_frames_and_work_grows_with_length_alone(length: int, times: int) -> None:
    spans = windows(times * length, length)
    assert all(other.start < one.stop for one, other in pairwise(spans))
    assert len(spans) <= 2 * times


@pytest.mark.parametrize("length", [0, 5, 6])
def test_a_clip_that_fits_is_one_window(length: int) -> None:
    (only,) = windows(5, length)
    assert (only.start, only.stop, only.shares) == (0, 5, (1.0,) * 5)


def test_an_answer_fades_towards_its_windows_ends() -> None:
    first, second, *_ = windows(31 + 25, 31)
    fading = first.shares[second.start :]
    assert len(fading) == 6
    assert set(first.shares[: second.start]) == {1.0}
    assert list(fading) == sorted(fading, reverse=True)
    assert 0 < fading[-1] < fading[0] < 1
    assert second.shares[:6] == pytest.approx(fading[::-1])


@pytest.mark.parametrize(("num_frames", "expected"), [(0, 0), (1, 1), (2, 2), (5, 2), (6, 3), (17, 5), (121, 31)])
def test_the_first_latent_frame_holds_one_frame_the_others_four(num_frames: int, expected: int) -> None:
    assert latent_frames(num_frames, 4) == expected
