from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from cinelet.errors import InvalidValueError, ModelFilesError, NotFoundError
from cinelet.models import Adapters, Catalogue, pin, plan
from cinelet.models import adapters as module
from cinelet.models.adapters import half_of, read_folder
from cinelet.video import LoraUse, Plan, VideoRequest


def write_weights(path: Path, value: int = 0) -> None:
    """A safetensors file of four bytes."""
    header = json.dumps({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes([value] * 4))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_weights(tmp_path / "ink" / "ink.safetensors")
    return tmp_path


def test_one_file_is_an_adapter_for_one_transformer(folder: Path) -> None:
    files = Adapters(folder).get("ink")
    assert files.name == "ink"
    assert files.paths == (folder / "ink/ink.safetensors",)
    assert files.strengths == (1.0,)
    assert not files.is_pair


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("high_noise_model.safetensors", "low_noise_model.safetensors"),
        ("wan2.2_t2v_A14b_high_noise_lora_rank64.safetensors", "wan2.2_t2v_A14b_low_noise_lora_rank64.safetensors"),
        ("Wan22-Style-HIGH_fp16.safetensors", "Wan22-Style-LOW_fp16.safetensors"),
        ("styleHighNoise.safetensors", "styleLowNoise.safetensors"),
        ("slow-motion-high.safetensors", "slow-motion-low.safetensors"),
    ],
)
def test_two_files_are_told_apart_by_their_names(tmp_path: Path, high: str, low: str) -> None:
    write_weights(tmp_path / "pair" / low)
    write_weights(tmp_path / "pair" / high)
    assert [path.name for path in Adapters(tmp_path).get("pair").paths] == [high, low]


def test_words_that_only_contain_high_or_low_name_no_half() -> None:
    assert [half_of(Path(name)) for name in ("yellow.safetensors", "highlight.safetensors", "high_to_low.safetensors")] == ["", "", ""]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a_high_noise.safetensors"], "half a pair.*low-noise"),
        (["a_low_noise.safetensors"], "half a pair.*high-noise"),
        (["a_high.safetensors", "b_high.safetensors"], "holds 2 files"),
        (["a.safetensors", "b.safetensors"], "holds 2 files"),
        (["a.safetensors", "b_high.safetensors", "b_low.safetensors"], "holds 3 files"),
        (["a.safetensors", "a.bin"], "is a pickle"),
        (["a.ckpt"], "is a pickle"),
        (["readme.md"], "holds no"),
    ],
)
def test_what_is_no_whole_adapter_is_refused(tmp_path: Path, names: list[str], reason: str) -> None:
    for name in names:
        write_weights(tmp_path / "odd" / name)
    with pytest.raises(ModelFilesError, match=reason):
        Adapters(tmp_path).get("odd")


def test_damaged_and_oversized_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "ink/ink.safetensors"
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10)
    with pytest.raises(ModelFilesError, match="at most 10"):
        read_folder(folder / "ink")
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFilesError, match="truncated"):
        read_folder(folder / "ink")


def test_an_unknown_name_is_answered_with_near_ones(folder: Path) -> None:
    with pytest.raises(NotFoundError, match=r"'inc' is unknown; did you mean ink\?"):
        Adapters(folder).get("inc")
    with pytest.raises(NotFoundError, match="known are ink"):
        Adapters(folder).get("quite-another")


@pytest.mark.parametrize("name", ["../ink", "/etc", "ink/../ink", "", ".", "a" * 65, "ink\0"])
def test_names_are_not_paths(folder: Path, name: str) -> None:
    with pytest.raises(NotFoundError):
        Adapters(folder / "empty").get(name)


def test_what_adapter_json_says_is_kept(folder: Path) -> None:
    about = {"title": "Ink", "trigger": "ink drawing", "base": "pocket", "scale": 0.5}
    (folder / "ink/adapter.json").write_text(json.dumps(about))
    files = Adapters(folder).get("ink")
    assert (files.title, files.trigger, files.base, files.strengths) == ("Ink", "ink drawing", "pocket", (0.5,))


