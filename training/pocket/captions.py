"""Sentences that mean a scene, in English and in Chinese.

`caption` says a given scene; `random_captioned_scene` invents one together with its sentence. A label goes unsaid only where
silence already means it: the noun implies it, or the world's natural answer for the subject is right. Grammar stands in english.py and
chinese.py, words in lexicon.py; this module knows no pixels (renderer.py), nor how the sentences are read (tokenizer).

A sentence is a template of one of three kinds (a phrase, a clause or a list of keywords), perhaps inside a frame ("a video of
{}"), perhaps with its capitals and punctuation treated as carelessly as people do. Templates and frames marked held out are
never used unless asked for, and no hand-written evaluation prompt is ever returned as a training caption.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from string import capwords
from typing import NamedTuple

from training.pocket import chinese, english, lexicon
from training.pocket.speaker import NOUN_POOLS, NOUNS, Noun, Slot, Speaker, listed
from training.pocket.templates import FRAMES, TEMPLATES
from training.pocket.world import LABELS, NATURAL_COLOUR, NATURAL_MOTION, NATURAL_SCENE, SUBJECTS, Scene

HANDWRITTEN_PATH = Path(__file__).with_name("handwritten_prompts.jsonl")
HELD_OUT_PATH = Path(__file__).with_name("held_out_prompts.jsonl")
HELD_OUT_LINES = 480
HELD_OUT_SEED = 20_240_607

SILENCE = 0.25
"""How often `random_captioned_scene` leaves a label to silence."""
RETICENCE = 0.4
"""How often `caption` leaves unsaid what silence would mean anyway."""

SLOTS = {"en": english.SLOTS, "zh": chinese.SLOTS}
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
_STYLES = {"en": listed(lexicon.EN_STYLES), "zh": listed(lexicon.ZH_STYLES)}
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


def _sentence(speaker: Speaker, language: str, held_out: bool) -> str:
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


def _compose(speaker: Speaker, language: str, *, held_out: bool) -> Captioned:
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
    noun = _agreeing(rng.choice(NOUN_POOLS[language][scene.subject]), scene, language)
    said = frozenset(
        label for label, silent in _silence(noun, scene.subject) if getattr(scene, label) != silent or rng.random() >= RETICENCE
    )
    return _compose(Speaker(scene, noun, said, rng), language, held_out=held_out)


def caption(scene: Scene, rng: random.Random, language: str, held_out: bool = False) -> str:
    """A random sentence that means the scene; with `held_out`, in wording that training never shows."""
    return captioned(scene, rng, language, held_out=held_out).text


def random_captioned(rng: random.Random, language: str, *, held_out: bool = False) -> Captioned:
    """A random scene with its sentence: labels even, but often enough the natural one, left unsaid."""
    subject = rng.choice(SUBJECTS)
    noun = rng.choice(NOUN_POOLS[language][subject])
    values, said = {}, set()
    for label, silent in _silence(noun, subject):
        quiet = rng.random() < SILENCE
        values[label] = silent if quiet else rng.choice(LABELS[label])
        if not quiet and (values[label] != silent or rng.random() >= RETICENCE):
            said.add(label)
    scene = Scene(subject=subject, seed=rng.getrandbits(32), **values)
    speaker = Speaker(scene, _agreeing(noun, scene, language), frozenset(said), rng)
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
