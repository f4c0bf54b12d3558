"""Profiles on disk: kept between starts, another's never used, a damaged one no reason to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from cinelet.cli.house import make_pricers
from cinelet.cli.profiles import Profiles
from cinelet.models import Catalogue
from tests.support.world import PLAN

STAGES = {"encode": 0.0, "denoise": 5.0, "decode": 0.5}


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path, "cpu A 2 threads", Catalogue(Path("nowhere")))


def learn(profiles: Profiles) -> float:
    pricers = make_pricers(Catalogue(Path("nowhere")), ["pocket"], profiles)
    for _ in range(3):
        pricers["pocket"].learn(PLAN, STAGES)
    profiles.save(pricers)
    return pricers["pocket"].price(PLAN).solo_s


def price(profiles: Profiles) -> float:
    return make_pricers(Catalogue(Path("nowhere")), ["pocket"], profiles)["pocket"].price(PLAN).solo_s


def test_what_was_learnt_is_there_at_the_next_start(profiles: Profiles) -> None:
    unlearnt = price(profiles)
    assert learn(profiles) == pytest.approx(5.5)
    assert price(profiles) == pytest.approx(5.5) != unlearnt


def test_another_device_learns_anew(profiles: Profiles, tmp_path: Path) -> None:
    learn(profiles)
    card = Catalogue(Path("nowhere")).get("pocket")
    other = Profiles(tmp_path, "cpu B 2 threads", Catalogue(Path("nowhere")))
    assert other.samples(card) == ()
    profiles.path(card).rename(other.path(card))  # whoever carries a file over
    assert other.samples(card) == ()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', "\0"])
def test_a_damaged_file_is_not_used(profiles: Profiles, damage: str) -> None:
    card = Catalogue(Path("nowhere")).get("pocket")
    learn(profiles)
    profiles.path(card).write_text(damage)
    assert profiles.samples(card) == ()
    assert learn(profiles) == pytest.approx(5.5)
