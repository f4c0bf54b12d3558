"""Trains the pocket VAE: Wan2.2's autoencoder at small size, on crops of whole rendered clips.

    python -m training.pocket.train_vae --steps 3500 --out runs/pocket/vae

Two departures from `AutoencoderKLWan.encode` / `.decode`, both without effect on the result: the temporal chunks after
the first are passed as one (the causal convolutions see the same history), and the decoder's output is not clamped,
because a clamp has no gradient outside its range.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify, unpatchify
from PIL import Image
from torch.nn import functional as F

from training.pocket.arithmetic import autocast
from training.pocket.muon import MuonWithAdamW
from training.pocket.renderer import render
from training.pocket.run import Average, Run, learning_rate
from training.pocket.world import HEIGHT, WIDTH, random_scene

CONFIG = {
    "base_dim": 24,
    "decoder_base_dim": 32,
    "z_dim": 16,
    "dim_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [True, True],
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_temporal": 4,
    "scale_factor_spatial": 8,
    "latents_mean": [0.0] * 16,
    "latents_std": [1.0] * 16,
}

EDGES = ("encoder.conv_in", "decoder.conv_out", "quant_conv", "post_quant_conv")
"""Layers that touch pixels or latents, left to AdamW."""


def encode(vae: AutoencoderKLWan, clip_BCTHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and log variance of the latents, each `[B, z, T', H', W']`, of a clip in -1..1."""
    vae.clear_cache()
    x = patchify(clip_BCTHW, vae.config.patch_size)
    chunks = [x[:, :, :1]] + ([x[:, :, 1:]] if x.shape[2] > 1 else [])
    out = [vae.encoder(chunk, feat_cache=vae._enc_feat_map, feat_idx=[0]) for chunk in chunks]
    vae.clear_cache()
    mean, logvar = vae.quant_conv(torch.cat(out, 2)).chunk(2, dim=1)
    return mean, logvar.clamp(-30, 20)


def decode(vae: AutoencoderKLWan, latents_BCTHW: torch.Tensor) -> torch.Tensor:
    """The clip of `latents_BCTHW` without the final clamp."""
    vae.clear_cache()
    x = vae.post_quant_conv(latents_BCTHW)
    out = [vae.decoder(x[:, :, :1], feat_cache=vae._feat_map, feat_idx=[0], first_chunk=True)]
    if x.shape[2] > 1:
        out.append(vae.decoder(x[:, :, 1:], feat_cache=vae._feat_map, feat_idx=[0]))
    vae.clear_cache()
    pixels: torch.Tensor = unpatchify(torch.cat(out, 2), vae.config.patch_size)
    return pixels


def to_tensor(frames_THWC: np.ndarray) -> torch.Tensor:
    """uint8 `[T, H, W, C]` to float `[C, T, H, W]` in -1..1."""
    return torch.from_numpy(frames_THWC).permute(3, 0, 1, 2).float().div_(127.5).sub_(1)


def crops(rng: random.Random, batch: int, size: int) -> torch.Tensor:
    """`batch` square crops of whole random clips, `[B, C, T, size, size]`, or whole clips where `size` is 0."""
    clips = []
    for _ in range(batch):
        clip = to_tensor(render(random_scene(rng)))
        if size:
            y, x = crop_corner(clip, rng, size)
            clip = clip[:, :, y : y + size, x : x + size]
        clips.append(clip)
    return torch.stack(clips)


def crop_corner(clip: torch.Tensor, rng: random.Random, size: int, moving_share: float = 0.75) -> tuple[int, int]:
    """An even corner of a crop; most crops are centred on a pixel that moves, because still places are easy."""
    y, x = rng.randrange(0, HEIGHT - size + 1, 2), rng.randrange(0, WIDTH - size + 1, 2)
    moving = clip.diff(dim=1).abs().amax((0, 1)).gt(0.1).nonzero()
    if len(moving) and rng.random() < moving_share:
        centre_y, centre_x = moving[rng.randrange(len(moving))].tolist()
        y = min(max(0, centre_y - size // 2), HEIGHT - size) // 2 * 2
        x = min(max(0, centre_x - size // 2), WIDTH - size) // 2 * 2
    return y, x


def reconstruction_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 plus squared error plus L1 of the spatial and temporal differences, which keeps edges and motion crisp."""
    loss = F.l1_loss(output, target) + F.mse_loss(output, target)
    for dim in (2, 3, 4):
        loss = loss + 0.5 * F.l1_loss(output.diff(dim=dim), target.diff(dim=dim))
    return loss


@torch.no_grad()
def report(vae: AutoencoderKLWan, folder: Path) -> float:
    """PSNR in dB over eight fixed whole clips, and a picture: truth above, reconstruction below."""
    rng, errors, rows = random.Random(7), [], []
    for i in range(8):
        clip = crops(rng, 1, 0)
        output = decode(vae, encode(vae, clip)[0]).clamp(-1, 1)
        errors.append(F.mse_loss(output, clip).item() / 4)
        if i < 4:
            rows += [torch.cat([c[0, :, t] for t in (0, 4, 8, 12, 16)], 2) for c in (clip, output)]
    picture = torch.cat(rows, 1).add(1).mul(127.5).byte().permute(1, 2, 0).numpy()
    Image.fromarray(picture).save(folder / "reconstruction.png")
    return float(-10 * np.log10(np.mean(errors)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=3500)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=48, help="side of the square crops in pixels, 0 for whole clips")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--kl", type=float, default=2e-6)
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/vae"))
    args = parser.parse_args()

    torch.manual_seed(0)
    run = Run(args.out)
    vae = AutoencoderKLWan(**CONFIG)
    print(f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters")
    average = Average(vae, 0.998)
    optimizer = MuonWithAdamW(vae, EDGES, lr=args.lr, weight_decay=1e-4)
    step = 0
    if state := run.find_state():
        vae.load_state_dict(state["vae"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    sums, since = 0.0, 0
    while step < args.steps:
        clips = crops(random.Random(step), args.batch, args.crop)
        with autocast():
            mean, logvar = encode(vae, clips)
            noise = torch.randn(mean.shape)
            output = decode(vae, mean + noise * torch.exp(0.5 * logvar.float()))
        mean, logvar = mean.float(), logvar.float()
        divergence = 0.5 * (mean.pow(2) + logvar.exp() - 1 - logvar).sum() / clips.shape[0]
        loss = reconstruction_loss(output.float(), clips) + args.kl * divergence
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step(learning_rate(step, args.steps, args.lr))
        step += 1
        average.update(vae, step)
        sums, since = sums + loss.item(), since + 1
        if step % 50 == 0:
            run.log(step=step, loss=sums / since, kl=divergence.item())
            sums, since = 0.0, 0
        if step % 500 == 0 or step == args.steps:
            run.save(vae=vae.state_dict(), average=average.module.state_dict(), optimizer=optimizer.state_dict(), step=step)
            run.log(step=step, psnr=report(average.module, args.out))


if __name__ == "__main__":
    main()
