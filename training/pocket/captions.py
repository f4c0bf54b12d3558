"""Sentences that mean a scene, in English and in Chinese.

`caption` says a given scene; `random_captioned_scene` invents one together with its sentence. A label goes unsaid only where
silence already means it: the noun implies it, or the world's natural answer for the subject is right. The module knows grammar
and templates; it does not know the words (lexicon.py), the pixels (renderer.py), or how the sentences are read (tokenizer).

A sentence is a template of one of three kinds (a phrase, a clause or a list of keywords), perhaps inside a frame ("a video of
{}"), perhaps with its capitals and punctuation treated as carelessly as people do. Templates and frames marked held out are
never used unless asked for, and no hand-written evaluation prompt is ever returned as a training caption.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import capwords
from typing import NamedTuple

from training.pocket import lexicon
from training.pocket.world import LABELS, NATURAL_COLOUR, NATURAL_MOTION, NATURAL_SCENE, SUBJECTS, Scene

HANDWRITTEN_PATH = Path(__file__).with_name("handwritten_prompts.jsonl")
HELD_OUT_PATH = Path(__file__).with_name("held_out_prompts.jsonl")
HELD_OUT_LINES = 480
HELD_OUT_SEED = 20_240_607

SILENCE = 0.25
"""How often `random_captioned_scene` leaves a label to silence."""
RETICENCE = 0.4
"""How often `caption` leaves unsaid what silence would mean anyway."""

Words = tuple[str, ...]


def _words(text: str, separator: str = ",") -> Words:
    return tuple(word.strip() for word in text.split(separator) if word.strip())


def _favouring_first(words: Words, share: float = 0.3) -> Words:
    """The words, the first repeated until it holds about `share` of the pool."""
    return words + words[:1] * int(share * len(words) / (1 - share))


# ------------------------------------------------------------------------------------------------------------- templates
#
# Slots. np: the subject with its determiner and colour; natt: the same with a participle in front; nb: without determiner;
# n0 and head: np and nb without colour; col: the colour. ing, fin, base: the motion; idle, idles: a verb that says nothing.
# at: the scene; lead: the scene as an opening; kw: the scene as a keyword; says: the scene as a clause.
# Chinese has v (a motion that bears 正在 and 的), f (any motion, ending the sentence), in (the scene with 在 or 沿着) and one (a
# numeral with its measure word).

Templates = dict[str, Words]

EN_TRAINING: Templates = {
    "phrase": (
        "{np} {ing} {at}", "{np} {ing} {at}", "{np} {ing} {at}", "{np} {ing} {at}", "{np} {at} {ing}", "{np} {ing}, {at}",
        "{np} that is {ing} {at}", "{np} that {fin} {at}", "{natt} {at}", "{natt} {at}", "{np} {at}, {ing}", "{lead}, {np} {ing}",
        "{np} that can {base} {at}", "{np} {ing} while {says}", "{n0} {ing} {at}, all in {col}", "{nb} {ing} {at}",
        "{np} {ing}", "{np} {ing}", "{np} {ing}", "{np} that is {ing}", "{np} that {fin}", "{natt}", "{nb} {ing}",
        "{np} {at}", "{np} {at}", "{np} {at}", "{np} {idle} {at}", "{np}, {at}", "{nb} {at}", "{np}; {says}",
        "{np}", "{np}", "{np} {idle}", "{nb}",
    ),
    "clause": (
        "{np} {fin} {at}", "{np} {fin} {at}", "{np} {fin} {at}", "{np} is {ing} {at}", "{np} is {ing} {at}", "{np} is {ing} {at}",
        "{lead}, {np} {fin}", "{lead}, {np} is {ing}", "{lead} {np} is {ing}", "{says} as {np} {fin}", "{says} and {np} is {ing}",
        "{np} {fin} while {says}", "{np} keeps {ing} {at}", "{np} starts to {base} {at}", "{np} begins {ing} {at}",
        "there is {np} {ing} {at}", "{lead}, there is {np} {ing}", "{np} can be seen {ing} {at}",
        "{n0} is {ing} {at} and the colour is {col}", "{np} was {ing} {at}", "{np} will {base} {at}",
        "{np} {fin}", "{np} {fin}", "{np} is {ing}", "{np} is {ing}", "{np} keeps {ing}", "{np} starts to {base}", "there is {np} {ing}",
        "the {head} is {col} and is {ing}", "{np} was {ing}",
        "{np} is there {at}", "{np} can be seen {at}", "there is {np} {at}", "{lead} there is {np}", "{lead}, there is {np}",
        "{np} is {idle} {at}", "{np} {idles} {at}", "the {head} {at} is {col}",
        "there is {np}", "here is {np}", "{np} {idles}", "the {head} is {col}",
    ),
    "keywords": (
        "{nb}, {kw}, {ing}", "{nb}, {ing}, {kw}", "{kw}, {nb}, {ing}", "{nb} {ing}, {kw}", "{head}, {col}, {ing}, {kw}",
        "{kw}: {nb} {ing}", "{ing}, {nb}, {kw}", "{nb} {ing} {kw}", "{kw}, {nb} {ing}",
        "{nb}, {ing}", "{head}, {col}, {ing}", "{ing} {nb}",
        "{nb}, {kw}", "{kw}, {nb}", "{head}, {kw}, {col}", "{nb} {kw}",
        "{nb}", "{head}, {col}", "{col} {head}",
    ),
}  # fmt: skip
EN_FRAMES: Templates = {
    "phrase": (
        "a video of {}", "an animation of {}", "a short clip showing {}", "a video showing {}", "show me {}", "we see {}", "a clip of {}",
        "make a video of {}", "please draw {}", "generate {}", "create an animation of {}", "i want to see {}", "a storybook scene of {}",
        "cartoon of {}", "a cinematic shot of {}", "imagine {}", "an animated clip with {}", "watch {}", "a short animation of {}",
        "can you make a video of {}?", "i would like a video of {}", "a picture book animation showing {}", "draw me {}", "a scene with {}",
        "high quality video of {}", "a movie of {}", "a gif of {}", "film {}", "please show {}", "look at {}", "cute video of {}",
    ),
    "clause": (
        "in this video, {}", "an animation in which {}", "a scene where {}", "a video where {}", "in the video {}", "make a clip where {}",
        "show how {}", "a cartoon in which {}", "once upon a time, {}", "a short film where {}", "please show that {}", "in this scene, {}",
    ),
    "keywords": ("video: {}", "prompt: {}", "animation, {}", "short clip, {}"),
}  # fmt: skip
EN_HELD_OUT: Templates = {
    "phrase": (
        "{np} busy {ing} {at}", "the sight of {np} {ing} {at}", "just {np}, {ing} somewhere {at}", "nothing but {natt} {at}",
        "{np} busy {ing}", "the sight of {np} {ing}", "nothing but {np} {at}", "the sight of {np} {at}", "nothing but {np}",
    ),
    "clause": (
        "{lead} you may spot {np} {ing}", "look how {np} {fin} {at}", "{says}, yet {np} still {fin}", "what you notice {at} is {np} {ing}",
        "look how {np} {fin}", "{lead} you may spot {np}", "someone has placed {np} {at}", "what you notice is {np}",
    ),
    "keywords": (
        "subject: {nb}; action: {ing}; place: {kw}", "who: {nb} / what: {ing} / where: {kw}", "subject: {nb}; action: {ing}",
        "who: {nb} / where: {kw}", "subject: {nb}",
    ),
}  # fmt: skip
EN_FRAMES_HELD_OUT: Templates = {
    "phrase": (
        "footage featuring {}", "picture this: {}", "my daughter asked for {}", "let the screen fill with {}", "a hand-made reel about {}",
        "it would be great to get {}",
    ),
    "clause": ("the opening shot: {}", "tell a story: {}", "believe me, {}"),
    "keywords": ("tags = {}",),
}  # fmt: skip

ZH_TRAINING: Templates = {
    "phrase": (
        "{in}{v}的{nb}", "{in}{v}的{np}", "{one}{in}{v}的{nb}", "{one}{in}{v}的{nb}", "{at}{v}的{nb}", "{one}正在{at}{v}的{nb}",
        "{at}，正在{v}的{nb}", "{at}{one}{v}的{nb}", "{at}的{nb}正在{v}", "{v}的{nb}，{kw}", "{at}，{v}的{np}",
        "{v}的{nb}", "{one}{v}的{nb}", "{one}{v}的{nb}", "{one}正在{v}的{nb}", "正在{v}的{nb}",
        "{at}的{nb}", "{at}的{nb}", "{at}的{np}", "在{at}的{nb}", "{one}在{at}的{nb}", "{one}在{at}{idle}的{nb}",
        "{np}", "{np}", "{nb}", "{one}{idle}的{nb}",
    ),
    "clause": (
        "{np}{in}{f}", "{np}{in}{f}", "{np}{in}{v}", "{np}{in}{v}", "{np}正在{at}{v}", "{np}正在{at}{v}", "{at}，{np}正在{v}",
        "{at}，{np}{f}",
        "在{at}，{np}{f}", "{in}，{np}正在{v}", "{at}的{nb}{f}", "{at}的{nb}正在{v}", "{at}有{np}在{v}", "{at}，有{np}正在{v}",
        "{at}有{one}{v}的{nb}",
        "{says}，{np}正在{v}", "{says}，{np}{f}", "{np}{f}，{says}", "{np}正在{v}，背景是{kw}", "{np}在{at}开始{v}", "{at}{np}在{v}",
        "{n0}{in}{v}，它是{col}的", "{head}是{col}的，正在{at}{v}", "{at}，{one}{nb}在那里{v}", "{np}于{at}{v}", "{np}在{at}，正在{v}",
        "{np}{f}", "{np}{f}", "{np}正在{v}", "{np}正在{v}", "{np}在{v}", "有{np}在{v}", "{head}是{col}的，正在{v}", "{np}开始{v}",
        "{np}在{at}", "{np}在{at}", "{at}有{np}", "{at}有{np}", "{says}，有{np}", "{np}正在{at}{idle}", "在{at}有{np}", "{np}出现在{at}",
        "{head}在{at}，是{col}的",
        "这是{np}", "有{np}", "{np}正在{idle}", "{head}是{col}的",
    ),
    "keywords": (
        "{nb}，{kw}，{v}", "{nb}，{v}，{kw}", "{kw}，{nb}，{v}", "{kw}，{v}的{nb}", "{nb}{v}，{kw}", "{head}，{col}，{v}，{kw}",
        "{nb}、{v}、{kw}", "{nb} {v} {kw}",
        "{kw}，{nb}{v}", "{kw} {nb} {v}", "{v}的{nb}，{kw}背景", "{nb}{kw}{v}",
        "{nb}，{v}", "{nb} {v}", "{head}，{col}，{v}", "{nb}{v}",
        "{nb}，{kw}", "{kw}，{nb}", "{nb} {kw}", "{kw}{nb}", "{head}，{col}，{kw}",
        "{nb}", "{head}，{col}", "{col}{head}",
    ),
}  # fmt: skip
ZH_FRAMES: Templates = {
    "phrase": (
        "一段关于{}的视频", "画面中是{}", "给我看{}", "请画{}", "生成{}", "我想看{}", "一段视频：{}", "视频里有{}", "画一个视频：{}",
        "帮我做{}的动画", "{}的动画",
        "{}的视频", "动画片：{}", "请生成{}的短视频", "来一段{}的视频", "制作{}的动画", "镜头里是{}", "做一个{}的小视频", "绘本里的{}",
        "想看{}的动画片",
    ),
    "clause": (
        "一段{}的视频", "画面中，{}", "视频里，{}", "请生成{}的视频", "我想看{}", "一段动画，{}", "生成一段视频：{}", "给我看{}的动画",
        "镜头中，{}", "请画出{}",
        "帮我生成{}的视频", "短片：{}", "视频内容：{}", "做一段{}的动画", "故事里，{}", "画面：{}",
    ),
    "keywords": ("视频：{}", "关键词：{}", "动画，{}", "短视频，{}"),
}  # fmt: skip
ZH_HELD_OUT: Templates = {
    "phrase": (
        "{nb}在{at}{v}的模样", "身处{at}、{v}的{nb}", "{nb}{v}的模样，就在{at}", "{nb}{v}的模样", "传说中{v}的{nb}", "身处{at}的{nb}",
        "传说中的{nb}",
    ),
    "clause": (
        "只见{np}在{at}{f}", "瞧，{at}有{np}{v}呢", "{says}，只见{np}{f}", "抬眼望去，{np}正在{at}{v}",
        "只见{np}{f}", "瞧，{np}{v}呢", "只见{at}有{np}", "抬眼望去，{at}出现了{np}", "瞧，是{np}",
    ),
    "keywords": ("主角：{nb}；动作：{v}；地点：{kw}", "主角：{nb}；动作：{v}", "主角：{nb}；地点：{kw}", "主角：{nb}"),
}  # fmt: skip
ZH_FRAMES_HELD_OUT: Templates = {
    "phrase": ("孩子说要{}", "麻烦你弄出{}", "拍一部短片，主题为{}"),
    "clause": ("脑海里浮现这样的场景：{}", "大家快来看呀，{}", "老师讲道：{}"),
    "keywords": ("标签＝{}",),
}  # fmt: skip

TEMPLATES: dict[tuple[str, bool], Templates] = {
    ("en", False): EN_TRAINING, ("en", True): EN_HELD_OUT, ("zh", False): ZH_TRAINING, ("zh", True): ZH_HELD_OUT,
}  # fmt: skip
FRAMES: dict[tuple[str, bool], Templates] = {
    ("en", False): EN_FRAMES, ("en", True): EN_FRAMES_HELD_OUT, ("zh", False): ZH_FRAMES, ("zh", True): ZH_FRAMES_HELD_OUT,
}  # fmt: skip


def all_templates(language: str, *, held_out: bool) -> frozenset[str]:
    """Every template and frame of a language on one side of the split."""
    tables = (TEMPLATES[language, held_out], FRAMES[language, held_out])
    return frozenset(text for table in tables for texts in table.values() for text in texts)


# ----------------------------------------------------------------------------------------------------------------- nouns


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
_EN_FIXING = re.compile(rf"\b({'|'.join(_words(lexicon.EN_FIXING))})\b")
_ZH_FIXING = re.compile("|".join(_words(lexicon.ZH_FIXING)))
_NO_PLURAL = frozenset(_words(lexicon.EN_NO_PLURAL))


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
    return Noun(text, plural, match["colour"], match["motion"], _words(measures, "|"), fixed and match["colour"] is not None)


def _nouns(language: str) -> dict[str, tuple[Noun, ...]]:
    table = lexicon.EN_NOUNS if language == "en" else lexicon.ZH_NOUNS
    return {subject: tuple(_parse_noun(entry, language, subject) for entry in _words(entries)) for subject, entries in table.items()}


NOUNS = {language: _nouns(language) for language in lexicon.LANGUAGES}
_NOUN_POOLS = {
    language: {subject: nouns + nouns[:1] * (len(nouns) // 3) for subject, nouns in table.items()} for language, table in NOUNS.items()
}

# ----------------------------------------------------------------------------------------------------------------- verbs

_DOUBLING = frozenset(_words(lexicon.EN_DOUBLING))


class Verb(NamedTuple):
    """An English verb phrase: three forms of its first word, and the rest of it with a leading space."""

    base: str
    ing: str
    third: str
    rest: str
    directed: bool
    """Whether an adverb may stand between the verb and the rest."""


def _participle(verb: str) -> str:
    if verb in _DOUBLING:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "ie", "oe")):
        return verb[:-1] + "ing"
    return verb + ("ling" if verb == "travel" else "ing")


def _third_person(verb: str) -> str:
    if verb in lexicon.EN_IRREGULAR_THIRD:
        return lexicon.EN_IRREGULAR_THIRD[verb]
    if verb.endswith(("s", "x", "z", "sh", "ch", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def _verb(phrase: str, subject: str, *, directed: bool = False) -> Verb:
    first, _, rest = phrase.partition(" ")
    owned = f" {rest}".replace(" its ", " their ") if subject == "person" else f" {rest}"
    return Verb(first, _participle(first), _third_person(first), owned if rest else "", directed)


VerbPools = tuple[tuple[Verb, ...], ...]
FLIERS = ("balloon", "rocket")
"""Subjects whose bare "flying" means rising."""


def _verb_pools(subject: str, motion: str) -> VerbPools:
    """Pools of verbs to draw from evenly, so that a long list does not drown a short one."""
    general = tuple(_verb(phrase, subject) for phrase in _favouring_first(_words(lexicon.EN_MOTIONS[motion])))
    own = tuple(_verb(phrase, subject) for phrase in _words(lexicon.EN_MOTIONS_OF.get((subject, motion), "")))
    if motion not in lexicon.EN_TOWARDS:
        return (general, general, general, own) if own else (general,)
    gaits = _words(lexicon.EN_GAITS[subject])
    towards = _favouring_first(_words(lexicon.EN_TOWARDS[motion]), 0.15)
    directed = tuple(_verb(f"{gait} {where}", subject, directed=True) for gait, where in product(gaits, towards))
    if motion == "left" or subject in FLIERS:
        return (directed, directed, general)
    bare = tuple(_verb(gait, subject) for gait in gaits if gait not in ("go", "head"))
    onwards = tuple(
        _verb(f"{gait} {where}", subject) for gait, where in product(gaits, _words(lexicon.EN_ONWARDS)) if gait != "ride a bike"
    )
    return (directed, directed, bare, bare, onwards, general, *((own,) if own else ()))


_EN_VERBS = {(subject, motion): _verb_pools(subject, motion) for subject, motion in product(SUBJECTS, LABELS["motion"])}
_EN_IDLE = {subject: tuple(_verb(phrase, subject) for phrase in _words(lexicon.EN_IDLE[subject])) for subject in SUBJECTS}


def _attributes(subject: str, motion: str) -> Words:
    words = _words(lexicon.EN_ATTRIBUTES[motion])
    if motion != "right" or subject in FLIERS:
        return words
    return words + tuple(_participle(gait) for gait in _words(lexicon.EN_GAITS[subject]) if " " not in gait and gait not in ("go", "head"))


_EN_ATTRIBUTES = {(subject, motion): _attributes(subject, motion) for subject, motion in product(SUBJECTS, LABELS["motion"])}
_EN_ADVERBS = _words(lexicon.EN_ADVERBS)


def _zh_verb_pools(subject: str, motion: str) -> tuple[Words, ...]:
    general = _favouring_first(_words(lexicon.ZH_MOTIONS[motion]), 0.2)
    own = _words(lexicon.ZH_MOTIONS_OF.get((subject, motion), ""))
    if motion not in lexicon.ZH_TOWARDS:
        return (general, general, general, own) if own else (general,)
    gaits = _words(lexicon.ZH_GAITS[subject])
    alone, bound, away = (frozenset(_words(text)) for text in (lexicon.ZH_GAITS_ALONE, lexicon.ZH_GAITS_BOUND, lexicon.ZH_GAITS_AWAY))
    steps = tuple(gait for gait in gaits if gait not in alone) + tuple(f"{gait}去" for gait in gaits if gait in away)
    directed = tuple(where + step for where, step in product(_words(lexicon.ZH_TOWARDS[motion]), steps))
    if motion == "left" or subject in FLIERS:
        return (directed, directed, general)
    bare = tuple(gait for gait in gaits if gait not in bound)
    onwards = tuple(where + gait for where, gait in product(_words(lexicon.ZH_ONWARDS), gaits) if gait not in alone)
    return (directed, directed, bare, bare, onwards, general, *((own,) if own else ()))


_ZH_VERBS = {(subject, motion): _zh_verb_pools(subject, motion) for subject, motion in product(SUBJECTS, LABELS["motion"])}
_ZH_DONE = {motion: _words(text) for motion, text in lexicon.ZH_MOTIONS_DONE.items()}
_ZH_IDLE = {subject: _words(lexicon.ZH_IDLE.get(subject, "出现")) for subject in SUBJECTS}
_ZH_ADVERBS = _words(lexicon.ZH_ADVERBS)
_ZH_SELF_PACED = frozenset("慢缓徐冉渐逐不一飞快欢原随尽翩蹦活像")

# ---------------------------------------------------------------------------------------------------- colours and scenes

_COLOURS = {colour: _favouring_first(_words(words), 0.5) for colour, words in lexicon.EN_COLOURS.items()}
_COLOUR_TAILS = {subject: _words(tails, "|") for subject, tails in lexicon.EN_COLOUR_TAILS.items()}
_ZH_COLOURS = {colour: _favouring_first(_words(words), 0.5) for colour, words in lexicon.ZH_COLOURS.items()}
_ZH_COLOURS_DE = {colour: _words(words) for colour, words in lexicon.ZH_COLOURS_DE.items()}
_ZH_CLOTHES = _words(lexicon.ZH_COLOUR_CLOTHES)


def _table(words: dict[str, str]) -> dict[str, Words]:
    return {label: _words(text) for label, text in words.items()}


_EN_AT, _EN_THROUGH, _EN_KW, _EN_SAYS = (
    _table(words) for words in (lexicon.EN_SCENE_AT, lexicon.EN_SCENE_THROUGH, lexicon.EN_SCENE_WORDS, lexicon.EN_SCENE_SAYS)
)
_ZH_AT, _ZH_ALONG, _ZH_KW, _ZH_SAYS = (
    _table(words) for words in (lexicon.ZH_SCENE_AT, lexicon.ZH_SCENE_ALONG, lexicon.ZH_SCENE_WORDS, lexicon.ZH_SCENE_SAYS)
)


def _timeless(phrases: Words, marks: Words) -> Words:
    return tuple(phrase for phrase in phrases if not any(mark in phrase for mark in marks))


_EN_TIMED = {
    label: tuple(f"{at} {time}" for at, time in product(_timeless(_EN_AT[label], _words(lexicon.EN_TIME_MARKS)), _words(lexicon.EN_TIMES)))
    for label in lexicon.PLACES
}
_ZH_TIMED = {
    label: tuple(f"{time}的{at}" for at, time in product(_timeless(_ZH_AT[label], _words(lexicon.ZH_TIME_MARKS)), _words(lexicon.ZH_TIMES)))
    for label in lexicon.PLACES
}

# ------------------------------------------------------------------------------------------------------------ the speaker


@dataclass(slots=True)
class _Speaker:
    """One sentence in the making: what is to be said, and the dice."""

    scene: Scene
    noun: Noun
    said: frozenset[str]
    rng: random.Random
    plural: bool = False

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability


_ADJECTIVES = {
    subject: _words(lexicon.EN_ADJECTIVES)
    + _words(lexicon.EN_ADJECTIVES_ALIVE if subject in lexicon.ALIVE else lexicon.EN_ADJECTIVES_THING)
    for subject in SUBJECTS
}
_ACCESSORIES = _words(lexicon.EN_ACCESSORIES)
_DETERMINERS = ("a",) * 15 + ("the",) * 4 + ("my", "this", "one", "our", "that")
_PLURAL_DETERMINERS = ("two", "three", "some", "many", "several", "the", "a few", "a group of", "lots of")
_SPOKEN_AN = ("suv", "hour")
_SPOKEN_A = ("uni", "ufo", "eu", "one", "ultra")


def _article(phrase: str) -> str:
    if phrase.startswith(_SPOKEN_A):
        return "a"
    return "an" if phrase[0] in "aeiou" or phrase.startswith(_SPOKEN_AN) else "a"


def _adjective(speaker: _Speaker) -> str:
    if not speaker.chance(0.2):
        return ""
    adjective = speaker.rng.choice(_ADJECTIVES[speaker.scene.subject])
    return "" if adjective in speaker.noun.text else adjective + " "


def _coloured(speaker: _Speaker, noun: str, front: str) -> str:
    """The noun with its colour in front ("red car") or trailing ("car painted red")."""
    word = speaker.rng.choice(_COLOURS[speaker.scene.colour])
    if speaker.chance(0.65 if speaker.scene.subject == "person" else 0.08):
        return f"{front}{noun} {_tail(speaker, word)}"
    if speaker.chance(0.04) and " " not in word and "-" not in word:
        word += "-coloured"
    return f"{front}{word} {noun}"


def _tail(speaker: _Speaker, word: str) -> str:
    tail = speaker.rng.choice(_COLOUR_TAILS[speaker.scene.subject])
    return (tail.replace("a {}", f"{_article(word)} {{}}") if "a {}" in tail else tail).format(word)


def _en_bare(speaker: _Speaker, *, coloured: bool = True, front: str = "") -> str:
    noun = speaker.noun.plural if speaker.plural else speaker.noun.text
    front = _adjective(speaker) + front
    phrase = _coloured(speaker, noun, front) if coloured and "colour" in speaker.said else front + noun
    if speaker.scene.subject in lexicon.ACCESSORISED and speaker.chance(0.06):
        return f"{phrase} {speaker.rng.choice(_ACCESSORIES)}"
    return phrase


def _determined(speaker: _Speaker, phrase: str) -> str:
    if speaker.plural:
        return f"{speaker.rng.choice(_PLURAL_DETERMINERS)} {phrase}" if speaker.chance(0.6) else phrase
    if phrase == "person" and speaker.chance(0.4):
        return speaker.rng.choice(lexicon.EN_SOMEONE)
    determiner = speaker.rng.choice(_DETERMINERS)
    return f"{_article(phrase) if determiner == 'a' else determiner} {phrase}"


def _en_np(speaker: _Speaker) -> str:
    return _determined(speaker, _en_bare(speaker))


def _en_plain_np(speaker: _Speaker) -> str:
    return _determined(speaker, _en_bare(speaker, coloured=False))


def _en_attributed(speaker: _Speaker) -> str:
    attribute = speaker.rng.choice(_EN_ATTRIBUTES[speaker.scene.subject, speaker.scene.motion])
    return _determined(speaker, _en_bare(speaker, front=attribute + " "))


def _en_head(speaker: _Speaker) -> str:
    return speaker.noun.text


def _en_colour(speaker: _Speaker) -> str:
    return speaker.rng.choice(_COLOURS[speaker.scene.colour])


def _en_verb(speaker: _Speaker) -> Verb:
    return speaker.rng.choice(speaker.rng.choice(_EN_VERBS[speaker.scene.subject, speaker.scene.motion]))


def _with_adverb(speaker: _Speaker, first: str, verb: Verb) -> str:
    if not speaker.chance(0.2):
        return first + verb.rest
    adverb = speaker.rng.choice(_EN_ADVERBS)
    if verb.directed and speaker.chance(0.5):
        return f"{first} {adverb}{verb.rest}"
    return f"{adverb} {first}{verb.rest}" if speaker.chance(0.5) else f"{first}{verb.rest} {adverb}"


def _en_participle(speaker: _Speaker) -> str:
    verb = _en_verb(speaker)
    return _with_adverb(speaker, verb.ing, verb)


def _en_finite(speaker: _Speaker) -> str:
    verb = _en_verb(speaker)
    return _with_adverb(speaker, verb.third, verb)


def _en_infinitive(speaker: _Speaker) -> str:
    verb = _en_verb(speaker)
    return verb.base + verb.rest


def _en_idle_participle(speaker: _Speaker) -> str:
    verb = speaker.rng.choice(_EN_IDLE[speaker.scene.subject])
    return verb.ing + verb.rest


def _en_idle_finite(speaker: _Speaker) -> str:
    verb = speaker.rng.choice(_EN_IDLE[speaker.scene.subject])
    return verb.third + verb.rest


def _en_lead(speaker: _Speaker) -> str:
    scene = speaker.scene.scene
    pool = _EN_TIMED if scene in _EN_TIMED and speaker.chance(0.12) else _EN_AT
    return speaker.rng.choice(pool[scene])


def _en_at(speaker: _Speaker) -> str:
    if speaker.scene.motion in lexicon.EN_TOWARDS and "motion" in speaker.said and speaker.chance(0.35):
        return speaker.rng.choice(_EN_THROUGH[speaker.scene.scene])
    return _en_lead(speaker)


def _en_keyword(speaker: _Speaker) -> str:
    return speaker.rng.choice(_EN_KW[speaker.scene.scene])


def _en_says(speaker: _Speaker) -> str:
    return speaker.rng.choice(_EN_SAYS[speaker.scene.scene])


_ZH_ADJECTIVES = {
    subject: _words(lexicon.ZH_ADJECTIVES)
    + _words(lexicon.ZH_ADJECTIVES_ALIVE if subject in lexicon.ALIVE else lexicon.ZH_ADJECTIVES_THING)
    for subject in SUBJECTS
}
_ZH_ACCESSORIES = _words(lexicon.ZH_ACCESSORIES)


def _zh_one(speaker: _Speaker) -> str:
    measure = speaker.rng.choice(speaker.noun.measures)
    dice = speaker.rng.random()
    if dice < 0.88:
        return "一" + measure
    if dice < 0.94:
        return ("这" if dice < 0.92 else "那") + measure
    return speaker.rng.choice(("两", "几", "三")) + measure


def _zh_coloured(speaker: _Speaker) -> str:
    """The noun with its colour: 红色的小狗, 红气球, 火红的汽车, 穿红色衣服的男孩."""
    colour, noun, rng = speaker.scene.colour, speaker.noun.text, speaker.rng
    plain = rng.choice(_ZH_COLOURS[colour])
    dice = rng.random()
    if speaker.scene.subject == "person":
        if dice > 0.65:
            return f"{plain}的{noun}"
        return f"{rng.choice(_ZH_CLOTHES).format(lexicon.ZH_COLOURS_SHORT[colour] if dice < 0.15 else plain)}的{noun}"
    if dice > 0.88 and len(noun) <= 2 and noun[0] not in "小大":
        return lexicon.ZH_COLOURS_SHORT[colour] + noun
    if dice > 0.78:
        return f"{rng.choice(_ZH_COLOURS_DE[colour])}的{noun}"
    return f"{plain}的{noun}" if dice < 0.55 else plain + noun


def _zh_bare(speaker: _Speaker, *, coloured: bool = True) -> str:
    phrase = _zh_coloured(speaker) if coloured and "colour" in speaker.said else speaker.noun.text
    if speaker.chance(0.17):
        phrase = speaker.rng.choice(_ZH_ADJECTIVES[speaker.scene.subject]) + phrase
    if speaker.scene.subject in lexicon.ACCESSORISED and speaker.chance(0.07):
        phrase = speaker.rng.choice(_ZH_ACCESSORIES) + phrase
    return phrase


def _zh_np(speaker: _Speaker, *, coloured: bool = True) -> str:
    phrase = _zh_bare(speaker, coloured=coloured)
    return phrase if speaker.chance(0.15) else _zh_one(speaker) + phrase


def _zh_plain_np(speaker: _Speaker) -> str:
    return _zh_np(speaker, coloured=False)


def _zh_colour(speaker: _Speaker) -> str:
    return speaker.rng.choice(_ZH_COLOURS[speaker.scene.colour])


def _zh_verb(speaker: _Speaker) -> str:
    verb = speaker.rng.choice(speaker.rng.choice(_ZH_VERBS[speaker.scene.subject, speaker.scene.motion]))
    if verb[0] in _ZH_SELF_PACED or not speaker.chance(0.2):
        return verb
    return speaker.rng.choice(_ZH_ADVERBS) + verb


def _zh_finite(speaker: _Speaker) -> str:
    return speaker.rng.choice(_ZH_DONE[speaker.scene.motion]) if speaker.chance(0.2) else _zh_verb(speaker)


def _zh_idle(speaker: _Speaker) -> str:
    return speaker.rng.choice(_ZH_IDLE[speaker.scene.subject])


def _zh_at(speaker: _Speaker) -> str:
    scene = speaker.scene.scene
    pool = _ZH_TIMED if scene in _ZH_TIMED and speaker.chance(0.12) else _ZH_AT
    return speaker.rng.choice(pool[scene])


def _zh_in(speaker: _Speaker) -> str:
    if speaker.scene.motion in lexicon.ZH_TOWARDS and "motion" in speaker.said and speaker.chance(0.3):
        return speaker.rng.choice(_ZH_ALONG[speaker.scene.scene])
    return "在" + _zh_at(speaker)


def _zh_keyword(speaker: _Speaker) -> str:
    return speaker.rng.choice(_ZH_KW[speaker.scene.scene])


def _zh_says(speaker: _Speaker) -> str:
    return speaker.rng.choice(_ZH_SAYS[speaker.scene.scene])


Slot = Callable[[_Speaker], str]
SLOTS: dict[str, dict[str, Slot]] = {
    "en": {
        "np": _en_np, "nb": _en_bare, "n0": _en_plain_np, "natt": _en_attributed, "head": _en_head, "col": _en_colour,
        "ing": _en_participle, "fin": _en_finite, "base": _en_infinitive, "idle": _en_idle_participle, "idles": _en_idle_finite,
        "at": _en_at, "lead": _en_lead, "kw": _en_keyword, "says": _en_says,
    },
    "zh": {
        "np": _zh_np, "nb": _zh_bare, "n0": _zh_plain_np, "head": _en_head, "col": _zh_colour, "one": _zh_one,
        "v": _zh_verb, "f": _zh_finite, "idle": _zh_idle, "at": _zh_at, "in": _zh_in, "kw": _zh_keyword, "says": _zh_says,
    },
}  # fmt: skip
MOTION_SLOTS = frozenset(("natt", "ing", "fin", "base", "v", "f"))
SCENE_SLOTS = frozenset(("at", "in", "lead", "kw", "says"))

# ------------------------------------------------------------------------------------------------------------ the printer


@dataclass(frozen=True, slots=True)
class _Template:
    kind: str
    parts: tuple[str | Slot, ...]
    needs: frozenset[str]
    plural: bool
    """Whether the sentence stays grammatical with a plural subject."""
    framable: bool


_SINGULAR = re.compile(r"\{(fin|idles|head|n0)\}|\b(is|was|keeps|starts|begins|this)\b")


def _compile(kind: str, text: str, language: str) -> _Template:
    pieces = re.split(r"\{(\w+)\}", text)
    slots = frozenset(pieces[1::2])
    parts = tuple(SLOTS[language][piece] if index % 2 else piece for index, piece in enumerate(pieces) if piece)
    needs = {
        name for name, found in (("motion", slots & MOTION_SLOTS), ("scene", slots & SCENE_SLOTS), ("colour", slots & {"col"})) if found
    }
    return _Template(
        kind, parts, frozenset(needs), language == "en" and not _SINGULAR.search(text), not (kind == "phrase" and text.startswith("{lead}"))
    )


Pool = tuple[tuple[_Template, ...], ...]
_KIND_SHARES = {"phrase": 8, "clause": 8, "keywords": 3}


def _pool(language: str, held_out: bool, stated: frozenset[str]) -> Pool:
    """The templates that say exactly what is to be said, by kind, a kind standing as often as its share."""
    pool: list[tuple[_Template, ...]] = []
    for kind, texts in TEMPLATES[language, held_out].items():
        compiled = (_compile(kind, text, language) for text in texts)
        fitting = tuple(one for one in compiled if one.needs in (stated, stated - {"colour"}))
        pool += [fitting] * (_KIND_SHARES[kind] if fitting else 0)
    return tuple(pool)


_STATEMENTS = tuple(
    frozenset(label for label, said in zip(("colour", "motion", "scene"), bits, strict=True) if said)
    for bits in product((False, True), repeat=3)
)
_POOLS = {
    (language, held_out, stated): _pool(language, held_out, stated)
    for language, held_out, stated in product(lexicon.LANGUAGES, (False, True), _STATEMENTS)
}
_STYLES = {"en": _words(lexicon.EN_STYLES), "zh": _words(lexicon.ZH_STYLES)}
_ARTICLES = re.compile(r"\b(?:a|an|the|A|An|The) ")
_SINGULAR_FRAMES = re.compile(r"\b(is|this)\b")


def _decorated(text: str, language: str, rng: random.Random) -> str:
    """The sentence with a word or two of style around it, now and then."""
    if rng.random() > 0.08:
        return text
    style = rng.choice(_STYLES[language])
    if language == "zh":
        return f"{text}，{style}" if rng.random() < 0.7 else f"{style}，{text}"
    if rng.random() < 0.3:
        return f"{style}, {text}"
    return f"{text}, {style}" if rng.random() < 0.6 else f"{text}, {style}, {rng.choice(_STYLES[language])}"


def _written_en(text: str, rng: random.Random) -> str:
    """Capitals, articles and the full stop as people really type them."""
    dice = rng.random()
    if dice < 0.06:
        text = _ARTICLES.sub("", text)
    if dice < 0.25:
        return text
    if dice > 0.98:
        return text.upper()
    if dice > 0.95:
        return capwords(text)
    text = text[0].upper() + text[1:]
    if dice > 0.6 and text[-1].isalnum():
        return text + ("!" if dice > 0.93 else ".")
    return text


def _written_zh(text: str, rng: random.Random) -> str:
    dice = rng.random()
    if dice < 0.05:
        return text.replace("，", " ")
    if dice < 0.1:
        return text.replace("，", ",")
    if dice > 0.55 and text[-1] not in "？！":
        return text + ("！" if dice > 0.96 else "。")
    return text


class Captioned(NamedTuple):
    """A sentence, its scene, and the labels that the sentence decides rather than leaves to the world's natural answer."""

    text: str
    scene: Scene
    stated: frozenset[str]


