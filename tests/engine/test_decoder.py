"""Latents → frames: each rung of the ladder against the stock autoencoder, and previews against the frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan
from numpy.typing import NDArray

from cinelet.engine import Engine
from cinelet.engine.decoder import LADDER, Decoder, Rung
from tests.engine.clips import advance, distance, make_plan
from tests.engine.conftest import Checkpoint


@pytest.fixture(scope="module")
def wan21_vae() -> AutoencoderKLWan:
    """The older layout: no patches, no residual shortcuts, time halved twice."""
    torch.manual_seed(5)
    vae = AutoencoderKLWan(
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.2, -0.1, 0.0, 0.4],
        latents_std=[1.2, 0.7, 1.1, 0.9],
    )
    vae.eval().requires_grad_(False)
    vae.decoder.conv_out.weight *= 4
    return vae


class BlockDecoder(torch.nn.Module):
    """Paints each latent as one even block of a colour that is linear in the latent: four frames long, the first frame but one."""

    COLOURS = torch.tensor([[0.2, 0.0, -0.1], [0.0, 0.15, 0.1], [-0.1, 0.1, 0.0], [0.05, -0.1, 0.2]])

    def forward(self, x: torch.Tensor, feat_cache: object, feat_idx: object, first_chunk: bool = False) -> torch.Tensor:
        """As the decoder of the patched layout: three colours of 2 x 2 pixels at each of its places."""
        colours = torch.einsum("bcthw,cr->brthw", x, self.COLOURS) + torch.tensor([0.3, 0.0, -0.2]).view(1, 3, 1, 1, 1)
        blocks = colours.repeat_interleave(4, dim=1).repeat_interleave(4, dim=3).repeat_interleave(4, dim=4)
        repeats = torch.full((x.shape[2],), 4)
        repeats[0] = 1 if first_chunk else 4
        return blocks.repeat_interleave(repeats, dim=2)


@pytest.fixture(scope="module")
def block_vae(checkpoints: dict[str, Checkpoint]) -> AutoencoderKLWan:
    """An autoencoder that is really linear and local, unlike one of random weights: what should be exact then is exact."""
    vae = AutoencoderKLWan.from_config(checkpoints["dense"].model.vae.config).eval().requires_grad_(False)
    vae.decoder = BlockDecoder()
    return vae


def vae_named(name: str, engine: Engine, wan21_vae: AutoencoderKLWan) -> AutoencoderKLWan:
    """One of the two layouts of autoencoders."""
    return engine.model.vae if name == "wan2.2" else wan21_vae


def smooth_latents(num_frames: int, height: int = 6, width: int = 8, seed: int = 0) -> torch.Tensor:
    """Latents `[4, T, H, W]` that change slowly, as a real clip's do."""
    coarse = torch.randn((1, 4, 2, 3, 3), generator=torch.Generator().manual_seed(seed)) * 1.5
    return torch.nn.functional.interpolate(coarse, size=(num_frames, height, width), mode="trilinear")[0]


def stock_frames(vae: AutoencoderKLWan, latents_CTHW: torch.Tensor) -> NDArray[np.uint8]:
    """What the stock autoencoder decodes, as the stock pipeline scales and exports it."""
    shape = (1, 4, 1, 1, 1)
    latents = latents_CTHW[None] * torch.tensor(vae.config.latents_std).view(shape) + torch.tensor(vae.config.latents_mean).view(shape)
    pixels = vae.decode(latents, return_dict=False)[0][0]
    return ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 3, 0).numpy()


@pytest.mark.parametrize("name", ["wan2.2", "wan2.1"])
@pytest.mark.parametrize("rung", ["full", "frames"])
@pytest.mark.parametrize("latent_frames", [1, 2, 3, 6])
def test_every_exact_rung_decodes_as_the_stock_autoencoder(
    engine: Engine, wan21_vae: AutoencoderKLWan, name: str, rung: Rung, latent_frames: int
) -> None:
    vae = vae_named(name, engine, wan21_vae)
    latents = smooth_latents(latent_frames)
    frames = Decoder(vae).decode(latents, 4 * latent_frames - 3, rung)
    expected = stock_frames(vae, latents)
    assert expected.std() > 10
    assert frames.dtype == np.uint8
    assert frames.shape == (4 * latent_frames - 3, 48, 64, 3)
    assert distance(frames, expected) <= 1
    assert (frames == expected).mean() > 0.99, "rounded to the nearest as the stock export does"


def test_tiles_are_close_to_the_whole_picture(engine: Engine) -> None:
    latents = smooth_latents(3, height=12, width=20)
    whole, tiles = engine.decoder.decode(latents, 9), engine.decoder.decode(latents, 9, "tiles")
    other = engine.decoder.decode(smooth_latents(3, height=12, width=20, seed=1), 9)
    assert tiles.shape == whole.shape
    assert np.abs(tiles.astype(int) - whole).mean() < 0.5 * np.abs(other.astype(int) - whole).mean()
    assert abs(tiles.mean() - whole.mean()) < 4


@pytest.mark.parametrize(("height", "width"), [(2, 2), (4, 6), (12, 5), (30, 70)])
def test_tiles_of_an_autoencoder_without_wide_context_are_the_whole_picture(block_vae: AutoencoderKLWan, height: int, width: int) -> None:
    decoder = Decoder(block_vae)
    latents = smooth_latents(3, height, width)
    whole = decoder.decode(latents, 9)
    assert whole.std() > 10
    assert distance(decoder.decode(latents, 9, "tiles"), whole) <= 1


