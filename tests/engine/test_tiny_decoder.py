"""The decoder's tiers: the half one beside the full one, the tiny one by its own laws, and neither ever in place of another."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cinelet.engine import Engine, load_model
from cinelet.engine.decoder import LADDER
from cinelet.engine.model import digest_of
from cinelet.engine.tiny_decoder import TinyConfig, TinyDecoder, load_tiny_decoder
from cinelet.errors import InvalidValueError, ModelFilesError
from cinelet.models.card import TINY_VAE
from tests.engine.clips import advance, distance, generate, make_plan
from tests.engine.conftest import Checkpoint

CPU = torch.device("cpu")
SMALL = TinyConfig(latent_channels=4, widths=(8, 8, 8, 8), blocks=(1, 2, 1), grow_space=(2, 2, 1), patch_size=2)
PUBLIC = {"taew2_1": (TinyConfig(), (4, 8)), "taew2_2": (TinyConfig(latent_channels=48, patch_size=2), (4, 16))}
"""Sizes of the public decoders, without their weights."""


def write_tiny(folder: Path, config: TinyConfig = SMALL, **tensors: torch.Tensor) -> Path:
    """A `vae_tiny` folder with random weights, and some tensors beside or in place of them."""
    torch.manual_seed(2)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(asdict(config)))
    save_file({**TinyDecoder(config).state_dict(), **tensors}, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def checkpoint(checkpoints: dict[str, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dense checkpoint with a tiny decoder."""
    folder = tmp_path_factory.mktemp("tiny") / "model"
    shutil.copytree(checkpoints["dense"].folder, folder)
    write_tiny(folder / TINY_VAE)
    return folder


@pytest.fixture
def tiered(checkpoint: Path) -> Engine:
    """An engine with all three tiers."""
    return Engine(load_model(checkpoint, CPU))


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_layouts_have_their_keys_and_shapes(name: str) -> None:
    config, stride = PUBLIC[name]
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in TinyDecoder(config).state_dict().items()}
    assert config.stride == stride
    # github.com/madebyollin/taehv, taehv.py: the numbers of the decoder's layers
    assert shapes["decoder.1.weight"] == (256, config.latent_channels, 3, 3)
    assert shapes["decoder.3.conv.0.weight"] == (256, 512, 3, 3)
    assert shapes["decoder.7.conv.weight"] == (256, 256, 1, 1)
    assert shapes["decoder.8.weight"] == (128, 256, 3, 3)
    assert shapes["decoder.13.conv.weight"] == (256, 128, 1, 1)
    assert shapes["decoder.19.conv.weight"] == (128, 64, 1, 1)
    assert shapes["decoder.22.weight"] == (3 * config.patch_size**2, 64, 3, 3)
    assert "decoder.8.bias" not in shapes
    assert len(shapes) == 2 + 9 * 6 + 3 * 2 + 2


@pytest.mark.parametrize("latent_frames", [1, 2, 5])
def test_latent_frames_passed_one_by_one_give_the_same_frames(latent_frames: int) -> None:
    torch.manual_seed(0)
    decoder = TinyDecoder(SMALL).eval()
    latents = torch.randn(2, 4, latent_frames, 3, 5)
    with torch.no_grad():
        whole = decoder(latents)
        parts = torch.cat(list(decoder.stream(iter(latents.split(1, dim=2)))), dim=2)
    assert whole.shape == (2, 3, 4 * latent_frames - 3, 24, 40)
    assert torch.allclose(whole, parts, atol=1e-5)


def test_a_frame_sees_no_later_latents() -> None:
    torch.manual_seed(0)
    decoder = TinyDecoder(SMALL).eval()
    latents = torch.randn(1, 4, 4, 3, 5)
    changed = latents.clone()
    changed[:, :, 3] += 1
    with torch.no_grad():
        before, after = decoder(latents), decoder(changed)
    assert torch.allclose(before[:, :, :9], after[:, :, :9], atol=1e-6)
    assert (before[:, :, 9:] - after[:, :, 9:]).abs().max() > 1e-4


def test_a_file_with_an_encoder_and_a_grown_last_step_loads(tmp_path: Path) -> None:
    torch.manual_seed(1)
    plain = TinyDecoder(SMALL).state_dict()["decoder.5.conv.weight"]
    twice = torch.cat([torch.randn_like(plain), plain])
    folder = write_tiny(tmp_path / "tiny", **{"encoder.0.weight": torch.ones(3), "decoder.5.conv.weight": twice})
    loaded = load_tiny_decoder(folder, latent_channels=4, stride=(4, 8))
    assert torch.equal(loaded.state_dict()["decoder.5.conv.weight"], plain)


