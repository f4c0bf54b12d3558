"""Fields to a `VideoRequest` and what the service needs besides: names of many dialects, numbers from text, seconds to frames.

Nothing is lost in silence: a field that is not acted on is refused, or named in `warnings`. Knows the model's card, nothing of
load, tenants or jobs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cinelet.errors import InvalidValueError, ModelNotFoundError, NotFoundError, UnknownFieldError, show
from cinelet.gateway.body import Body
from cinelet.gateway.field_name import label
from cinelet.gateway.form import Upload
from cinelet.gateway.frame_size import settle_size, size_field
from cinelet.gateway.given import Given
from cinelet.gateway.loras import read_loras
from cinelet.gateway.request_schema import FIELDS, MAX_DEADLINE_S, MAX_METADATA_KEYS, MAX_PROMPT_CHARS, MAX_URL_CHARS, MAX_USER_CHARS
from cinelet.gateway.rewriter import Rewriting
from cinelet.gateway.vocabulary import ALIASES, FOREIGN_MODELS, NO_EFFECT, PRESETS, QUALITIES, REFUSED, SERVICE_OWNED
from cinelet.jobs.job import TIERS, Tier
from cinelet.models import ModelCard, plan
from cinelet.video import MAX_FPS, SAMPLERS, STEP_CACHES, VAE_TIERS, Preset, VideoRequest, check_integer

MAX_METADATA_KEY_CHARS, MAX_METADATA_VALUE_CHARS = 64, 512
"""The bounds of metadata in OpenAI's other APIs."""
MAX_WARNINGS = 20
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What may be looked up as a model's name. A path never is."""
KNOWN = FIELDS.keys() | NO_EFFECT.keys() | REFUSED.keys() | SERVICE_OWNED

