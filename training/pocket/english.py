"""English: forms of verbs, articles, and what fills the places of a template."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from training.pocket import lexicon
from training.pocket.speaker import FLIERS, Slot, Speaker, Words, by_label, favouring_first, head, listed, timeless
from training.pocket.world import LABELS, SUBJECTS

_DOUBLING = frozenset(listed(lexicon.EN_DOUBLING))


class Verb(NamedTuple):
    """An English verb phrase: three forms of its first word, and the rest of it with a leading space."""

    base: str
    ing: str
    third: str
    rest: str
    directed: bool
    """Whether an adverb may stand between the verb and the rest."""


def _ing_of(verb: str) -> str:
    if verb in _DOUBLING:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "ie", "oe")):
        return verb[:-1] + "ing"
    return verb + ("ling" if verb == "travel" else "ing")


def _third_of(verb: str) -> str:
    if verb in lexicon.EN_IRREGULAR_THIRD:
        return lexicon.EN_IRREGULAR_THIRD[verb]
    if verb.endswith(("s", "x", "z", "sh", "ch", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def _parsed(phrase: str, subject: str, *, directed: bool = False) -> Verb:
    first, _, rest = phrase.partition(" ")
    owned = f" {rest}".replace(" its ", " their ") if subject == "person" else f" {rest}"
    return Verb(first, _ing_of(first), _third_of(first), owned if rest else "", directed)


VerbPools = tuple[tuple[Verb, ...], ...]


def _verb_pools(subject: str, motion: str) -> VerbPools:
    """Pools of verbs to draw from evenly, so that a long list does not drown a short one."""
    general = tuple(_parsed(phrase, subject) for phrase in favouring_first(listed(lexicon.EN_MOTIONS[motion])))
    own = tuple(_parsed(phrase, subject) for phrase in listed(lexicon.EN_MOTIONS_OF.get((subject, motion), "")))
    if motion not in lexicon.EN_TOWARDS:
        return (general, general, general, own) if own else (general,)
    gaits = listed(lexicon.EN_GAITS[subject])
    towards = favouring_first(listed(lexicon.EN_TOWARDS[motion]), 0.15)
    directed = tuple(_parsed(f"{gait} {where}", subject, directed=True) for gait, where in product(gaits, towards))
    if motion == "left" or subject in FLIERS:
        return (directed, directed, general)
    bare = tuple(_parsed(gait, subject) for gait in gaits if gait not in ("go", "head"))
    onwards = tuple(
        _parsed(f"{gait} {where}", subject) for gait, where in product(gaits, listed(lexicon.EN_ONWARDS)) if gait != "ride a bike"
    )
    return (directed, directed, bare, bare, onwards, general, *((own,) if own else ()))


VERBS = {(subject, motion): _verb_pools(subject, motion) for subject, motion in product(SUBJECTS, LABELS["motion"])}
_IDLE = {subject: tuple(_parsed(phrase, subject) for phrase in listed(lexicon.EN_IDLE[subject])) for subject in SUBJECTS}


def _attributes(subject: str, motion: str) -> Words:
    words = listed(lexicon.EN_ATTRIBUTES[motion])
    if motion != "right" or subject in FLIERS:
        return words
    return words + tuple(_ing_of(gait) for gait in listed(lexicon.EN_GAITS[subject]) if " " not in gait and gait not in ("go", "head"))


_ATTRIBUTES = {(subject, motion): _attributes(subject, motion) for subject, motion in product(SUBJECTS, LABELS["motion"])}
_ADVERBS = listed(lexicon.EN_ADVERBS)


_COLOURS = {colour: favouring_first(listed(words), 0.5) for colour, words in lexicon.EN_COLOURS.items()}
_COLOUR_TAILS = {subject: listed(tails, "|") for subject, tails in lexicon.EN_COLOUR_TAILS.items()}

_AT, _THROUGH, _KW, _SAYS = (
    by_label(words) for words in (lexicon.EN_SCENE_AT, lexicon.EN_SCENE_THROUGH, lexicon.EN_SCENE_WORDS, lexicon.EN_SCENE_SAYS)
)
_TIMED = {
    label: tuple(f"{at} {time}" for at, time in product(timeless(_AT[label], listed(lexicon.EN_TIME_MARKS)), listed(lexicon.EN_TIMES)))
    for label in lexicon.PLACES
}
_ADJECTIVES = {
    subject: listed(lexicon.EN_ADJECTIVES)
    + listed(lexicon.EN_ADJECTIVES_ALIVE if subject in lexicon.ALIVE else lexicon.EN_ADJECTIVES_THING)
    for subject in SUBJECTS
}
_ACCESSORIES = listed(lexicon.EN_ACCESSORIES)
_DETERMINERS = ("a",) * 15 + ("the",) * 4 + ("my", "this", "one", "our", "that")
_PLURAL_DETERMINERS = ("two", "three", "some", "many", "several", "the", "a few", "a group of", "lots of")
_SPOKEN_AN = ("suv", "hour")
_SPOKEN_A = ("uni", "ufo", "eu", "one", "ultra")


def _article(phrase: str) -> str:
    if phrase.startswith(_SPOKEN_A):
        return "a"
    return "an" if phrase[0] in "aeiou" or phrase.startswith(_SPOKEN_AN) else "a"


def _adjective(speaker: Speaker) -> str:
    if not speaker.chance(0.2):
        return ""
    adjective = speaker.rng.choice(_ADJECTIVES[speaker.scene.subject])
    return "" if adjective in speaker.noun.text else adjective + " "


def _coloured(speaker: Speaker, noun: str, front: str) -> str:
    """The noun with its colour in front ("red car") or trailing ("car painted red")."""
    word = speaker.rng.choice(_COLOURS[speaker.scene.colour])
    if speaker.chance(0.65 if speaker.scene.subject == "person" else 0.08):
        return f"{front}{noun} {_tail(speaker, word)}"
    if speaker.chance(0.04) and " " not in word and "-" not in word:
        word += "-coloured"
    return f"{front}{word} {noun}"


def _tail(speaker: Speaker, word: str) -> str:
    tail = speaker.rng.choice(_COLOUR_TAILS[speaker.scene.subject])
    return (tail.replace("a {}", f"{_article(word)} {{}}") if "a {}" in tail else tail).format(word)


def _bare(speaker: Speaker, *, coloured: bool = True, front: str = "") -> str:
    noun = speaker.noun.plural if speaker.plural else speaker.noun.text
    front = _adjective(speaker) + front
    phrase = _coloured(speaker, noun, front) if coloured and "colour" in speaker.said else front + noun
    if speaker.scene.subject in lexicon.ACCESSORISED and speaker.chance(0.06):
        return f"{phrase} {speaker.rng.choice(_ACCESSORIES)}"
    return phrase


def _determined(speaker: Speaker, phrase: str) -> str:
    if speaker.plural:
        return f"{speaker.rng.choice(_PLURAL_DETERMINERS)} {phrase}" if speaker.chance(0.6) else phrase
    if phrase == "person" and speaker.chance(0.4):
        return speaker.rng.choice(lexicon.EN_SOMEONE)
    determiner = speaker.rng.choice(_DETERMINERS)
    return f"{_article(phrase) if determiner == 'a' else determiner} {phrase}"


def _np(speaker: Speaker) -> str:
    return _determined(speaker, _bare(speaker))


def _plain_np(speaker: Speaker) -> str:
    return _determined(speaker, _bare(speaker, coloured=False))


def _attributed(speaker: Speaker) -> str:
    attribute = speaker.rng.choice(_ATTRIBUTES[speaker.scene.subject, speaker.scene.motion])
    return _determined(speaker, _bare(speaker, front=attribute + " "))


def _colour(speaker: Speaker) -> str:
    return speaker.rng.choice(_COLOURS[speaker.scene.colour])


def _verb(speaker: Speaker) -> Verb:
    return speaker.rng.choice(speaker.rng.choice(VERBS[speaker.scene.subject, speaker.scene.motion]))


def _with_adverb(speaker: Speaker, first: str, verb: Verb) -> str:
    if not speaker.chance(0.2):
        return first + verb.rest
    adverb = speaker.rng.choice(_ADVERBS)
    if verb.directed and speaker.chance(0.5):
        return f"{first} {adverb}{verb.rest}"
    return f"{adverb} {first}{verb.rest}" if speaker.chance(0.5) else f"{first}{verb.rest} {adverb}"


def _participle(speaker: Speaker) -> str:
    verb = _verb(speaker)
    return _with_adverb(speaker, verb.ing, verb)


def _finite(speaker: Speaker) -> str:
    verb = _verb(speaker)
    return _with_adverb(speaker, verb.third, verb)


def _infinitive(speaker: Speaker) -> str:
    verb = _verb(speaker)
    return verb.base + verb.rest


def _idle_participle(speaker: Speaker) -> str:
    verb = speaker.rng.choice(_IDLE[speaker.scene.subject])
    return verb.ing + verb.rest


def _idle_finite(speaker: Speaker) -> str:
    verb = speaker.rng.choice(_IDLE[speaker.scene.subject])
    return verb.third + verb.rest


def _lead(speaker: Speaker) -> str:
    scene = speaker.scene.scene
    pool = _TIMED if scene in _TIMED and speaker.chance(0.12) else _AT
    return speaker.rng.choice(pool[scene])


def _at(speaker: Speaker) -> str:
    if speaker.scene.motion in lexicon.EN_TOWARDS and "motion" in speaker.said and speaker.chance(0.35):
        return speaker.rng.choice(_THROUGH[speaker.scene.scene])
    return _lead(speaker)


def _keyword(speaker: Speaker) -> str:
    return speaker.rng.choice(_KW[speaker.scene.scene])


def _says(speaker: Speaker) -> str:
    return speaker.rng.choice(_SAYS[speaker.scene.scene])


SLOTS: dict[str, Slot] = {
    "np": _np, "nb": _bare, "n0": _plain_np, "natt": _attributed, "head": head, "col": _colour,
    "ing": _participle, "fin": _finite, "base": _infinitive, "idle": _idle_participle, "idles": _idle_finite,
    "at": _at, "lead": _lead, "kw": _keyword, "says": _says,
}  # fmt: skip
