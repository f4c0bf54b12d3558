"""Trains the pocket model's tiny decoder to draw what its autoencoder draws from the same latents.

    python -m training.pocket.train_tiny_decoder --steps 3600 --out runs/pocket/vae_tiny

The teacher decodes some of the clips in runs/pocket/latents once; the student draws crops of many clips at a time, and what it draws
at a crop's edge does not count, because the teacher saw more there. Resumable. With `--install` the averaged weights go into a
checkpoint's `vae_tiny`, in float16.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from cinelet.engine.tiny_decoder import TinyConfig, TinyDecoder
from cinelet.models.card import TINY_VAE
from cinelet.models.files import write_manifest
from training.pocket.arithmetic import autocast
from training.pocket.encode_clips import load_vae, open_latents
from training.pocket.muon import MuonWithAdamW
from training.pocket.run import Average, Run, learning_rate
from training.pocket.train_vae import decode, reconstruction_loss

CONFIG = TinyConfig(latent_channels=16, widths=(64, 48, 32, 24), blocks=(1, 2, 1), grow_space=(2, 2, 1), patch_size=2)
EDGES = ("decoder.1.", f"decoder.{len(TinyDecoder(CONFIG).decoder) - 1}.")
"""Layers that touch latents or pixels, left to AdamW."""
NUM_HELD_OUT = 8
EDGE_PIXELS = 8
"""What does not count at the sides of a crop, where they are not the picture's."""


class Lessons:
    """Clips of normalised latents `[C, T, H, W]` with the teacher's frames, uint8 `[C, T, H, W]`."""

    def __init__(self, vae: AutoencoderKLWan, latents: np.ndarray, indices: range) -> None:
        shape = (-1, 1, 1, 1)
        mean, std = torch.tensor(vae.config.latents_mean).view(shape), torch.tensor(vae.config.latents_std).view(shape)
        self.latents, self.frames = [], []
        for i in tqdm(indices, unit="clip", desc="teacher"):
            raw_CTHW = torch.from_numpy(np.array(latents[i])).float()
            with torch.no_grad(), autocast():
                pixels = decode(vae, raw_CTHW[None])[0]
            self.latents.append((raw_CTHW - mean) / std)
            self.frames.append(pixels.float().clamp(-1, 1).add(1).mul(127.5).round().byte())

    def __len__(self) -> int:
        return len(self.latents)

    def whole(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents and frames in -1..1 of one clip, each with a batch axis."""
        return self.latents[i][None], _signed(self.frames[i])[None]

    def crops(self, rng: random.Random, batch: int, side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latents of `side` x `side` places of random clips, their frames in -1..1, and which pixels count (1 or 0)."""
        latents, frames, counting = [], [], []
        stride = CONFIG.stride[1]
        for _ in range(batch):
            i = rng.randrange(len(self))
            height, width = self.latents[i].shape[-2:]
            y, x = rng.randrange(height - side + 1), rng.randrange(width - side + 1)
            latents.append(self.latents[i][..., y : y + side, x : x + side])
            rows, columns = (slice(start * stride, (start + side) * stride) for start in (y, x))
            frames.append(_signed(self.frames[i][..., rows, columns]))
            counts = torch.zeros(1, 1, height * stride, width * stride)
            counts[..., _inner(rows, height * stride), _inner(columns, width * stride)] = 1
            counting.append(counts[..., rows, columns])
        return torch.stack(latents), torch.stack(frames), torch.stack(counting)


def _inner(part: slice, size: int) -> slice:
    """The part without its own edges; an edge of the whole picture stays."""
    return slice(part.start + EDGE_PIXELS * (part.start > 0), part.stop - EDGE_PIXELS * (part.stop < size))


def _signed(frames: torch.Tensor) -> torch.Tensor:
    return frames.float().div_(127.5).sub_(1)


@torch.no_grad()
def report(decoder: nn.Module, lessons: Lessons, folder: Path) -> float:
    """PSNR in dB against the teacher over held-out clips, and a picture: teacher above, student below."""
    errors, rows = [], []
    for i in range(len(lessons)):
        latents, truth = lessons.whole(i)
        output = decoder(latents).clamp(-1, 1)
        errors.append(F.mse_loss(output, truth).item() / 4)
        if i < 4:
            rows += [torch.cat([c[0, :, t] for t in (0, 4, 8, 12, 16)], 2) for c in (truth, output)]
    picture = torch.cat(rows, 1).add(1).mul(127.5).byte().permute(1, 2, 0).numpy()
    Image.fromarray(picture).save(folder / "tiny_decoder.png")
    return float(-10 * np.log10(np.mean(errors)))


def install(decoder: nn.Module, checkpoint: Path) -> None:
    """Write `vae_tiny` into a checkpoint and its manifest anew."""
    folder = checkpoint / TINY_VAE
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(asdict(CONFIG), indent=2) + "\n")
    save_file({name: tensor.half().contiguous() for name, tensor in decoder.state_dict().items()}, folder / "model.safetensors")
    write_manifest(checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=3600)
    parser.add_argument("--clips", type=int, default=200, help="clips that the teacher decodes for the lessons")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--crop", type=int, default=5, help="side of the square crops, in latents")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--checkpoint", type=Path, default=Path("src/cinelet/models/pocket"))
    parser.add_argument("--latents", type=Path, default=Path("runs/pocket/latents"))
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/vae_tiny"))
    parser.add_argument("--install", action="store_true", help="put the result into the checkpoint")
    args = parser.parse_args()

    torch.manual_seed(0)
    run = Run(args.out)
    decoder = TinyDecoder(CONFIG)
    print(f"{sum(p.numel() for p in decoder.parameters()) / 1e6:.2f} M parameters")
    average = Average(decoder, 0.99)
    optimizer = MuonWithAdamW(decoder, EDGES, lr=args.lr, weight_decay=1e-4)
    step = 0
    if state := run.find_state():
        decoder.load_state_dict(state["decoder"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    vae, latents = load_vae(args.checkpoint / "vae"), open_latents(args.latents)
    held_out = Lessons(vae, latents, range(NUM_HELD_OUT))
    lessons = Lessons(vae, latents, range(NUM_HELD_OUT, NUM_HELD_OUT + args.clips)) if step < args.steps else held_out
    sums, since = 0.0, 0
    while step < args.steps:
        inputs, truth, counting = lessons.crops(random.Random(step), args.batch, args.crop)
        with autocast():
            output = decoder(inputs)
        loss = reconstruction_loss(torch.lerp(truth, output.float(), counting), truth)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step(learning_rate(step, args.steps, args.lr, warmup=50))
        step += 1
        average.update(decoder, step)
        sums, since = sums + loss.item(), since + 1
        if step % 50 == 0 or step == args.steps:
            run.log(step=step, loss=sums / since)
            sums, since = 0.0, 0
        if step % 250 == 0 or step == args.steps:
            run.save(decoder=decoder.state_dict(), average=average.module.state_dict(), optimizer=optimizer.state_dict(), step=step)
            run.log(step=step, psnr=report(average.module, held_out, args.out))
    if args.install:
        install(average.module, args.checkpoint)


if __name__ == "__main__":
    main()