FindCard = Callable[[str | None], ModelCard]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What a client asked for. `seconds` is the length as it was asked for, if it was; `request.num_frames` is settled from it.

    `deadline_s` counts from acceptance. `tier` and `callback_url` are only well-formed: whether they are allowed is checked elsewhere.
    `rewriting` is what became of the prompt, where `rewrite_prompt` asked for it.
    """

    request: VideoRequest
    num_outputs: int = 1
    seconds: float | None = None
    callback_url: str | None = None
    deadline_s: float | None = None
    allow_degrade: bool = False
    draft_first: bool = False
    rewrite_prompt: bool = False
    rewriting: Rewriting | None = None
    tier: Tier | None = None
    user: str | None = None
    metadata: dict[str, str | int | float | bool] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    input_reference: Upload | dict[str, Any] | None = None


def parse_fields(body: Body, card_of: FindCard, *, is_strict: bool = False, route_fields: Collection[str] = ()) -> Parsed:
    """What `body` asks for, checked against the card of its model.

    `card_of` gives the card of a name that this service offers (never of a path), of None the default's; it raises
    `NotFoundError`. `route_fields` are names that a route reads by itself, such as `video` of an edit. `is_strict` refuses fields
    that nobody knows. Raises `InvalidValueError` and its kinds, and `ModelNotFoundError`.
    """
    given = Given({**body.fields, **body.files}, ALIASES)
    warnings: list[str] = []
    _check_names(given, route_fields, is_strict, warnings)
    card = _card(given, card_of, warnings)
    _check_num_outputs(given)
    reference = _reference(given, card)
    with _in_their_words(given):
        request = _request(given, card, warnings)
        plan(request, card, seed=0)  # a request that cannot be planned is refused here, where the client's words are known
    return Parsed(
        request=request,
        seconds=given.number("seconds"),
        callback_url=_callback_url(given),
        deadline_s=_deadline(given),
        allow_degrade=_may_degrade(given),
        draft_first=_draft_first(given, card, warnings),
        rewrite_prompt=given.flag("rewrite_prompt"),
        tier=given.choice("tier", {name: name for name in TIERS}),
        user=given.text("user", MAX_USER_CHARS),
        metadata=_metadata(given),
        warnings=warnings,
        input_reference=reference,
    )


def _check_names(given: Given, route_fields: Collection[str], is_strict: bool, warnings: list[str]) -> None:
    """Refuse what must not be lost, warn of what has no effect."""
    names = [name for name in given.names() if name not in route_fields]
    for name in names:
        if name in SERVICE_OWNED:
            raise given.refuse(name, "is set by the service, not by a request")
        if name in REFUSED and not given.is_off(name):
            raise given.refuse(name, REFUSED[name])
        if name in NO_EFFECT and not given.is_off(name):
            warnings.append(f"{name}: has no effect; {NO_EFFECT[name]}")
    unknown = [name for name in names if name not in KNOWN]
    if unknown and is_strict:
        raise UnknownFieldError(label(unknown[0]), given.find(unknown[0]), "is not a field of this request")
    warnings += [f"{label(name)}: is unknown and was ignored" for name in unknown[:MAX_WARNINGS]]
    if len(unknown) > MAX_WARNINGS:
        warnings.append(f"{len(unknown) - MAX_WARNINGS:,} more unknown fields were ignored")


def _card(given: Given, card_of: FindCard, warnings: list[str]) -> ModelCard:
    default = card_of(None)
    name = given.text("model", max_chars=256)
    is_source = "/" in default.source and name == default.source  # a repository's name, as load tools send it
    if name is None or name in {"", default.name} or is_source:
        return default
    if name.startswith(FOREIGN_MODELS):
        warnings.append(f"model: {show(name)} is not made here; {default.name} is used")
        return default
    unknown = ModelNotFoundError(f"model: {show(name)} is not served here; GET /v1/models lists what is")
    if not MODEL_NAME.fullmatch(name):
        raise unknown
    try:
        return card_of(name)
    except NotFoundError as error:
        raise unknown from error


def _check_num_outputs(given: Given) -> None:
    if given.integer("n") not in {None, 1}:
        raise given.refuse("n", "one request makes 1 clip; send it again with another seed for more")


def _reference(given: Given, card: ModelCard) -> Upload | dict[str, Any] | None:
    """A start image: a file, or an object with `image_url`; a bare text is taken for that url."""
    value = given.find("input_reference")
    if isinstance(value, str):
        value = {"image_url": value}
    if isinstance(value, dict):
        value = {key: entry for key, entry in value.items() if entry is not None and entry != ""}
    if not value:
        return None
    if not isinstance(value, (Upload, dict)):
        raise given.refuse("input_reference", "must be one file, or an object with image_url")
    if not card.takes_image:
        raise given.refuse("input_reference", f"{card.name} takes no start image")
    return value


def _request(given: Given, card: ModelCard, warnings: list[str]) -> VideoRequest:
    width, height = settle_size(given, card, warnings)
    fps = given.integer("fps")
    strength = given.number("variation_strength")
    prompt = _prompt(given, "prompt")
    if prompt is None:
        raise InvalidValueError("prompt", None, "must be given: what the clip shows, in words")
    return VideoRequest(
        prompt=prompt,
        negative_prompt=_prompt(given, "negative_prompt"),
        model=None if given.find("model") is None else card.name,
        preset=_preset(given),
        width=width,
        height=height,
        num_frames=_num_frames(given, card, fps, warnings),
        fps=fps,
        num_inference_steps=given.integer("num_inference_steps"),
        guidance_scale=given.number("guidance_scale"),
        guidance_scale_2=given.number("guidance_scale_2"),
        sampler=given.choice("sampler", {name: name for name in SAMPLERS}),
        flow_shift=given.number("flow_shift"),
        seed=_seed(given),
        variation_seed=given.integer("variation_seed"),
        variation_strength=0.0 if strength is None else strength,
        loras=read_loras(given),
        vae=given.choice("vae", {name: name for name in VAE_TIERS}),
        step_cache=given.choice("step_cache", {name: name for name in STEP_CACHES}),
    )


def _prompt(given: Given, name: str) -> str | None:
    """Text in Unicode's composed form, so that what looks the same is the same to the encoder and to caches."""
    value = given.text(name, MAX_PROMPT_CHARS)
    if value is None:
        return None
    composed = unicodedata.normalize("NFC", value)
    if len(composed) > MAX_PROMPT_CHARS:
        raise given.refuse(name, f"must have at most {MAX_PROMPT_CHARS:,} characters in Unicode's composed form")
    return composed


