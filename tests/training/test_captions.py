"""What a caption promises. These tests know the labels and the split of the templates; they do not judge style."""

from __future__ import annotations

import json
import random
import re
from itertools import product

import pytest

from training.pocket import captions, english, lexicon, templates
from training.pocket.speaker import NOUNS
from training.pocket.world import LABELS, NATURAL_COLOUR, NATURAL_MOTION, NATURAL_SCENE, SUBJECTS, Scene, random_scene

NATURAL = {"colour": NATURAL_COLOUR, "motion": NATURAL_MOTION, "scene": NATURAL_SCENE}


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
@pytest.mark.parametrize("held_out", [False, True])
def test_every_label_of_every_class_is_expressible(language: str, held_out: bool) -> None:
    rng = random.Random(1)
    for subject in SUBJECTS:
        for colour, motion, scene in zip(LABELS["colour"], LABELS["motion"], LABELS["scene"], strict=True):
            made = captions.captioned(
                Scene(subject=subject, colour=colour, motion=motion, scene=scene, seed=0), rng, language, held_out=held_out
            )
            assert made.text
            assert "{" not in made.text


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_every_label_is_stated_by_some_caption(language: str) -> None:
    rng = random.Random(2)
    found = set()
    for _ in range(1500):
        made = captions.random_captioned(rng, language)
        found |= {(label, getattr(made.scene, label)) for label in made.stated}
    assert found == {(label, value) for label, values in LABELS.items() for value in values}


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_the_same_seed_gives_the_same_caption(language: str) -> None:
    scene = random_scene(random.Random(3))
    texts = [[captions.caption(scene, rng, language) for _ in range(20)] for rng in (random.Random(4), random.Random(4))]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 10


@pytest.mark.parametrize(("language", "held_out"), list(product(lexicon.LANGUAGES, (False, True))))
def test_what_is_not_stated_is_what_silence_means(language: str, held_out: bool) -> None:
    rng = random.Random(5)
    drawn = [captions.random_captioned(rng, language, held_out=held_out) for _ in range(1500)]
    drawn += [captions.captioned(random_scene(rng), rng, language, held_out=held_out) for _ in range(1500)]
    unstated = [(made.scene, label) for made in drawn for label in NATURAL if label not in made.stated]
    assert len(unstated) > 300
    for scene, label in unstated:
        assert getattr(scene, label) == NATURAL[label][scene.subject]


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_silence_is_trained_about_a_quarter_of_the_time(language: str) -> None:
    rng = random.Random(6)
    drawn = [captions.random_captioned(rng, language) for _ in range(2000)]
    silent = sum("scene" not in made.stated for made in drawn) / len(drawn)
    assert 0.2 < silent < 0.4


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_held_out_templates_and_training_templates_do_not_overlap(language: str) -> None:
    training = templates.all_templates(language, held_out=False)
    held_out = templates.all_templates(language, held_out=True)
    assert not training & held_out
    assert len(held_out) / len(training | held_out) == pytest.approx(0.2, abs=0.06)


def _literals(template: str) -> set[str]:
    return {piece.strip(" ，。,.:：;") for piece in re.split(r"\{\w*\}", template)} - {""}


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_every_held_out_template_has_words_that_no_training_template_has(language: str) -> None:
    known = {literal for template in templates.all_templates(language, held_out=False) for literal in _literals(template)}
    for template in templates.all_templates(language, held_out=True):
        assert _literals(template) - known, template


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_there_are_at_least_twenty_five_training_templates(language: str) -> None:
    assert len({text for texts in templates.TEMPLATES[language, False].values() for text in texts}) >= 25


@pytest.mark.parametrize(("language", "held_out"), list(product(lexicon.LANGUAGES, (False, True))))
def test_every_template_has_a_place_for_the_colour(language: str, held_out: bool) -> None:
    for template in (text for texts in templates.TEMPLATES[language, held_out].values() for text in texts):
        assert re.search(r"\{(np|nb|natt|col)\}", template), template


def test_no_noun_stands_under_two_subjects() -> None:
    for language in lexicon.LANGUAGES:
        texts = [noun.text for nouns in NOUNS[language].values() for noun in nouns]
        assert len(texts) == len(set(texts)), sorted(text for text in texts if texts.count(text) > 1)


def test_every_implied_label_exists() -> None:
    for language in lexicon.LANGUAGES:
        for noun in (noun for nouns in NOUNS[language].values() for noun in nouns):
            assert noun.colour is None or noun.colour in LABELS["colour"], noun
            assert noun.motion is None or noun.motion in LABELS["motion"], noun


@pytest.mark.parametrize(
    "table",
    [
        lexicon.EN_COLOURS, lexicon.ZH_COLOURS, lexicon.ZH_COLOURS_DE, lexicon.EN_MOTIONS, lexicon.ZH_MOTIONS, lexicon.ZH_MOTIONS_DONE,
        lexicon.EN_SCENE_AT, lexicon.EN_SCENE_THROUGH, lexicon.EN_SCENE_WORDS, lexicon.ZH_SCENE_AT,
        lexicon.ZH_SCENE_ALONG, lexicon.ZH_SCENE_WORDS, lexicon.ZH_SCENE_SAYS,
    ],
)  # fmt: skip
def test_no_phrase_means_two_labels_of_one_class(table: dict[str, str]) -> None:
    phrases = [phrase.strip() for text in table.values() for phrase in text.split(",")]
    assert len(phrases) == len(set(phrases)), sorted(phrase for phrase in phrases if phrases.count(phrase) > 1)


def test_english_verbs_are_conjugated() -> None:
    forms = {verb.base: (verb.ing, verb.third) for pools in english.VERBS.values() for pool in pools for verb in pool}
    assert forms["run"] == ("running", "runs")
    assert forms["fly"] == ("flying", "flies")
    assert forms["dance"] == ("dancing", "dances")
    assert forms["go"] == ("going", "goes")
    assert forms["travel"] == ("travelling", "travels")


def _held_out_prompts() -> list[dict[str, str]]:
    return [json.loads(line) for line in captions.HELD_OUT_PATH.read_text(encoding="utf-8").splitlines()]


def test_the_held_out_file_parses_and_its_labels_are_valid() -> None:
    prompts = _held_out_prompts()
    assert len(prompts) >= 400
    for prompt in prompts:
        assert prompt["prompt"].strip()
        assert prompt["language"] in lexicon.LANGUAGES
        assert prompt["subject"] in SUBJECTS
        for label in prompt.keys() - {"prompt", "language"}:
            assert prompt[label] in LABELS[label], prompt


def test_the_held_out_file_holds_no_sentence_twice_and_both_languages_alike() -> None:
    prompts = _held_out_prompts()
    assert len({prompt["prompt"] for prompt in prompts}) == len(prompts)
    assert sum(prompt["language"] == "en" for prompt in prompts) == len(prompts) // 2


def test_the_held_out_file_is_what_its_writer_writes(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("prompts") / "held_out.jsonl"
    captions.write_held_out_prompts(path)
    assert path.read_text(encoding="utf-8") == captions.HELD_OUT_PATH.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", lexicon.LANGUAGES)
def test_no_training_caption_is_a_held_out_sentence(language: str) -> None:
    held_out = {captions._fingerprint(prompt["prompt"]) for prompt in _held_out_prompts()}
    rng = random.Random(7)
    assert not any(captions._fingerprint(captions.random_captioned_scene(rng, language)[0]) in held_out for _ in range(20_000))