def _sentence(speaker: _Speaker, language: str, held_out: bool) -> str:
    rng = speaker.rng
    template = rng.choice(rng.choice(_POOLS[language, held_out, speaker.said]))
    frame = rng.choice(FRAMES[language, held_out][template.kind]) if template.framable and rng.random() < 0.35 else "{}"
    speaker.plural = template.plural and bool(speaker.noun.plural) and rng.random() < 0.07 and not _SINGULAR_FRAMES.search(frame)
    text = "".join(part if isinstance(part, str) else part(speaker) for part in template.parts)
    framed = frame.replace("{}", text).replace("的的", "的")
    text = framed if framed.endswith("?") else _decorated(framed, language, rng)
    return _written_en(text, rng) if language == "en" else _written_zh(text, rng)


def _fingerprint(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _read_prompts(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


_HANDWRITTEN = frozenset(_fingerprint(prompt["prompt"]) for prompt in _read_prompts(HANDWRITTEN_PATH))


def _compose(speaker: _Speaker, language: str, *, held_out: bool) -> Captioned:
    """A sentence that says what the speaker is to say, with a noun that may imply more."""
    text = _sentence(speaker, language, held_out)
    while not held_out and _fingerprint(text) in _HANDWRITTEN:
        text = _sentence(speaker, language, held_out)
    implied = {label for label, value in (("colour", speaker.noun.colour), ("motion", speaker.noun.motion)) if value}
    return Captioned(text, speaker.scene, speaker.said | implied | {"subject"})


def _silence(noun: Noun, subject: str) -> tuple[tuple[str, str], ...]:
    """What each label means when this noun is all that is said."""
    return (
        ("colour", noun.colour or NATURAL_COLOUR[subject]),
        ("motion", noun.motion or NATURAL_MOTION[subject]),
        ("scene", NATURAL_SCENE[subject]),
    )


def _agreeing(noun: Noun, scene: Scene, language: str) -> Noun:
    """The noun, or the subject's plain name where the noun would clash with the scene's colour."""
    return NOUNS[language][scene.subject][0] if noun.fixed and noun.colour != scene.colour else noun


def captioned(scene: Scene, rng: random.Random, language: str, *, held_out: bool = False) -> Captioned:
    """A random sentence for the scene, with the labels it decides."""
    noun = _agreeing(rng.choice(_NOUN_POOLS[language][scene.subject]), scene, language)
    said = frozenset(
        label for label, silent in _silence(noun, scene.subject) if getattr(scene, label) != silent or rng.random() >= RETICENCE
    )
    return _compose(_Speaker(scene, noun, said, rng), language, held_out=held_out)


def caption(scene: Scene, rng: random.Random, language: str, held_out: bool = False) -> str:
    """A random sentence that means the scene; with `held_out`, in wording that training never shows."""
    return captioned(scene, rng, language, held_out=held_out).text


def random_captioned(rng: random.Random, language: str, *, held_out: bool = False) -> Captioned:
    """A random scene with its sentence: labels even, but often enough the natural one, left unsaid."""
    subject = rng.choice(SUBJECTS)
    noun = rng.choice(_NOUN_POOLS[language][subject])
    values, said = {}, set()
    for label, silent in _silence(noun, subject):
        quiet = rng.random() < SILENCE
        values[label] = silent if quiet else rng.choice(LABELS[label])
        if not quiet and (values[label] != silent or rng.random() >= RETICENCE):
            said.add(label)
    scene = Scene(subject=subject, seed=rng.getrandbits(32), **values)
    speaker = _Speaker(scene, _agreeing(noun, scene, language), frozenset(said), rng)
    return _compose(speaker, language, held_out=held_out)


def random_captioned_scene(rng: random.Random, language: str) -> tuple[str, Scene]:
    """A training pair: a sentence, and a random scene that it means."""
    text, scene, _ = random_captioned(rng, language)
    return text, scene


# ------------------------------------------------------------------------------------------------------- held-out prompts


def _as_prompt(made: Captioned, language: str) -> dict[str, str]:
    labels = {label: getattr(made.scene, label) for label in LABELS if label in made.stated}
    return {"prompt": made.text, **labels, "language": language}


def write_held_out_prompts(path: Path = HELD_OUT_PATH) -> int:
    """Write the evaluation prompts, one JSON object a line, and return how many: first every hand-written one, then generated
    ones in held-out wording from a fixed seed until each language has half. A label the sentence leaves open has no key."""
    prompts = _read_prompts(HANDWRITTEN_PATH)
    rng = random.Random(HELD_OUT_SEED)
    for language in lexicon.LANGUAGES:
        missing = HELD_OUT_LINES // 2 - sum(prompt["language"] == language for prompt in prompts)
        prompts += [_as_prompt(random_captioned(rng, language, held_out=True), language) for _ in range(missing)]
    path.write_text("".join(json.dumps(prompt, ensure_ascii=False) + "\n" for prompt in prompts), encoding="utf-8")
    return len(prompts)


if __name__ == "__main__":
    print(f"{write_held_out_prompts()} prompts in {HELD_OUT_PATH}")
