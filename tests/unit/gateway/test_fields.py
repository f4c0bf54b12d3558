"""Fields of many dialects to one request; nothing lost in silence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.errors import CineletError, InvalidValueError, ModelNotFoundError, NotFoundError, UnknownFieldError, UnusableValueError
from cinelet.gateway.body import Body
from cinelet.gateway.fields import MAX_PROMPT_CHARS, MAX_WARNINGS, Parsed, parse_fields
from cinelet.gateway.form import Upload
from cinelet.gateway.request_schema import FIELDS
from cinelet.gateway.vocabulary import ALIASES, NO_EFFECT, REFUSED, SERVICE_OWNED
from cinelet.models import Catalogue, ModelCard
from cinelet.video import LoraUse, VideoRequest
from tests.unit.gateway.posted import MULTIPART, URLENCODED, multipart, read, recorded

CARDS = {card.name: card for card in Catalogue(Path("nowhere")).list()}
POCKET, TI2V, A14B = CARDS["pocket"], CARDS["wan2.2-ti2v-5b"], CARDS["wan2.2-t2v-a14b"]
PICTURE = Upload(filename="a.png", content_type="image/png", data=b"\x89PNG\r\n\x1a\n")


def card_of(name: str | None) -> ModelCard:
    if name is None:
        return POCKET
    if name not in CARDS:
        raise NotFoundError(f"model: {name} is unknown, or a path to a checkpoint folder")
    return CARDS[name]


def takes_image(name: str | None) -> ModelCard:
    return dataclasses.replace(card_of(name), takes_image=True)


def parse(is_strict: bool = False, **fields: Any) -> Parsed:
    return parse_fields(Body({"prompt": "a ball", **fields}, {}), card_of, is_strict=is_strict)


def refused(kind: type[CineletError] = InvalidValueError, **fields: Any) -> InvalidValueError:
    with pytest.raises(kind) as caught:
        parse(**fields)
    assert type(caught.value) is kind
    return caught.value  # type: ignore[return-value]


def test_a_prompt_is_enough() -> None:
    assert parse() == Parsed(request=VideoRequest(prompt="a ball"))


@pytest.mark.parametrize("fields", [{}, {"negative_prompt": "rain"}])
def test_without_a_prompt_there_is_no_request(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError) as caught:
        parse_fields(Body(fields, {}), card_of)
    assert caught.value.field == "prompt"


TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "steps": ({"steps": 12}, {"num_inference_steps": 12}),
    "infer_steps": ({"infer_steps": "12"}, {"num_inference_steps": 12}),
    "sample_steps": ({"sample_steps": 12.0}, {"num_inference_steps": 12}),
    "num_inference_steps": ({"num_inference_steps": " 12 "}, {"num_inference_steps": 12}),
    "two names that agree": ({"steps": "12", "num_inference_steps": 12}, {"num_inference_steps": 12}),
    "cfg": ({"cfg": "3.5"}, {"guidance_scale": 3.5}),
    "sample_guide_scale": ({"sample_guide_scale": 3}, {"guidance_scale": 3}),
    "both scales": ({"guidance_scale": "4", "guidance_scale_2": "3e0"}, {"guidance_scale": 4.0, "guidance_scale_2": 3.0}),
    "a scale of zero": ({"guidance_scale": 0}, {"guidance_scale": 0}),
    "sample_shift": ({"sample_shift": "5.0"}, {"flow_shift": 5.0}),
    "sampler": ({"sampler": "Euler"}, {"sampler": "euler"}),
    "frame_num": ({"frame_num": "9"}, {"num_frames": 9}),
    "target_video_length": ({"target_video_length": 9}, {"num_frames": 9}),
    "frames_per_second": ({"frames_per_second": "16"}, {"fps": 16}),
    "target_fps": ({"target_fps": 16.0}, {"fps": 16}),
    "seconds as text": ({"seconds": "4"}, {"num_frames": 32}),
    "seconds as a number": ({"seconds": 4}, {"num_frames": 32}),
    "half seconds": ({"seconds": "2.5"}, {"num_frames": 20}),
    "duration": ({"duration": 2}, {"num_frames": 16}),
    "seconds at another rate": ({"seconds": 2, "fps": 24}, {"num_frames": 48, "fps": 24}),
    "a tiny clip": ({"seconds": 0.1}, {"num_frames": 1}),
    "the longest clip": ({"seconds": "20.125"}, {"num_frames": 161}),
    "seconds of a larger model": ({"seconds": "5", "model": "wan2.2-t2v-a14b"}, {"num_frames": 80, "model": "wan2.2-t2v-a14b"}),
    "the seed": ({"seed": "7"}, {"seed": 7}),
    "the largest seed": ({"seed": str(2**63 - 1)}, {"seed": 2**63 - 1}),
    "seed 0": ({"seed": 0}, {"seed": 0}),
    "a drawn seed": ({"seed": -1}, {"seed": None}),
    "a drawn seed from a form": ({"seed": "-1"}, {"seed": None}),
    "a list of one seed": ({"seed": ["7"]}, {"seed": 7}),
    "a variation": ({"variation_seed": "5", "variation_strength": "0.25"}, {"variation_seed": 5, "variation_strength": 0.25}),
    "preset": ({"preset": "draft"}, {"preset": "draft"}),
    "preset quality": ({"preset": "quality"}, {"preset": "final"}),
    "quality names a preset": ({"quality": "Final"}, {"preset": "final"}),
    "quality of OpenAI": ({"quality": "standard"}, {"preset": "standard"}),
    "quality of SGLang": ({"quality": "lossless"}, {"preset": "standard"}),
    "preset beside quality": ({"preset": "draft", "quality": "final"}, {"preset": "draft"}),
    "negative_prompt": ({"negative_prompt": "rain"}, {"negative_prompt": "rain"}),
    "an empty negative_prompt": ({"negative_prompt": ""}, {"negative_prompt": ""}),
    "model": ({"model": "pocket"}, {"model": "pocket"}),
    "an empty form field": (
        {"fps": "", "seed": " ", "sampler": "", "preset": "", "size": "", "model": "", "allow_degrade": ""},
        {"model": "pocket"},
    ),
    "size": ({"size": "96x64"}, {"width": 96, "height": 64}),
    "size of DashScope": ({"size": "96*64"}, {"width": 96, "height": 64}),
    "size with spaces": ({"size": " 96 X 64 "}, {"width": 96, "height": 64}),
    "size auto": ({"size": "auto"}, {}),
    "size as a name": ({"size": "96p"}, {"width": 160, "height": 96}),
    "width and height": ({"width": "96", "height": 64}, {"width": 96, "height": 64}),
    "width alone": ({"width": 96}, {"width": 96}),
    "size and sides that agree": ({"size": "96x64", "width": 96, "height": "64"}, {"width": 96, "height": 64}),
    "resolution": ({"resolution": "96P"}, {"width": 160, "height": 96}),
    "resolution in pixels": ({"resolution": "96x64"}, {"width": 96, "height": 64}),
    "resolution and ratio": (
        {"resolution": "480p", "aspect_ratio": "9:16", "model": "wan2.2-t2v-a14b"},
        {"width": 480, "height": 832, "model": "wan2.2-t2v-a14b"},
    ),
    "16:9": ({"aspect_ratio": "16:9"}, {"width": 160, "height": 96}),
    "9:16": ({"aspect_ratio": "9:16"}, {"width": 96, "height": 160}),
    "1:1": ({"aspect_ratio": "1:1"}, {"width": 112, "height": 112}),
    "4:3": ({"aspect_ratio": "4:3"}, {"width": 128, "height": 96}),
    "21:9": ({"aspect_ratio": "21:9"}, {"width": 176, "height": 80}),
    "n": ({"n": 1}, {}),
    "num_outputs_per_prompt": ({"num_outputs_per_prompt": "1"}, {}),
    "no sound": ({"generate_sound": "false", "sound_duration": 0}, {}),
    "no lora": ({"lora": {}, "loras": [], "lora_name": ""}, {}),
    "a lora": ({"loras": [{"name": "ink"}]}, {"loras": (LoraUse("ink"),)}),
    "loras with scales": ({"loras": [{"name": "ink", "scale": "0.5"}, "noir"]}, {"loras": (LoraUse("ink", 0.5), LoraUse("noir"))}),
    "loras in a form": ({"loras": "ink:0.5, noir"}, {"loras": (LoraUse("ink", 0.5), LoraUse("noir"))}),
    "lora of vLLM-Omni": ({"lora": {"name": "ink", "scale": 2}}, {"loras": (LoraUse("ink", 2.0),)}),
    "lora of LightX2V": ({"lora_name": "ink", "lora_strength": "0.25"}, {"loras": (LoraUse("ink", 0.25),)}),
    "vae and step_cache": ({"vae": "Half", "step_cache": "off"}, {"vae": "half", "step_cache": "off"}),
    "no picture": ({"input_reference": {"file_id": None, "image_url": ""}, "image_url": {}}, {}),
    "nothing to switch on": ({"enable_upscaling": False, "enhance_prompt": "False", "enable_teacache": 0}, {}),
}
"""Fields as they come → what the request holds beside its prompt. None of these may cause a warning."""


@pytest.mark.parametrize("name", TAKEN)
def test_fields_of_every_dialect_are_taken(name: str) -> None:
    fields, expected = TAKEN[name]
    if name == "no picture":
        fields = {"input_reference": fields["input_reference"]}
    parsed = parse(**fields)
    assert parsed.request == VideoRequest(prompt="a ball", **expected)
    assert parsed.warnings == []


BAD: dict[str, tuple[dict[str, Any], str, type[InvalidValueError]]] = {
    "two names that differ": ({"steps": 12, "num_inference_steps": 13}, "num_inference_steps", InvalidValueError),
    "no whole number": ({"steps": "12.5"}, "steps", InvalidValueError),
    "words": ({"steps": "twelve"}, "steps", InvalidValueError),
    "a truth": ({"steps": True}, "steps", InvalidValueError),
    "a list": ({"steps": [12]}, "steps", InvalidValueError),
    "an object": ({"fps": {"a": 1}}, "fps", InvalidValueError),
    "underscores": ({"steps": "1_2"}, "steps", InvalidValueError),
    "other digits": ({"steps": "१२"}, "steps", InvalidValueError),
    "no steps": ({"steps": 0}, "steps", InvalidValueError),
    "too many steps": ({"infer_steps": "1001"}, "infer_steps", InvalidValueError),
    "5,000 digits": ({"seed": "9" * 5000}, "seed", InvalidValueError),
    "2^63": ({"seed": str(2**63)}, "seed", UnusableValueError),
    "a huge float": ({"seed": 1e300}, "seed", UnusableValueError),
    "a seed below -1": ({"seed": -2}, "seed", InvalidValueError),
    "two seeds": ({"seed": [1, 2]}, "seed", InvalidValueError),
    "NaN": ({"cfg": "NaN"}, "cfg", UnusableValueError),
    "minus infinity": ({"cfg": "-Infinity"}, "cfg", UnusableValueError),
    "1e999": ({"guidance_scale": "1e999"}, "guidance_scale", UnusableValueError),
    "hexadecimal": ({"cfg": "0x10"}, "cfg", InvalidValueError),
    "a negative scale": ({"cfg": -1}, "cfg", InvalidValueError),
    "no seconds": ({"seconds": 0}, "seconds", InvalidValueError),
    "negative seconds": ({"seconds": "-4"}, "seconds", InvalidValueError),
    "less than a frame": ({"seconds": 0.01}, "seconds", InvalidValueError),
    "too long": ({"seconds": 21}, "seconds", InvalidValueError),
    "endless": ({"seconds": 1e308}, "seconds", InvalidValueError),
    "too long by another name": ({"duration": 21}, "duration", InvalidValueError),
    "seconds at no rate": ({"seconds": 1, "fps": 0}, "fps", InvalidValueError),
    "too many frames": ({"frame_num": 162}, "frame_num", InvalidValueError),
    "a film's rate": ({"fps": 23.976}, "fps", InvalidValueError),
    "no size": ({"size": "big"}, "size", InvalidValueError),
    "a size of zero": ({"size": "0x0"}, "size", InvalidValueError),
    "too many pixels": ({"size": "1280x720"}, "size", InvalidValueError),
    "pixels without end": ({"size": "99999x99999"}, "size", InvalidValueError),
    "digits without end": ({"size": "9" * 4000 + "x1"}, "size", InvalidValueError),
    "no multiple": ({"size": "100x96"}, "size", InvalidValueError),
    "no multiple in a resolution": ({"resolution": "100x96"}, "resolution", InvalidValueError),
    "no multiple, as a side": ({"width": 100}, "width", InvalidValueError),
    "too many pixels, as sides": ({"width": 1280, "height": 720}, "size", InvalidValueError),
    "a size that is no text": ({"size": 480}, "size", InvalidValueError),
    "sizes that differ": ({"size": "96x64", "height": 96}, "height", InvalidValueError),
    "an unknown resolution": ({"resolution": "huge"}, "resolution", InvalidValueError),
    "no ratio": ({"aspect_ratio": "wide"}, "aspect_ratio", InvalidValueError),
    "a ratio by zero": ({"aspect_ratio": "1:0"}, "aspect_ratio", InvalidValueError),
    "a ribbon": ({"aspect_ratio": "99:1"}, "aspect_ratio", InvalidValueError),
    "an unknown preset": ({"preset": "best"}, "preset", InvalidValueError),
    "an unknown quality": ({"quality": "hd"}, "quality", InvalidValueError),
    "an unknown sampler": ({"sample_solver": "ddim"}, "sample_solver", InvalidValueError),
    "a truth for a count": ({"n": True}, "n", InvalidValueError),
    "half a frame too long": ({"seconds": 161.5 / 8}, "seconds", InvalidValueError),
    "several clips": ({"n": 2}, "n", InvalidValueError),
    "several clips by another name": ({"num_outputs_per_prompt": "4"}, "num_outputs_per_prompt", InvalidValueError),
    "a long prompt": ({"prompt": "x" * (MAX_PROMPT_CHARS + 1)}, "prompt", InvalidValueError),
    "a prompt that grows when composed": ({"prompt": "\u0958" * MAX_PROMPT_CHARS}, "prompt", InvalidValueError),
    "a long negative prompt": ({"negative_prompt": "x" * (MAX_PROMPT_CHARS + 1)}, "negative_prompt", InvalidValueError),
    "an empty prompt": ({"prompt": ""}, "prompt", InvalidValueError),
    "a prompt of spaces": ({"prompt": " \n\t"}, "prompt", InvalidValueError),
    "a prompt that is no text": ({"prompt": ["a ball"]}, "prompt", InvalidValueError),
    "a model that is no text": ({"model": 7}, "model", InvalidValueError),
    "a lora by its path": ({"loras": "../ink"}, "loras", InvalidValueError),
    "a lora with a path": ({"lora": {"name": "ink", "path": "/x"}}, "lora", InvalidValueError),
    "a lora without a name": ({"loras": [{"scale": 1}]}, "loras", InvalidValueError),
    "a lora of no number": ({"loras": ["ink:much"]}, "loras", InvalidValueError),
    "a lora beyond all measure": ({"loras": [{"name": "ink", "scale": 40}]}, "loras", InvalidValueError),
    "a lora that is not a number": ({"loras": [{"name": "ink", "scale": "nan"}]}, "loras", InvalidValueError),
    "a lora twice": ({"loras": "ink,ink"}, "loras", InvalidValueError),
    "nine loras": ({"loras": [f"l{i}" for i in range(9)]}, "loras", InvalidValueError),
    "one strength for two": ({"loras": "ink,noir", "lora_strength": 1}, "lora_strength", InvalidValueError),
    "an unknown vae": ({"vae": "huge"}, "vae", InvalidValueError),
    "an unknown cache": ({"step_cache": "teacache"}, "step_cache", InvalidValueError),
    "a start image": ({"input_reference": {"image_url": "data:,"}}, "input_reference", InvalidValueError),
    "a start image as text": ({"reference_url": "https://example.com/a.png"}, "reference_url", InvalidValueError),
    "a list of start images": ({"image_reference": [{"image_url": "data:,"}]}, "image_reference", InvalidValueError),
    "a callback to a file": ({"callback_url": "file:///etc/passwd"}, "callback_url", InvalidValueError),
    "a callback with a line break": ({"callback_url": "https://a.example/\r\nx"}, "callback_url", InvalidValueError),
    "a long callback": ({"callback_url": "https://a.example/" + "x" * 2048}, "callback_url", InvalidValueError),
    "a deadline now": ({"deadline_s": 0}, "deadline_s", InvalidValueError),
    "a deadline in a year": ({"deadline_s": 31_536_000}, "deadline_s", InvalidValueError),
    "no truth": ({"allow_degrade": "maybe"}, "allow_degrade", InvalidValueError),
    "no truth in a list": ({"allow_degrade": [True]}, "allow_degrade", InvalidValueError),
    "a user that is no text": ({"user": 5}, "user", InvalidValueError),
    "metadata that is text": ({"metadata": "x"}, "metadata", InvalidValueError),
    "deep metadata": ({"metadata": {"a": {"b": 1}}}, "metadata.a", InvalidValueError),
    "long metadata": ({"metadata": {"a": "x" * 513}}, "metadata.a", InvalidValueError),
    "wide metadata": ({"metadata": {str(i): 1 for i in range(17)}}, "metadata", InvalidValueError),
    "a long key": ({"metadata": {"x" * 65: 1}}, "metadata", InvalidValueError),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_refused_under_the_name_the_client_used(name: str) -> None:
    fields, field, kind = BAD[name]
    assert refused(kind, **fields).field == field


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_would_be_lost_or_is_forbidden_is_refused(name: str) -> None:
    error = refused(**{name: {"a": "true"}})
    assert (error.field, error.limit) == (name, REFUSED[name])


@pytest.mark.parametrize("name", sorted(SERVICE_OWNED))
@pytest.mark.parametrize("value", ["acme", 0, "", False])
def test_what_the_service_sets_is_refused_whatever_its_value(name: str, value: object) -> None:
    assert refused(**{name: value}).field == name


@pytest.mark.parametrize("name", sorted(NO_EFFECT))
def test_what_changes_nothing_is_taken_with_a_warning_even_in_strict_mode(name: str) -> None:
    (warning,) = parse(is_strict=True, **{name: "true"}).warnings
    assert warning == f"{name}: has no effect; {NO_EFFECT[name]}"


def test_the_tables_speak_of_different_fields() -> None:
    tables = [set(ALIASES), set(FIELDS), set(NO_EFFECT), set(REFUSED), set(SERVICE_OWNED)]
    assert sum(map(len, tables)) == len(set().union(*tables))
    assert set(ALIASES.values()) <= FIELDS.keys()


def test_every_field_of_ours_is_read() -> None:
    for name in FIELDS.keys() - {"size"}:
        refused(**{name: [{"no": "field"}, {"takes": "this"}]})


def test_unknown_fields_are_told_and_in_strict_mode_refused() -> None:
    assert parse(sharpness=3).warnings == ["sharpness: is unknown and was ignored"]
    error = refused(UnknownFieldError, is_strict=True, sharpness=3)
    assert (error.field, error.code) == ("sharpness", "unknown_parameter")


def test_unknown_fields_beyond_count_are_counted_and_their_names_are_shown_on_one_line() -> None:
    warnings = parse(**{f"x\n{i}": 1 for i in range(MAX_WARNINGS + 5)}).warnings
    assert len(warnings) == MAX_WARNINGS + 1
    assert warnings[-1] == "5 more unknown fields were ignored"
    assert all(warning.isprintable() for warning in warnings)


def test_files_nobody_asked_for_are_unknown_fields() -> None:
    body = Body({"prompt": "a ball"}, {"mask": PICTURE})
    assert parse_fields(body, card_of).warnings == ["mask: is unknown and was ignored"]
    with pytest.raises(UnknownFieldError):
        parse_fields(body, card_of, is_strict=True)


def test_a_prompt_sent_as_a_file_is_no_prompt() -> None:
    with pytest.raises(InvalidValueError, match="prompt"):
        parse_fields(Body({}, {"prompt": PICTURE}), card_of)


@pytest.mark.parametrize("name", ["input_reference", "image_reference", "image"])
def test_a_start_image_is_refused_by_models_without_and_handed_on_by_models_with(name: str) -> None:
    body = Body({"prompt": "a ball"}, {name: PICTURE})
    with pytest.raises(InvalidValueError, match="pocket takes no start image"):
        parse_fields(body, card_of)
    assert parse_fields(body, takes_image).input_reference is PICTURE


def test_a_start_image_may_be_an_object_or_its_url() -> None:
    for value in ({"image_url": "data:,x", "file_id": None}, "data:,x"):
        parsed = parse_fields(Body({"prompt": "a ball", "input_reference": value}, {}), takes_image)
        assert parsed.input_reference == {"image_url": "data:,x"}
    with pytest.raises(InvalidValueError, match="must be one file"):
        parse_fields(Body({"prompt": "a ball", "input_reference": [1]}, {}), takes_image)


def test_two_files_for_one_start_image_are_too_many() -> None:
    other = Upload(filename="a.png", content_type="image/png", data=b"\x89PNG\r\n\x1a\n other")
    with pytest.raises(InvalidValueError, match="another name of image"):
        parse_fields(Body({"prompt": "a ball"}, {"image": PICTURE, "input_reference": other}), takes_image)


def test_a_route_may_read_fields_of_its_own() -> None:
    body = Body({"prompt": "at night", "video": {"id": "video_x"}}, {})
    assert parse_fields(body, card_of, is_strict=True, route_fields={"video"}).request.prompt == "at night"
    assert refused(video={"id": "video_x"}).field == "video"


@pytest.mark.parametrize("name", ["sora-2", "sora-2-pro", "sora-2-2025-12-08"])
def test_model_names_of_openai_mean_the_default_model_and_say_so(name: str) -> None:
    parsed = parse(model=name)
    assert parsed.request.model == "pocket"
    assert parsed.warnings == [f"model: '{name}' is not made here; pocket is used"]


@pytest.mark.parametrize("name", ["gpt-7", "../pocket", "/etc", "./pocket", "~/x", "a/b", "C:\\x", "pocket\n", "x" * 200, "熊"])
def test_models_that_are_not_served_are_not_found_and_paths_are_never_looked_up(name: str) -> None:
    asked: list[str | None] = []

    def spy(name: str | None) -> ModelCard:
        asked.append(name)
        return card_of(name)

    with pytest.raises(ModelNotFoundError) as caught:
        parse_fields(Body({"prompt": "a ball", "model": name}, {}), spy)
    assert asked == ([None, name] if name == "gpt-7" else [None])
    assert "folder" not in caught.value.message


def test_the_default_model_may_be_named_by_its_source() -> None:
    def of_folder(name: str | None) -> ModelCard:
        assert name is None
        return TI2V

    assert parse_fields(Body({"prompt": "x", "model": TI2V.source}, {}), of_folder).request.model == TI2V.name


def test_a_resolution_the_model_has_not_becomes_its_own_size_with_a_warning() -> None:
    parsed = parse(resolution="720p")
    assert (parsed.request.width, parsed.request.height) == (None, None)
    assert parsed.warnings == ["resolution: pocket does not draw 720p; its own size is 160x96"]


def test_fields_that_lose_against_clearer_ones_are_named() -> None:
    parsed = parse(size="96x64", resolution="96p", aspect_ratio="1:1", seconds=4, num_frames=9)
    assert parsed.request == VideoRequest(prompt="a ball", width=96, height=64, num_frames=9)
    assert sorted(parsed.warnings) == [
        "aspect_ratio: has no effect beside a size in pixels",
        "resolution: has no effect beside a size in pixels",
        "seconds: has no effect beside num_frames",
    ]
    assert parse(num_frames=81, seconds="5", model="wan2.2-t2v-a14b").warnings == []


@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21"])
@pytest.mark.parametrize("card", CARDS.values(), ids=list(CARDS))
def test_every_usual_ratio_gives_a_size_that_each_model_can_draw(card: ModelCard, ratio: str) -> None:
    for resolution in card.resolutions:
        request = parse(model=card.name, aspect_ratio=ratio, resolution=resolution).request
        width, height = (int(side) for side in ratio.split(":"))
        assert request.width is not None
        assert request.height is not None
        assert 0.8 < request.width / request.height / (width / height) < 1.25
        assert 0.7 < request.width * request.height / (card.resolutions[resolution][0] * card.resolutions[resolution][1]) <= 1


def test_the_service_gets_what_is_not_the_engines_business() -> None:
    parsed = parse(
        seconds="4",
        callback_url="https://shop.example/hook?a=1",
        deadline_s="30",
        allow_degrade="true",
        user="u-1",
        metadata={"shop": "toys", "row": 7, "is_new": True},
    )
    assert (parsed.seconds, parsed.callback_url, parsed.deadline_s) == (4.0, "https://shop.example/hook?a=1", 30.0)
    assert (parsed.allow_degrade, parsed.user, parsed.num_outputs) == (True, "u-1", 1)
    assert parsed.metadata == {"shop": "toys", "row": 7, "is_new": True}


def test_prompts_are_composed_and_otherwise_left_alone() -> None:
    assert parse(prompt=" cafe\u0301 \u202ehere\u202c ").request.prompt == " caf\u00e9 \u202ehere\u202c "
    assert parse(prompt="一" * MAX_PROMPT_CHARS).request.prompt == "一" * MAX_PROMPT_CHARS


def test_one_request_in_three_encodings_is_one_request() -> None:
    fields = {"prompt": "a ball", "seconds": "4", "steps": "12", "cfg": "3.5", "seed": "7", "size": "96x64", "allow_degrade": "true"}
    from_json = read('{"prompt": "a ball", "seconds": 4, "steps": 12, "cfg": 3.5, "seed": 7, "size": "96x64", "allow_degrade": true}')
    from_form = read(multipart(*fields.items()), MULTIPART)
    from_link = read("&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items()), URLENCODED)
    parsed = [parse_fields(body, card_of) for body in (from_json, from_form, from_link)]
    assert parsed[0] == parsed[1] == parsed[2]
    assert parsed[0].request.num_frames == 32


def test_what_the_openai_client_sends_becomes_a_request() -> None:
    client = "openai-python-3.52.0"
    assert parse_fields(recorded(f"{client}/model_seconds_text_size"), card_of).request.num_frames == 32
    assert parse_fields(recorded(f"{client}/numbers"), card_of).request.num_inference_steps == 40
    assert parse_fields(recorded(f"{client}/flag"), card_of).allow_degrade
    assert parse_fields(recorded(f"{client}/nested"), card_of).metadata == {"shop": "toys", "row": "7"}
    assert parse_fields(recorded(f"{client}/list_of_objects"), card_of).request.loras == (LoraUse("x", 0.5),)
    with pytest.raises(InvalidValueError, match="takes no start image"):
        parse_fields(recorded(f"{client}/raw_file"), card_of)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["-1", "1e999", "nan", "96x64", "1:1", "480p", "{", "[1]", "draft", "sora-2"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(sorted({*FIELDS, *ALIASES, *NO_EFFECT, *REFUSED, "extra_body", "extra_params"})) | st.text(max_size=6)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(names, values, max_size=5), st.booleans(), st.booleans())
def test_any_json_object_becomes_a_request_or_a_stated_error(fields: dict[str, Any], is_strict: bool, has_image: bool) -> None:
    try:
        parsed = parse_fields(read(json.dumps({"prompt": "a ball", **fields})), takes_image if has_image else card_of, is_strict=is_strict)
    except CineletError as error:
        assert error.message.isprintable()
    else:
        assert all(warning.isprintable() for warning in parsed.warnings)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(names, st.text(max_size=12) | st.sampled_from(["-1", "1e999", "null", "", "96x64", "9" * 5000])), max_size=5))
def test_any_form_becomes_a_request_or_a_stated_error(pairs: list[tuple[str, str]]) -> None:
    safe = [(name.replace('"', "").replace("\r", "").replace("\n", ""), value) for name, value in pairs]
    try:
        parse_fields(read(multipart(("prompt", "a ball"), *safe), MULTIPART), card_of)
    except CineletError as error:
        assert error.message.isprintable()


def test_a_distilled_model_makes_no_draft_and_says_so() -> None:
    card = Catalogue(Path("nowhere")).get("fastwan2.2-ti2v-5b")
    parsed = parse_fields(Body({"prompt": "a ball", "draft_first": True}, {}), lambda name: card)
    assert (parsed.draft_first, parsed.warnings) == (False, ["draft_first: has no effect; fastwan2.2-ti2v-5b takes 3 steps only"])
