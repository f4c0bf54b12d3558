"""Chinese: measures, colours with and without 的, and what fills the places of a template."""

from __future__ import annotations

from itertools import product

from training.pocket import lexicon
from training.pocket.speaker import FLIERS, Slot, Speaker, Words, by_label, favouring_first, head, listed, timeless
from training.pocket.world import LABELS, SUBJECTS


def _verb_pools(subject: str, motion: str) -> tuple[Words, ...]:
    general = favouring_first(listed(lexicon.ZH_MOTIONS[motion]), 0.2)
    own = listed(lexicon.ZH_MOTIONS_OF.get((subject, motion), ""))
    if motion not in lexicon.ZH_TOWARDS:
        return (general, general, general, own) if own else (general,)
    gaits = listed(lexicon.ZH_GAITS[subject])
    alone, bound, away = (frozenset(listed(text)) for text in (lexicon.ZH_GAITS_ALONE, lexicon.ZH_GAITS_BOUND, lexicon.ZH_GAITS_AWAY))
    steps = tuple(gait for gait in gaits if gait not in alone) + tuple(f"{gait}去" for gait in gaits if gait in away)
    directed = tuple(where + step for where, step in product(listed(lexicon.ZH_TOWARDS[motion]), steps))
    if motion == "left" or subject in FLIERS:
        return (directed, directed, general)
    bare = tuple(gait for gait in gaits if gait not in bound)
    onwards = tuple(where + gait for where, gait in product(listed(lexicon.ZH_ONWARDS), gaits) if gait not in alone)
    return (directed, directed, bare, bare, onwards, general, *((own,) if own else ()))


_VERBS = {(subject, motion): _verb_pools(subject, motion) for subject, motion in product(SUBJECTS, LABELS["motion"])}
_DONE = {motion: listed(text) for motion, text in lexicon.ZH_MOTIONS_DONE.items()}
_IDLE = {subject: listed(lexicon.ZH_IDLE.get(subject, "出现")) for subject in SUBJECTS}
_ADVERBS = listed(lexicon.ZH_ADVERBS)
_SELF_PACED = frozenset("慢缓徐冉渐逐不一飞快欢原随尽翩蹦活像")

_COLOURS = {colour: favouring_first(listed(words), 0.5) for colour, words in lexicon.ZH_COLOURS.items()}
_COLOURS_DE = {colour: listed(words) for colour, words in lexicon.ZH_COLOURS_DE.items()}
_CLOTHES = listed(lexicon.ZH_COLOUR_CLOTHES)

_AT, _ALONG, _KW, _SAYS = (
    by_label(words) for words in (lexicon.ZH_SCENE_AT, lexicon.ZH_SCENE_ALONG, lexicon.ZH_SCENE_WORDS, lexicon.ZH_SCENE_SAYS)
)


_TIMED = {
    label: tuple(f"{time}的{at}" for at, time in product(timeless(_AT[label], listed(lexicon.ZH_TIME_MARKS)), listed(lexicon.ZH_TIMES)))
    for label in lexicon.PLACES
}

_ADJECTIVES = {
    subject: listed(lexicon.ZH_ADJECTIVES)
    + listed(lexicon.ZH_ADJECTIVES_ALIVE if subject in lexicon.ALIVE else lexicon.ZH_ADJECTIVES_THING)
    for subject in SUBJECTS
}
_ACCESSORIES = listed(lexicon.ZH_ACCESSORIES)


def _one(speaker: Speaker) -> str:
    measure = speaker.rng.choice(speaker.noun.measures)
    dice = speaker.rng.random()
    if dice < 0.88:
        return "一" + measure
    if dice < 0.94:
        return ("这" if dice < 0.92 else "那") + measure
    return speaker.rng.choice(("两", "几", "三")) + measure


def _coloured(speaker: Speaker) -> str:
    """The noun with its colour: 红色的小狗, 红气球, 火红的汽车, 穿红色衣服的男孩."""
    colour, noun, rng = speaker.scene.colour, speaker.noun.text, speaker.rng
    plain = rng.choice(_COLOURS[colour])
    dice = rng.random()
    if speaker.scene.subject == "person":
        if dice > 0.65:
            return f"{plain}的{noun}"
        return f"{rng.choice(_CLOTHES).format(lexicon.ZH_COLOURS_SHORT[colour] if dice < 0.15 else plain)}的{noun}"
    if dice > 0.88 and len(noun) <= 2 and noun[0] not in "小大":
        return lexicon.ZH_COLOURS_SHORT[colour] + noun
    if dice > 0.78:
        return f"{rng.choice(_COLOURS_DE[colour])}的{noun}"
    return f"{plain}的{noun}" if dice < 0.55 else plain + noun


def _bare(speaker: Speaker, *, coloured: bool = True) -> str:
    phrase = _coloured(speaker) if coloured and "colour" in speaker.said else speaker.noun.text
    if speaker.chance(0.17):
        phrase = speaker.rng.choice(_ADJECTIVES[speaker.scene.subject]) + phrase
    if speaker.scene.subject in lexicon.ACCESSORISED and speaker.chance(0.07):
        phrase = speaker.rng.choice(_ACCESSORIES) + phrase
    return phrase


def _np(speaker: Speaker, *, coloured: bool = True) -> str:
    phrase = _bare(speaker, coloured=coloured)
    return phrase if speaker.chance(0.15) else _one(speaker) + phrase


def _plain_np(speaker: Speaker) -> str:
    return _np(speaker, coloured=False)


def _colour(speaker: Speaker) -> str:
    return speaker.rng.choice(_COLOURS[speaker.scene.colour])


def _verb(speaker: Speaker) -> str:
    verb = speaker.rng.choice(speaker.rng.choice(_VERBS[speaker.scene.subject, speaker.scene.motion]))
    if verb[0] in _SELF_PACED or not speaker.chance(0.2):
        return verb
    return speaker.rng.choice(_ADVERBS) + verb


def _finite(speaker: Speaker) -> str:
    return speaker.rng.choice(_DONE[speaker.scene.motion]) if speaker.chance(0.2) else _verb(speaker)


def _idle(speaker: Speaker) -> str:
    return speaker.rng.choice(_IDLE[speaker.scene.subject])


def _at(speaker: Speaker) -> str:
    scene = speaker.scene.scene
    pool = _TIMED if scene in _TIMED and speaker.chance(0.12) else _AT
    return speaker.rng.choice(pool[scene])


def _in(speaker: Speaker) -> str:
    if speaker.scene.motion in lexicon.ZH_TOWARDS and "motion" in speaker.said and speaker.chance(0.3):
        return speaker.rng.choice(_ALONG[speaker.scene.scene])
    return "在" + _at(speaker)


def _keyword(speaker: Speaker) -> str:
    return speaker.rng.choice(_KW[speaker.scene.scene])


def _says(speaker: Speaker) -> str:
    return speaker.rng.choice(_SAYS[speaker.scene.scene])


SLOTS: dict[str, Slot] = {
    "np": _np, "nb": _bare, "n0": _plain_np, "head": head, "col": _colour, "one": _one,
    "v": _verb, "f": _finite, "idle": _idle, "at": _at, "in": _in, "kw": _keyword, "says": _says,
}  # fmt: skip