def test_tiles_really_are_smaller_than_the_picture(engine: Engine) -> None:
    sizes = []
    handle = engine.model.vae.decoder.register_forward_pre_hook(lambda _, args: sizes.append(tuple(args[0].shape[2:])))
    try:
        engine.decoder.decode(smooth_latents(2, height=8, width=12), 5, "tiles")
    finally:
        handle.remove()
    assert len(sizes) > 2 * 2
    assert all(frames == 1 and height * width <= 8 * 12 / 2 for frames, height, width in sizes)


def test_tiling_ends_with_the_decode_that_wanted_it(engine: Engine) -> None:
    latents = smooth_latents(3, height=8, width=12)
    expected = stock_frames(engine.model.vae, latents)
    engine.decoder.decode(latents, 9, "tiles")
    assert distance(stock_frames(engine.model.vae, latents), expected) == 0


@pytest.mark.parametrize("rung", LADDER)
def test_the_smallest_clip_passes_every_rung(engine: Engine, rung: Rung) -> None:
    latents = smooth_latents(1, height=2, width=2)
    assert distance(engine.decoder.decode(latents, 1, rung), stock_frames(engine.model.vae, latents)) <= 1


@pytest.mark.parametrize("rung", LADDER)
@pytest.mark.parametrize("num_frames", [1, 6, 9])
def test_surplus_frames_are_cut_and_the_parts_are_the_clip(engine: Engine, rung: Rung, num_frames: int) -> None:
    latents = smooth_latents(1 + -(-(num_frames - 1) // 4))
    parts: dict[int, NDArray[np.uint8]] = {}
    frames = engine.decoder.decode(latents, num_frames, rung, parts.__setitem__)
    assert len(frames) == num_frames
    assert list(parts) == list(np.cumsum([0, *(len(part) for part in parts.values())])[:-1])
    assert np.array_equal(np.concatenate(list(parts.values())), frames)
    if rung == "frames":
        assert len(parts) == latents.shape[1]


def test_the_engine_passes_frames_on_as_they_are_decoded(engine: Engine) -> None:
    parts: list[tuple[int, int]] = []
    engine.finish(advance(engine, engine.admit(make_plan())), lambda start, part: parts.append((start, len(part))))
    assert parts == [(0, 1), (1, 8)]


def test_decoding_leaves_the_latents_as_they_were(engine: Engine) -> None:
    latents = smooth_latents(3)
    before = latents.clone()
    for rung in LADDER:
        engine.decoder.decode(latents, 9, rung)
    engine.decoder.preview(latents)
    assert torch.equal(latents, before)


def test_the_latents_of_a_clip_are_what_was_decoded(engine: Engine) -> None:
    video = engine.finish(advance(engine, engine.admit(make_plan())))
    assert video.latents is not None
    assert video.latents.dtype == np.float32
    assert video.latents.shape == (4, 3, 4, 6)
    assert distance(stock_frames(engine.model.vae, torch.from_numpy(video.latents)), video.frames) <= 1


def mean_colours(frames: NDArray[np.uint8], latent_frames: int, height: int, width: int) -> NDArray[np.float64]:
    """The mean colour `[T', H', W', 3]` of the pixels that each latent stands for."""
    groups = [frames[:1], *(frames[i : i + 4] for i in range(1, len(frames), 4))]
    means = np.stack([group.mean(axis=0) for group in groups])
    blocks = means.reshape(latent_frames, height, means.shape[1] // height, width, means.shape[2] // width, 3)
    return blocks.mean(axis=(2, 4))


def test_a_preview_is_the_mean_colour_where_that_is_linear(block_vae: AutoencoderKLWan) -> None:
    decoder = Decoder(block_vae)
    latents = smooth_latents(3)
    preview = decoder.preview(latents)
    assert preview.dtype == np.uint8
    assert preview.shape == (3, 6, 8, 3)
    assert np.abs(preview - mean_colours(decoder.decode(latents, 9), 3, 6, 8)).max() <= 2


def test_a_preview_shows_the_colours_of_a_still_picture(engine: Engine) -> None:
    latents = smooth_latents(1)
    preview, colours = engine.decoder.preview(latents), mean_colours(engine.decoder.decode(latents, 1), 1, 6, 8)
    assert np.corrcoef(preview.ravel(), colours.ravel())[0, 1] > 0.8


def test_a_preview_at_any_step_has_the_shape_of_the_latents_and_does_not_move_the_clip(engine: Engine) -> None:
    looked, alone = engine.admit(make_plan()), engine.admit(make_plan())
    pictures = []
    while not looked.is_done:
        pictures.append(engine.preview(looked))
        engine.step([looked])
    pictures.append(engine.preview(looked))
    assert all(picture.shape == (3, 4, 6, 3) for picture in pictures)
    assert distance(pictures[0], pictures[-1]) > 0
    assert torch.equal(looked.latents_CTHW, advance(engine, alone).latents_CTHW)


def test_two_decoders_learn_the_same_preview(engine: Engine) -> None:
    latents = smooth_latents(2)
    assert distance(Decoder(engine.model.vae).preview(latents), engine.decoder.preview(latents)) == 0
