"""Every field of a request for a clip, by name: its form for the OpenAPI page and what it means. Nothing is parsed here (`fields.py`)."""

from __future__ import annotations

from typing import Any

from cinelet.video import MAX_FPS, MAX_GUIDANCE, MAX_LORA_SCALE, MAX_LORAS, MAX_SEED, MAX_STEPS, SAMPLERS, STEP_CACHES, VAE_TIERS

MAX_PROMPT_CHARS = 4000
"""At the door; the text encoder reads 512 tokens, which no language writes with more."""
MAX_USER_CHARS = 512
MAX_URL_CHARS = 2048
MAX_METADATA_KEYS = 16
MAX_DEADLINE_S = 7 * 86_400.0
"""Beyond a week a deadline bounds nothing."""

_NUMBER_OR_TEXT: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string"}]}


def _text(meaning: str, **form: Any) -> dict[str, Any]:
    return {"type": "string", **form, "description": meaning}


def _whole(meaning: str, **form: Any) -> dict[str, Any]:
    return {"type": "integer", **form, "description": meaning}


def _number(meaning: str, **form: Any) -> dict[str, Any]:
    return {"type": "number", **form, "description": meaning}


def _flag(meaning: str) -> dict[str, Any]:
    return {"type": "boolean", "description": meaning}


def _one_of(meaning: str, *names: str) -> dict[str, Any]:
    return {"enum": list(names), "description": meaning}


FIELDS: dict[str, dict[str, Any]] = {
    "prompt": _text("What the clip shows, in words.", minLength=1, maxLength=MAX_PROMPT_CHARS),
    "negative_prompt": _text("What it should not show.", maxLength=MAX_PROMPT_CHARS),
    "model": _text("A name that `GET /v1/models` lists; the first one where it is left out.", maxLength=128),
    "preset": _one_of("How many steps: the model's few, usual or many.", "draft", "standard", "final"),
    "quality": _text("A preset by another name (`quality` is `final`); `lossless`, `high`, `default` and `auto` change nothing."),
    "size": _text("Pixels, such as `832x480`.", pattern="^[0-9]+[x*][0-9]+$"),
    "width": _whole("Pixels, in place of `size`.", minimum=1),
    "height": _whole("Pixels, in place of `size`.", minimum=1),
    "resolution": _text("The model's size by name, such as `480p`."),
    "aspect_ratio": _text("Width to height, such as `16:9`, from 1:4 to 4:1."),
    "seconds": {**_NUMBER_OR_TEXT, "description": "Length of the clip; `num_frames` wins over it."},
    "num_frames": _whole("Length of the clip; the model's own where both are left out.", minimum=1),
    "fps": _whole("Frames per second of the file.", minimum=1, maximum=MAX_FPS),
    "num_inference_steps": _whole("Denoising steps; wins over `preset`.", minimum=1, maximum=MAX_STEPS),
    "guidance_scale": _number("Guidance of the expert for high noise, or of the only one.", minimum=0, maximum=MAX_GUIDANCE),
    "guidance_scale_2": _number("Guidance of the expert for low noise.", minimum=0, maximum=MAX_GUIDANCE),
    "flow_shift": _number("How much of the way is spent at high noise.", minimum=0, maximum=MAX_GUIDANCE),
    "sampler": _one_of("The solver of the flow.", *SAMPLERS),
    "seed": _whole("-1 or nothing: one is drawn, and told in the answer.", minimum=-1, maximum=MAX_SEED),
    "variation_seed": _whole("Another seed to turn towards.", minimum=0, maximum=MAX_SEED),
    "variation_strength": _number("0 is the clip of `seed`, 1 that of `variation_seed`.", minimum=0, maximum=1),
    "n": _whole("1: one request makes one clip.", minimum=1, maximum=1),
    "loras": {
        "type": "array",
        "maxItems": MAX_LORAS,
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "scale": {"type": "number", "minimum": -MAX_LORA_SCALE, "maximum": MAX_LORA_SCALE}},
        },
        "description": "Adapters by name, each once; also as names: `night` or `night:0.8`.",
    },
    "lora_strength": _number("The scale of the one adapter that `loras` names.", minimum=-MAX_LORA_SCALE, maximum=MAX_LORA_SCALE),
    "vae": _one_of("The decoder, from the best picture to the quickest.", *VAE_TIERS),
    "step_cache": _one_of("How many steps reuse what earlier ones computed.", *STEP_CACHES),
    "input_reference": {
        "anyOf": [{"type": "object", "properties": {"image_url": {"type": "string"}}}, {"type": "string"}],
        "description": "The picture that the clip begins with, where the model takes one: a form's file or `image_url` with a `data:` url.",
    },
    "rewrite_prompt": _flag("Whether the service writes the prompt out before the clip is made; the answer tells both."),
    "draft_first": _flag("Make a quick draft first, to be fetched as the variant `draft` while the clip is made."),
    "deadline_s": _number(
        "Seconds from now within which it is of use; the scheduler aims at it.", exclusiveMinimum=0, maximum=MAX_DEADLINE_S
    ),
    "allow_degrade": _flag("Whether a lighter clip may be made rather than a late one; the answer says so in `degraded_from`."),
    "tier": _one_of("At best the account's own, which is what is taken where it is left out.", "free", "standard", "vip"),
    "callback_url": _text("An https address that is told of the end.", format="uri", maxLength=MAX_URL_CHARS),
    "user": _text("Your word for the end user, given to nobody.", maxLength=MAX_USER_CHARS),
    "metadata": {"type": "object", "maxProperties": MAX_METADATA_KEYS, "description": "Your own notes, given back as they came."},
}
