"""Renders random clips and keeps only their latents: the transformer's whole training set in one memory-mapped file.

    python -m training.pocket.encode_clips --clips 10000 --out runs/pocket/latents

Resumable: clip number `i` is always the same scene, and the count of finished clips is written after each batch.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from tqdm import tqdm

from training.pocket.arithmetic import autocast
from training.pocket.renderer import render
from training.pocket.train_vae import CONFIG, encode, to_tensor
from training.pocket.world import Scene, random_scene

LATENT_SHAPE = (16, 5, 12, 20)
FIRST_SEED = 100_000
NUM_STATISTICS = 2000


def scene_of(index: int) -> Scene:
    """The scene of training clip `index`."""
    return random_scene(random.Random(FIRST_SEED + index))


def load_vae(path: Path) -> AutoencoderKLWan:
    """The autoencoder of a checkpoint's `vae` folder, or the averaged one of a training run's `state.pt`, ready for inference."""
    if path.is_dir():
        return AutoencoderKLWan.from_pretrained(path, torch_dtype=torch.float32).eval().requires_grad_(False)
    vae = AutoencoderKLWan(**CONFIG)
    vae.load_state_dict(torch.load(path, weights_only=True)["average"])
    return vae.eval().requires_grad_(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--vae", type=Path, default=Path("runs/pocket/vae/state.pt"))
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/latents"))
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    vae = load_vae(args.vae)
    about_path = args.out / "about.json"
    done = json.loads(about_path.read_text())["clips"] if about_path.exists() else 0
    path = args.out / "latents.f16"
    with path.open("ab") as file:
        file.truncate(done * int(np.prod(LATENT_SHAPE)) * 2)
        for start in tqdm(range(done, args.clips, args.batch), unit="batch"):
            clips = torch.stack([to_tensor(render(scene_of(start + i))) for i in range(args.batch)])
            with torch.no_grad(), autocast():
                mean, _ = encode(vae, clips)
            file.write(mean.half().numpy().tobytes())
            file.flush()
            about_path.write_text(json.dumps({"clips": start + args.batch}))


def open_latents(folder: Path) -> np.ndarray:
    """All finished latents, float16 `[N, C, T, H, W]`, mapped from disk."""
    clips = json.loads((folder / "about.json").read_text())["clips"]
    return np.memmap(folder / "latents.f16", np.float16, "r", shape=(clips, *LATENT_SHAPE))


def statistics(latents: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each latent channel, `[C, 1, 1, 1]`."""
    sample = torch.from_numpy(np.array(latents[:NUM_STATISTICS])).float()
    return sample.mean((0, 2, 3, 4)).view(-1, 1, 1, 1), sample.std((0, 2, 3, 4)).view(-1, 1, 1, 1)


if __name__ == "__main__":
    main()
