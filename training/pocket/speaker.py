"""Who says a sentence: what is to be said, the noun for it, and the dice. Knows nouns of both languages, no grammar."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from training.pocket import lexicon
from training.pocket.world import Scene

Words = tuple[str, ...]


def listed(text: str, separator: str = ",") -> Words:
    """The words of a line of the lexicon."""
    return tuple(word.strip() for word in text.split(separator) if word.strip())


def favouring_first(words: Words, share: float = 0.3) -> Words:
    """The words, the first repeated until it holds about `share` of the pool."""
    return words + words[:1] * int(share * len(words) / (1 - share))


def by_label(words: dict[str, str]) -> dict[str, Words]:
    """The words of a table of the lexicon."""
    return {label: listed(text) for label, text in words.items()}


def timeless(phrases: Words, marks: Words) -> Words:
    """The phrases that say no time of day by one of `marks`."""
    return tuple(phrase for phrase in phrases if not any(mark in phrase for mark in marks))


FLIERS = ("balloon", "rocket")
"""Subjects whose bare "flying" means rising."""


@dataclass(frozen=True, slots=True)
class Noun:
    """A word for a subject, and the colour and motion that it says by itself."""

    text: str
    plural: str
    colour: str | None
    motion: str | None
    measures: Words
    fixed: bool
    """Whether the word would clash with any colour but its own."""


_NOUN = re.compile(r"(?P<text>[^/=@]+)(?:/(?P<measures>[^=@]+))?(?:=(?P<colour>\w+))?(?:@(?P<motion>\w+))?")
_EN_FIXING = re.compile(rf"\b({'|'.join(listed(lexicon.EN_FIXING))})\b")
_ZH_FIXING = re.compile("|".join(listed(lexicon.ZH_FIXING)))
_NO_PLURAL = frozenset(listed(lexicon.EN_NO_PLURAL))


def _pluralise(text: str) -> str:
    """The plural of an English noun, or "" for the few that have none worth saying."""
    head, _, last = text.rpartition(" ")
    if text in _NO_PLURAL or last in _NO_PLURAL:
        return ""
    if last in lexicon.EN_IRREGULAR_PLURALS:
        plural = lexicon.EN_IRREGULAR_PLURALS[last]
    elif last.endswith("fish"):
        plural = last
    elif last.endswith(("s", "x", "ch", "sh")):
        plural = last + "es"
    elif last.endswith("y") and last[-2] not in "aeiou":
        plural = last[:-1] + "ies"
    else:
        plural = last + "s"
    return f"{head} {plural}".strip()


def _parse_noun(entry: str, language: str, subject: str) -> Noun:
    match = _NOUN.fullmatch(entry)
    if match is None:
        raise ValueError(f"{entry!r} is no noun entry")
    text = match["text"]
    measures = match["measures"] or lexicon.ZH_MEASURES[subject]
    plural = _pluralise(text) if language == "en" else ""
    fixed = bool(_EN_FIXING.search(text) if language == "en" else _ZH_FIXING.search(text))
    return Noun(text, plural, match["colour"], match["motion"], listed(measures, "|"), fixed and match["colour"] is not None)


def _nouns(language: str) -> dict[str, tuple[Noun, ...]]:
    table = lexicon.EN_NOUNS if language == "en" else lexicon.ZH_NOUNS
    return {subject: tuple(_parse_noun(entry, language, subject) for entry in listed(entries)) for subject, entries in table.items()}


NOUNS = {language: _nouns(language) for language in lexicon.LANGUAGES}
NOUN_POOLS = {
    language: {subject: nouns + nouns[:1] * (len(nouns) // 3) for subject, nouns in table.items()} for language, table in NOUNS.items()
}


@dataclass(slots=True)
class Speaker:
    """One sentence in the making: what is to be said, and the dice."""

    scene: Scene
    noun: Noun
    said: frozenset[str]
    rng: random.Random
    plural: bool = False

    def chance(self, probability: float) -> bool:
        """Whether the dice fall so."""
        return self.rng.random() < probability


Slot = Callable[[Speaker], str]
"""Fills one place of a template."""


def head(speaker: Speaker) -> str:
    """The bare noun."""
    return speaker.noun.text