def _preset(given: Given) -> Preset:
    named = given.choice("preset", PRESETS), given.choice("quality", QUALITIES)
    return next((preset for preset in named if preset is not None), "standard")


def _num_frames(given: Given, card: ModelCard, fps: int | None, warnings: list[str]) -> int | None:
    """The count of frames, from seconds where no count was given. Seconds ask for a length, so the rounding is to the nearest frame."""
    num_frames, seconds = given.integer("num_frames"), given.number("seconds")
    if seconds is None:
        return num_frames
    check_integer("fps", fps, 1, MAX_FPS)
    fps = card.fps if fps is None else fps
    counted = seconds * fps
    if num_frames is not None:
        if abs(counted - num_frames) > 1:
            warnings.append(f"{given.written('seconds')}: has no effect beside num_frames")
        return num_frames
    if not 0.5 < counted < card.max_frames + 0.5:
        longest = f"{card.max_frames / fps:.3g}"
        raise given.refuse("seconds", f"{card.name} makes clips of 1 frame to {longest} seconds at {fps} frames a second")
    return round(counted)


def _may_degrade(given: Given) -> bool:
    """The client's permission; whoever asks for a lossless clip does not give it."""
    is_asked = given.flag("allow_degrade")
    if is_asked and given.text("quality", max_chars=32) == "lossless":
        raise given.refuse("allow_degrade", "quality lossless asks for every step; leave one of the two out")
    return is_asked


def _draft_first(given: Given, card: ModelCard, warnings: list[str]) -> bool:
    """A distilled model has no fewer steps to make a draft with."""
    is_asked = given.flag("draft_first")
    if is_asked and card.timesteps:
        warnings.append(f"draft_first: has no effect; {card.name} takes {len(card.timesteps)} steps only")
    return is_asked and not card.timesteps


def _seed(given: Given) -> int | None:
    """The seed; -1 asks for a drawn one, as in most dialects. A list of one stands for its seed, as SGLang sends it."""
    value = given.find("seed")
    if isinstance(value, list):
        if len(value) != 1:
            raise given.refuse("seed", "one request makes 1 clip and takes one seed")
        given = Given({"seed": value[0]}, {})
    seed = given.integer("seed")
    return None if seed == -1 else seed


@contextmanager
def _in_their_words(given: Given) -> Iterator[None]:
    """Name a refused field as the client did: `steps`, not `num_inference_steps`; `size`, not `width`."""
    try:
        yield
    except InvalidValueError as error:
        is_side = given.find(error.field) is None and error.field in {"width", "height"}
        name = size_field(given) if is_side else error.field
        if type(error) is not InvalidValueError or name is None or given.written(name) == error.field:
            raise
        raise given.refuse(name, error.limit) from error


def _callback_url(given: Given) -> str | None:
    url = given.text("callback_url", MAX_URL_CHARS)
    if url is None or url == "":
        return None
    if not url.startswith(("https://", "http://")) or not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise given.refuse("callback_url", "must be an http or https address without spaces, in ASCII")
    return url


def _deadline(given: Given) -> float | None:
    deadline_s = given.number("deadline_s")
    if deadline_s is not None and not 0 < deadline_s <= MAX_DEADLINE_S:
        raise given.refuse("deadline_s", f"must be more than 0 and at most {MAX_DEADLINE_S:,.0f} seconds from now")
    return deadline_s


def _metadata(given: Given) -> dict[str, str | int | float | bool]:
    """The client's own notes, given back as they came."""
    value = given.find("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_METADATA_KEYS:
        raise given.refuse("metadata", f"must be an object of at most {MAX_METADATA_KEYS} entries")
    for key, entry in value.items():
        if len(key) > MAX_METADATA_KEY_CHARS:
            raise given.refuse("metadata", f"its keys have at most {MAX_METADATA_KEY_CHARS} characters")
        if not isinstance(entry, (str, int, float, bool)) or len(str(entry)) > MAX_METADATA_VALUE_CHARS:
            raise InvalidValueError(
                f"metadata.{label(key)}", entry, f"must be text or a number of at most {MAX_METADATA_VALUE_CHARS} characters"
            )
    return dict(value)