def test_halves_may_have_strengths_of_their_own(tmp_path: Path) -> None:
    write_weights(tmp_path / "pair/high.safetensors")
    write_weights(tmp_path / "pair/low.safetensors")
    (tmp_path / "pair/adapter.json").write_text('{"scale": [3, 1.5]}')
    assert Adapters(tmp_path).get("pair").strengths == (3.0, 1.5)


@pytest.mark.parametrize("about", ["[]", "{", '{"scale": "much"}', '{"scale": [1, 2]}', '{"title": 3}', '{"extra": 1}', '{"scale": NaN}'])
def test_an_unreadable_adapter_json_is_refused(folder: Path, about: str) -> None:
    (folder / "ink/adapter.json").write_text(about)
    with pytest.raises(ModelFilesError, match=r"adapter\.json"):
        Adapters(folder).get("ink")


def test_the_alpha_of_a_peft_folder_is_read(folder: Path) -> None:
    config = folder / "ink/adapter_config.json"
    config.write_text('{"r": 8, "lora_alpha": 16}')
    assert Adapters(folder).get("ink").alpha == 16.0
    config.write_text('{"r": 8, "lora_alpha": 16, "use_dora": true}')
    with pytest.raises(ModelFilesError, match="DoRA"):
        Adapters(folder).get("ink")


def test_the_digest_changes_with_all_that_acts_and_with_nothing_else(folder: Path) -> None:
    adapters = Adapters(folder)
    first = adapters.get("ink").digest
    (folder / "ink/adapter.json").write_text('{"title": "Ink"}')
    assert adapters.get("ink").digest == first
    (folder / "ink/adapter.json").write_text('{"scale": 0.5}')
    assert adapters.get("ink").digest != first
    (folder / "ink/adapter.json").unlink()
    write_weights(folder / "ink/ink.safetensors", value=1)
    assert adapters.get("ink").digest != first


def test_what_lies_elsewhere_is_fetched_by_name(tmp_path: Path) -> None:
    adapters = Adapters(tmp_path, fetch=lambda name: write_weights(tmp_path / name / "a.safetensors") if name == "far" else None)
    assert adapters.get("far").name == "far"
    with pytest.raises(NotFoundError):
        adapters.get("farther")


def planned(*names: str) -> Plan:
    request = VideoRequest(prompt="a cat", loras=tuple(LoraUse(name) for name in names))
    return plan(request, Catalogue(Path()).get("pocket"), seed=1)


def test_a_pinned_plan_says_which_content_it_means(folder: Path) -> None:
    card = Catalogue(Path()).get("pocket")
    get = Adapters(folder).get
    pinned = pin(planned("ink"), card, get)
    assert pinned.loras == (LoraUse("ink", 1.0, get("ink").digest),)
    assert pin(planned(), card, get) == planned()


def test_a_plan_with_an_unknown_or_foreign_adapter_is_refused_by_field(folder: Path) -> None:
    card = Catalogue(Path()).get("pocket")
    with pytest.raises(InvalidValueError, match="did you mean ink") as caught:
        pin(planned("inkk"), card, Adapters(folder).get)
    assert caught.value.field == "loras"
    (folder / "ink/adapter.json").write_text('{"base": "wan2.2-t2v-a14b"}')
    with pytest.raises(InvalidValueError, match=r"made for wan2\.2-t2v-a14b, not for pocket"):
        pin(planned("ink"), card, Adapters(folder).get)


def test_those_that_fit_a_model_are_listed_without_what_is_broken_made_for_another_or_gone_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_weights(folder / "foreign" / "a.safetensors")
    (folder / "foreign/adapter.json").write_text('{"base": "wan2.2-ti2v-5b"}')
    (folder / "empty").mkdir()
    adapters = Adapters(folder)
    listed = [*adapters.names(), "gone"]
    monkeypatch.setattr(adapters, "names", lambda: listed)
    found = adapters.fitting(Catalogue(folder).get("pocket"))
    assert [files.name for files in found] == ["ink", "night", "pocket-fast"]
    assert {files.digest for files in found} == {""}, "a digest takes reading the weights"
