"""The catalogue's cards: what each can make, where it comes from, and what a model made of another one inherits."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from cinelet.errors import InvalidValueError
from cinelet.models import Catalogue, ModelCard, plan
from cinelet.models.card import PACKAGE
from cinelet.video import LORA_NAME, PRESETS, VideoRequest

CATALOGUE = Catalogue(Path("/models"))
CARDS = CATALOGUE.list()
DISTILLED = [card for card in CARDS if card.timesteps]


def ids(card: ModelCard) -> str:
    return card.name


@pytest.mark.parametrize("card", CARDS, ids=ids)
def test_every_card_makes_its_own_defaults_at_every_preset(card: ModelCard) -> None:
    for preset in PRESETS:
        made = plan(VideoRequest(prompt="x", preset=preset), card)
        assert made.num_inference_steps == (len(card.timesteps) or card.steps[preset])
        assert (made.num_frames - 1) % card.latent_stride[0] == 0
    for width, height in card.resolutions.values():
        plan(VideoRequest(prompt="x", width=width, height=height), card)
        plan(VideoRequest(prompt="x", width=height, height=width), card)


@pytest.mark.parametrize("card", CARDS, ids=ids)
def test_every_card_names_a_licence_and_every_fetched_one_a_commit(card: ModelCard) -> None:
    assert card.licence == "Apache-2.0"
    assert card.source == PACKAGE or re.fullmatch(r"[0-9a-f]{40}", card.revision)


@pytest.mark.parametrize("card", DISTILLED, ids=ids)
def test_a_distilled_model_takes_its_own_steps_and_no_guidance(card: ModelCard) -> None:
    assert (card.guidance_scale, card.guidance_scale_2) == (1.0, 1.0)
    assert card.timesteps[0] == 1000
    assert all(above > below > 0 for above, below in pairwise(card.timesteps))
    assert plan(VideoRequest(prompt="x"), card).timesteps == card.timesteps
    for change in ({"num_inference_steps": 20}, {"guidance_scale": 5.0}, {"sampler": "unipc"}):
        with pytest.raises(InvalidValueError, match="distilled"):
            plan(VideoRequest(prompt="x", **change), card)


def test_lightnings_levels_are_its_steps_after_the_shift_two_for_each_expert() -> None:
    card = CATALOGUE.get("wan2.2-t2v-a14b-lightning")
    shift = card.flow_shift
    shifted = [1000 * shift * t / (1 + (shift - 1) * t) for t in (1.0, 0.75, 0.5, 0.25)]
    assert card.timesteps == pytest.approx(shifted, abs=1e-3)
    assert [t >= 875 for t in card.timesteps] == [True, True, False, False]


def test_a_model_made_of_another_uses_its_checkpoint_and_adapters_of_its_own() -> None:
    card, base = CATALOGUE.get("wan2.2-t2v-a14b-lightning"), CATALOGUE.get("wan2.2-t2v-a14b")
    assert card.folder == base.folder == Path("/models/wan2.2-t2v-a14b")
    assert card.adapters == tuple(Path("/models/loras") / name for name in card.loras)
    assert all(LORA_NAME.fullmatch(name) for name in card.loras)
    assert (card.architecture, card.default_size, card.fps) == (base.architecture, base.default_size, base.fps)


def test_it_is_installed_when_the_checkpoint_and_every_adapter_are(tmp_path: Path) -> None:
    card = Catalogue(tmp_path).get("wan2.2-t2v-a14b-lightning")
    card.folder.mkdir()
    (card.folder / "model_index.json").write_text("{}")
    assert Catalogue(tmp_path).get("wan2.2-t2v-a14b").is_installed
    assert not card.is_installed
    card.adapters[0].mkdir(parents=True)
    (card.adapters[0] / "high_noise_model.safetensors").write_bytes(b"")
    assert card.is_installed