@pytest.mark.parametrize("fault", ["no config", "unknown key", "a tensor short", "other latents"])
def test_a_tiny_decoder_that_does_not_fit_is_refused(tmp_path: Path, fault: str) -> None:
    folder = write_tiny(tmp_path / "tiny")
    if fault == "no config":
        (folder / "config.json").unlink()
    elif fault == "unknown key":
        (folder / "config.json").write_text(json.dumps({**asdict(SMALL), "depth": 3}))
    elif fault == "a tensor short":
        tensors = TinyDecoder(SMALL).state_dict()
        save_file({name: tensor for name, tensor in tensors.items() if name != "decoder.1.bias"}, folder / "model.safetensors")
    with pytest.raises(ModelFilesError, match="tiny"):
        load_tiny_decoder(folder, latent_channels=16 if fault == "other latents" else 4, stride=(4, 8))


def test_a_tiny_decoder_leaves_full_clips_and_their_model_as_they_were(checkpoints: dict[str, Checkpoint], tiered: Engine) -> None:
    model = checkpoints["dense"].model
    assert tiered.model.digest == model.digest
    one, other = generate(tiered, make_plan()), generate(Engine(model), make_plan())
    assert one.decode == "full"
    assert distance(one.frames, other.frames) == 0


def test_a_manifest_is_no_part_of_what_draws(checkpoint: Path) -> None:
    before = digest_of(checkpoint)
    (checkpoint / "manifest.json").write_text("{}")
    try:
        assert digest_of(checkpoint) == before
    finally:
        (checkpoint / "manifest.json").unlink()


def test_each_tier_decodes_the_same_latents_and_says_which_it_was(tiered: Engine) -> None:
    clips = {tier: generate(tiered, make_plan(vae=tier)) for tier in ("full", "half", "tiny")}
    assert [clip.decode for clip in clips.values()] == ["full", "full:half", "full:tiny"]
    for clip in clips.values():
        np.testing.assert_array_equal(clip.latents, clips["full"].latents)
        assert clip.frames.shape == clips["full"].frames.shape
    assert 0 < distance(clips["half"].frames, clips["full"].frames) <= 12
    assert distance(clips["tiny"].frames, clips["full"].frames) > 40, "random weights draw something else"


@pytest.mark.parametrize("rung", LADDER)
def test_the_half_tier_has_every_rung(tiered: Engine, rung: str) -> None:
    latents = torch.from_numpy(generate(tiered, make_plan()).latents)
    half = tiered.tiers.get("half").decode(latents, 9, rung)
    assert distance(half, tiered.decoder.decode(latents, 9, rung)) <= 12
    assert next(tiered.model.vae.parameters()).dtype == torch.float32


@pytest.mark.parametrize("is_normalised", [True, False])
def test_a_tiny_decoder_gets_latents_in_the_scale_it_was_trained_on(tmp_path: Path, checkpoint: Path, is_normalised: bool) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder, ignore=shutil.ignore_patterns(TINY_VAE))
    write_tiny(folder / TINY_VAE, TinyConfig(**{**asdict(SMALL), "is_normalised": is_normalised}))
    engine = Engine(load_model(folder, CPU))
    seen: list[torch.Tensor] = []
    engine.model.tiny_decoder.decoder[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    clip = generate(engine, make_plan(vae="tiny"))
    latents = torch.from_numpy(clip.latents)
    expected = latents if is_normalised else engine.decoder.denormalise(latents)[0]
    assert torch.allclose(torch.cat(seen).float().transpose(0, 1), expected, atol=0.05)


def test_out_of_memory_steps_down_the_tiers_own_ladder(tiered: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = tiered.tiers.get("tiny")
    decode = tiny.decode

    def scarce(latents, num_frames, rung="full", on_frames=None, max_pass=0):
        if rung == "full":
            raise torch.OutOfMemoryError("no room")
        return decode(latents, num_frames, rung, on_frames, max_pass)

    whole = generate(tiered, make_plan(vae="tiny"))
    monkeypatch.setattr(tiny, "decode", scarce)
    clip = generate(tiered, make_plan(vae="tiny"))
    assert clip.decode == "frames:tiny"
    assert distance(clip.frames, whole.frames) <= 1


def test_a_model_without_a_tiny_decoder_refuses_the_tier(engine: Engine, tiered: Engine, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"vae: 'tiny'.*no tiny decoder"):
        engine.admit(make_plan(vae="tiny"))
    advance(tiered, tiered.admit(make_plan(vae="tiny")), 2).save(tmp_path / "clip")
    with pytest.raises(InvalidValueError, match="no tiny decoder"):
        engine.resume(tmp_path / "clip")
