"""Trains a style adapter for the pocket model: low-rank weights that redraw its world in another look.

    python -m training.pocket.train_style --style night --minutes 10 --out runs/pocket/style-night

Rendered clips are repainted (styles.py), encoded once, and learnt by the same flow matching as the model itself, with every weight of
the model frozen (Hu et al. 2021, arXiv 2106.09685). Resumable. At the end the adapter is written as `cinelet loras` wants it, and
compared with the look itself: the model's plain clips, repainted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import WanTransformer3DModel
from peft import LoraConfig
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from cinelet.engine import Engine, Trajectory, load_model
from cinelet.engine.attention import install
from cinelet.models import Adapters, Catalogue, plan
from cinelet.video import LoraUse, Plan, Video, VideoRequest
from training.pocket.arithmetic import DTYPE, autocast
from training.pocket.captions import caption
from training.pocket.encode_clips import LATENT_SHAPE, load_vae, scene_of
from training.pocket.renderer import render
from training.pocket.run import Run, cosine
from training.pocket.styles import STYLES
from training.pocket.train_transformer import SHIFT, Captioner
from training.pocket.train_vae import encode, to_tensor

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2"]
WARMUP = 20
ENCODE_BATCH = 4
NUM_COMPARED = 4
FIRST_COMPARED = 900_000
"""Scenes that no training has seen."""


def encode_clips(folder: Path, style: str, count: int, vae_folder: Path) -> np.ndarray:
    """Normalised latents `[N, C, T, H, W]` of repainted clips, float16; encoded once and kept."""
    path = folder / f"latents-{count}.npy"
    if not path.exists():
        vae = load_vae(vae_folder)
        mean = torch.tensor(vae.config.latents_mean).view(-1, 1, 1, 1)
        std = torch.tensor(vae.config.latents_std).view(-1, 1, 1, 1)
        latents = np.empty((count, *LATENT_SHAPE), np.float16)
        for start in tqdm(range(0, count, ENCODE_BATCH), unit="batch", desc="encode"):
            indices = range(start, min(count, start + ENCODE_BATCH))
            clips = torch.stack([to_tensor(STYLES[style](render(scene_of(i)))) for i in indices])
            with torch.no_grad(), autocast():
                encoded, _ = encode(vae, clips)
            latents[start : indices.stop] = ((encoded.float() - mean) / std).half().numpy()
        np.save(path, latents)
    result: np.ndarray = np.load(path, mmap_mode="r")
    return result


def make_student(folder: Path, rank: int) -> tuple[WanTransformer3DModel, dict[str, nn.Parameter]]:
    """The frozen transformer with fresh low-rank layers, and those by name."""
    model = WanTransformer3DModel.from_pretrained(folder, torch_dtype=torch.float32).requires_grad_(False)
    model.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS))
    return model, {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def write_adapter(layers: dict[str, nn.Parameter], out: Path, style: str) -> Path:
    """The adapter as a folder that can be copied among the others; returns the folder that holds it."""
    folder = out / "loras" / style
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"transformer.{name.replace('.default.', '.')}": layer.detach().to(torch.bfloat16).contiguous() for name, layer in layers.items()
    }
    save_file(tensors, folder / f"{style}.safetensors")
    about = {"title": f"The pocket world, {style}", "base": "pocket"}
    (folder / "adapter.json").write_text(json.dumps(about, indent=1) + "\n")
    return folder.parent


def compare(loras: Path, style: str) -> dict[str, float]:
    """PSNR in dB of clips against the look itself (plain clips, repainted): of the plain ones, and of those with the adapter."""
    card = Catalogue(Path()).get("pocket")
    engine = Engine(load_model(card.folder, torch.device("cpu")), get_adapter=Adapters(loras).get)
    without, with_style = [], []
    for i in tqdm(range(NUM_COMPARED), unit="clip", desc="compare"):
        scene = scene_of(FIRST_COMPARED + i)
        plain = plan(VideoRequest(prompt=caption(scene, random.Random(i), "en"), seed=i), card)
        clip = _draw(engine, plain)
        look = STYLES[style](clip.frames)
        without.append(psnr(clip.frames, look))
        with_style.append(psnr(_draw(engine, dataclasses.replace(plain, loras=(LoraUse(style),))).frames, look))
    return {"psnr_without_db": float(np.mean(without)), "psnr_with_db": float(np.mean(with_style))}


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.square(one.astype(np.float64) - other.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def _draw(engine: Engine, planned: Plan) -> Video:
    trajectory: Trajectory = engine.admit(planned)
    while not trajectory.is_done:
        engine.step([trajectory])
    return engine.finish(trajectory)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--style", choices=STYLES, default="night")
    parser.add_argument("--minutes", type=float, default=10, help="processor time over all starts; the learning rate falls with it")
    parser.add_argument("--clips", type=int, default=320)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--max-steps", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    torch.manual_seed(0)
    home = Catalogue(Path()).get("pocket").folder
    run = Run(args.out)
    latents = encode_clips(args.out, args.style, args.clips, home / "vae")
    captioner = Captioner(home)
    model, layers = make_student(home / "transformer", args.rank)
    processor = install([model])
    optimizer = torch.optim.AdamW(layers.values(), lr=args.lr, weight_decay=0.0)
    step, spent_s = 0, 0.0
    if state := run.find_state():
        for name, layer in layers.items():
            layer.data.copy_(state["layers"][name])
        optimizer.load_state_dict(state["optimizer"])
        step, spent_s = state["step"], state["spent_s"]
    print(f"{sum(layer.numel() for layer in layers.values()) / 1e3:.0f} thousand parameters, {len(latents)} clips, step {step}")
    total, since, last, budget_s = 0.0, 0, time.process_time(), 60 * args.minutes
    while spent_s < budget_s and step < args.max_steps:
        rng, generator = random.Random(step), torch.Generator().manual_seed(step)
        indices = sorted(rng.sample(range(len(latents)), args.batch))
        clip = torch.from_numpy(np.array(latents[indices])).float()
        noise = torch.randn(clip.shape, generator=generator)
        u = torch.sigmoid(torch.randn(args.batch, generator=generator))
        sigma = SHIFT * u / (1 + (SHIFT - 1) * u)
        s = sigma.view(-1, 1, 1, 1, 1)
        embeds, bias = captioner(indices, rng)
        with autocast():
            processor.bias_B11L = bias.to(DTYPE)
            velocity = model((1 - s) * clip + s * noise, sigma * 1000, embeds, return_dict=False)[0]
        loss = (velocity.float() - (noise - clip)).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(layers.values(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * min((step + 1) / WARMUP, cosine(spent_s / budget_s))
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        total, since = total + loss.item(), since + 1
        now = time.process_time()
        spent_s, last = spent_s + now - last, now
        if step % 20 == 0:
            run.log(step=step, loss=total / since, left_s=max(0.0, budget_s - spent_s))
            total, since = 0.0, 0
            kept = {name: layer.data for name, layer in layers.items()}
            run.save(layers=kept, optimizer=optimizer.state_dict(), step=step, spent_s=spent_s)
    loras = write_adapter(layers, args.out, args.style)
    run.log(step=step, **compare(loras, args.style))


if __name__ == "__main__":
    main()
