"""Patterns of arrivals have the rate and the burstiness they are asked for, and the texts that name them are read or refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.capacity.arrivals import DAY_S, bursty, daily, even, flash_crowd, index_of_dispersion, poisson, ramp
from cinelet.capacity.mix import REFERENCE_MIX, JobClass, Mix, mixed, parse_mix, parse_tiers
from cinelet.capacity.source import PATTERNS, SPECS, parse_arrivals, parse_ramp
from cinelet.capacity.trace import TIERS, Arrival, write_trace
from cinelet.errors import InvalidValueError, RequestError


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("dispersion", [2, 20, 50])
@pytest.mark.parametrize("window_s", [60.0, 300.0])
def test_bursts_have_the_dispersion_they_are_asked_for(dispersion: float, window_s: float) -> None:
    days = 20
    instants = bursty(0.5, days * DAY_S, rng(), dispersion=dispersion)
    assert index_of_dispersion(instants, window_s, days * DAY_S) == pytest.approx(dispersion, rel=0.2)
    assert len(instants) / (days * DAY_S) == pytest.approx(0.5, rel=0.1)


def test_the_window_of_the_bursts_can_be_chosen() -> None:
    instants = bursty(0.5, 60 * DAY_S, rng(), dispersion=20, window_s=600.0)
    assert index_of_dispersion(instants, 600.0, 60 * DAY_S) == pytest.approx(20, rel=0.2)
    assert index_of_dispersion(instants, 60.0, 60 * DAY_S) < 4


def test_poisson_arrivals_have_dispersion_one_and_even_ones_none() -> None:
    assert index_of_dispersion(poisson(1.0, DAY_S, rng()), 60.0, DAY_S) == pytest.approx(1.0, rel=0.2)
    assert index_of_dispersion(even(1.0, DAY_S), 60.0, DAY_S) == 0.0
    assert even(0.5, 10.0).tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_a_day_has_its_night_at_its_beginning() -> None:
    instants = daily(1.0, 4 * DAY_S, rng(), swing=0.6)
    hour_of_day = Counter((instants % DAY_S // 3600).astype(int).tolist())
    assert hour_of_day[0] == pytest.approx(4 * 3600 * 0.4, rel=0.1)
    assert hour_of_day[12] == pytest.approx(4 * 3600 * 1.6, rel=0.1)
    assert len(instants) == pytest.approx(4 * DAY_S, rel=0.02)


def test_a_flash_crowd_comes_at_its_time_and_goes() -> None:
    instants = flash_crowd(1.0, 3000.0, rng(), at_s=1000.0, factor=10.0, width_s=500.0)
    counts, _ = np.histogram(instants, bins=[0, 1000, 1500, 3000])
    assert counts.tolist() == pytest.approx([1000, 5000, 1500], rel=0.1)
    cut = flash_crowd(1.0, 1200.0, rng(), at_s=1000.0, factor=10.0, width_s=500.0)
    assert len(cut) == pytest.approx(3000, rel=0.1)
    assert cut[-1] < 1200.0


def test_a_ramp_goes_through_its_stages() -> None:
    counts, _ = np.histogram(ramp([(1.0, 1000.0), (0.0, 500.0), (5.0, 1000.0)], rng()), bins=[0, 1000, 1500, 2500])
    assert counts.tolist() == pytest.approx([1000, 0, 5000], rel=0.1)


@given(st.sampled_from(sorted(PATTERNS)), st.floats(1e-3, 20), st.floats(1e-3, 2000), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_every_pattern_gives_sorted_instants_within_its_time_and_the_same_again(
    kind: str, rate: float, duration_s: float, seed: int
) -> None:
    more = {"bursty": ",dispersion=20", "flash": f",at={duration_s / 2}"}.get(kind, "")
    source = parse_arrivals(f"{kind}:rate={rate}{more}")
    first = source.draw(duration_s, rng(seed))
    instants = [arrival.arrival_s for arrival in first]
    assert instants == sorted(instants)
    assert all(0 <= at_s < duration_s for at_s in instants)
    assert source.draw(duration_s, rng(seed)) == first


def test_a_mix_is_drawn_by_its_shares() -> None:
    trace = mixed(even(1.0, 20_000.0), REFERENCE_MIX, rng())
    services = Counter(arrival.service_s for arrival in trace)
    tiers = Counter(arrival.tier for arrival in trace)
    assert [services[seconds] / 20_000 for seconds in (8.0, 60.0, 240.0)] == pytest.approx([0.25, 0.6, 0.15], abs=0.02)
    assert [tiers[tier] / 20_000 for tier in TIERS] == pytest.approx([0.3, 0.5, 0.2], abs=0.02)
    assert {arrival.deadline_s for arrival in trace if arrival.service_s == 8.0} == {32.0}
    assert np.mean([arrival.service_s or 0.0 for arrival in trace]) == pytest.approx(74.0, rel=0.03)


def test_mixes_and_tiers_are_read_from_text() -> None:
    assert parse_mix("share=0.25, service=8, deadline=4, steps=8; width=832, decode=0.3") == (
        JobClass(share=0.25, service_s=8.0, deadline_factor=4.0, num_inference_steps=8),
        JobClass(width=832, decode_share=0.3),
    )
    assert parse_tiers("vip=1,free=3") == {"free": 3.0, "vip": 1.0}
    with pytest.raises(InvalidValueError, match="say service=SECONDS too"):
        parse_mix("deadline=3")
    with pytest.raises(InvalidValueError, match="decode"):
        parse_mix("decode=1")
    with pytest.raises(InvalidValueError, match="the names are free, standard, vip"):
        parse_tiers("gold=1")
    with pytest.raises(InvalidValueError, match="one above 0"):
        mixed(even(1.0, 5.0), Mix(tiers={"vip": 0.0}), rng())


@pytest.mark.parametrize("text", SPECS)
def test_the_examples_in_help_texts_can_be_drawn(text: str) -> None:
    assert parse_arrivals(text).draw(3600.0, rng())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("poison:rate=1", "must be a trace (.csv) or one of even:rate=0.2"),
        ("poisson", "must be a trace (.csv) or one of"),
        ("", "must be a trace (.csv) or one of"),
        ("trace.json", "must be a trace (.csv) or one of"),
        ("poisson:", "the names are rate"),
        ("poisson:speed=1", "the names are rate"),
        ("poisson:rate", "must be NAME=NUMBER"),
        ("poisson:rate=fast", "must be a number"),
        ("poisson:rate=nan", "must be a number"),
        ("poisson:rate=0", "rate: 0.0 is not allowed"),
        ("poisson:rate=-1", "rate: -1.0 is not allowed"),
        ("poisson:rate=1,rate=2", "must say rate once"),
        ("bursty:rate=1", "lacks dispersion; such as bursty:rate=0.2,dispersion=20"),
        ("bursty:rate=1,dispersion=0.5", "dispersion: 0.5 is not allowed"),
        ("bursty:rate=1,dispersion=20,window=0", "window: 0.0 is not allowed"),
        ("daily:rate=1,swing=1.5", "swing: 1.5 is not allowed"),
        ("flash:rate=1,at=1,factor=0", "factor: 0.0 is not allowed"),
    ],
)
def test_a_load_that_is_none_is_told_at_once(text: str, said: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        parse_arrivals(text)
    assert said in caught.value.message


def test_a_pattern_must_be_told_how_long_and_too_much_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="say how many seconds"):
        parse_arrivals("poisson:rate=1").draw(None, rng())
    with pytest.raises(InvalidValueError, match="10,000,000 at most"):
        parse_arrivals("poisson:rate=1000").draw(1e6, rng())
    with pytest.raises(InvalidValueError, match="windows at most"):
        parse_arrivals("bursty:rate=0.001,dispersion=2,window=0.00001").draw(1e5, rng())


def test_a_path_is_a_load_as_it_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    trace = [Arrival(arrival_s=1.0), Arrival(arrival_s=5.0, tier="vip")]
    write_trace(path, trace)
    source = parse_arrivals(str(path))
    assert source.draw(None, rng()) == trace
    assert source.draw(5.0, rng()) == trace[:1]
    with pytest.raises(RequestError, match="no such file"):
        parse_arrivals(str(tmp_path / "missing.csv")).draw(None, rng())


def test_a_ramp_is_read_from_text_and_has_its_own_length() -> None:
    source = parse_ramp("1:1000,0:500,5:1000")
    assert source.length_s == 2500.0
    counts, _ = np.histogram([one.arrival_s for one in source.draw(None, rng())], bins=[0, 1000, 1500, 2500])
    assert counts.tolist() == pytest.approx([1000, 0, 5000], rel=0.1)
    assert source.draw(1200.0, rng())[-1].arrival_s < 1200.0


@pytest.mark.parametrize("text", ["", "1", "1:", ":5", "1:0", "-1:5", "0:5", "a:5"])
def test_a_ramp_that_is_none_is_told(text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_ramp(text)


@pytest.mark.parametrize(("instants", "window_s"), [([], 1.0), ([1.0, 1.5], 1.0), ([9.5], 4.0)])
def test_dispersion_needs_two_windows_and_an_arrival(instants: list[float], window_s: float) -> None:
    with pytest.raises(InvalidValueError):
        index_of_dispersion(np.array(instants), window_s)
