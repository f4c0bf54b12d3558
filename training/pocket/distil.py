"""Distils the pocket transformer to four steps without guidance, into a LoRA adapter.

    python -m training.pocket.distil --minutes 30

The way from noise to clip is cut at four noise levels. For each piece the teacher (the shipped transformer with guidance) is
followed by the midpoint rule, and the student learns to cross the piece in one step: a piecewise straight flow (Yan et al.
2024, PeRFlow, arXiv 2405.07510). The pieces are learnt side by side, each from clips with its noise added. With `--read` whole clips of
four steps must also be recognisable for latent_reader.py; that gradient goes through all of them.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import parametrize

from cinelet.engine.attention import FoldedPromptProcessor, install
from training.pocket.arithmetic import DTYPE, autocast
from training.pocket.encode_clips import open_latents
from training.pocket.latent_reader import load_reader, misread, targets_of
from training.pocket.run import Average, Run, cosine
from training.pocket.train_transformer import LONGEST_STEP_S, WARMUP, Captioner, velocity_at, weights

LEVELS = (1.0, 0.9, 0.75, 0.5, 0.0)
"""Where the way is cut: four even steps under the shift of 3, and the end."""
GUIDANCE = 2.0
RANK = 64
POCKET = Path("src/cinelet/models/pocket")
NAME = "pocket-fast"


class LowRank(nn.Module):
    """A weight `[out, in]` plus the product of two thin matrices, zero at the start."""

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight with its change."""
        return weight + self.up @ self.down


def attach(model: WanTransformer3DModel, rank: int) -> nn.ModuleDict:
    """Freeze `model` and put a `LowRank` on every linear layer of its blocks; by name, dots as slashes."""
    model.requires_grad_(False)
    found = nn.ModuleDict()
    for name, module in model.named_modules():
        if name.startswith("blocks.") and isinstance(module, nn.Linear):
            found[name.replace(".", "/")] = part = LowRank(module.weight, rank)
            parametrize.register_parametrization(module, "weight", part)
    return found


def as_adapter(parts: Mapping[str, nn.Module]) -> dict[str, torch.Tensor]:
    """The tensors of a LoRA file, by the names that diffusers and peft use."""
    tensors = {}
    for name, part in parts.items():
        stem = f"transformer.{name.replace('/', '.')}"
        tensors[f"{stem}.lora_A.weight"] = part.get_parameter("down").detach().bfloat16().contiguous()
        tensors[f"{stem}.lora_B.weight"] = part.get_parameter("up").detach().bfloat16().contiguous()
    return tensors


@torch.no_grad()
def go_on_from(path: Path, parts: Mapping[str, nn.Module]) -> None:
    """Begin with the adapter in `path`."""
    tensors = load_file(path)
    for name, part in parts.items():
        stem = f"transformer.{name.replace('/', '.')}"
        part.get_parameter("down").copy_(tensors[f"{stem}.lora_A.weight"])
        part.get_parameter("up").copy_(tensors[f"{stem}.lora_B.weight"])


class Teacher:
    """The shipped transformer under guidance."""

    def __init__(self, folder: Path, captioner: Captioner) -> None:
        self.model = WanTransformer3DModel.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
        self.processor: FoldedPromptProcessor = install([self.model])
        self.nothing = captioner.embed([""])

    @torch.no_grad()
    def velocity(self, x: torch.Tensor, sigma: torch.Tensor, embeds: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Guided velocity of latents `x` `[B, C, T, H, W]` at noise levels `sigma` `[B]`."""
        count = len(x)
        nothing, no_bias = self.nothing
        self.processor.bias_B11L = torch.cat([bias, no_bias.expand(count, -1, -1, -1)]).to(DTYPE)
        both = self.model(
            torch.cat([x, x]), torch.cat([sigma, sigma]) * 1000, torch.cat([embeds, nothing.expand(count, -1, -1)]), return_dict=False
        )[0]
        with_prompt, without = both.float().chunk(2)
        guided: torch.Tensor = without + GUIDANCE * (with_prompt - without)
        return guided

    def crossing(self, x: torch.Tensor, start: torch.Tensor, end: torch.Tensor, embeds: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """The one velocity that leads from `x` at `start` to where the teacher is at `end`, by the midpoint rule."""
        middle = (start + end) / 2
        ahead = x + (middle - start).view(-1, 1, 1, 1, 1) * self.velocity(x, start, embeds, bias)
        return self.velocity(ahead, middle, embeds, bias)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="training time over all starts; the learning rate falls with it")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--model", type=Path, default=POCKET)
    parser.add_argument("--init", type=Path, help="begin with this adapter, of an earlier transformer")
    parser.add_argument("--read", type=float, default=0.0, help="how much it counts that latent_reader.py reads its four-step clips wrong")
    parser.add_argument("--reader", type=Path, default=Path("runs/pocket/latent_reader"))
    parser.add_argument("--latents", type=Path, default=Path("runs/pocket/latents"))
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/distil"))
    args = parser.parse_args()

    torch.manual_seed(0)
    run = Run(args.out)
    latents = open_latents(args.latents)
    config = json.loads((args.model / "vae/config.json").read_text())
    mean, std = (torch.tensor(config[name]).view(-1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
    captioner = Captioner(args.model, empty_share=0.0)
    teacher = Teacher(args.model / "transformer", captioner)
    student = WanTransformer3DModel.from_pretrained(args.model / "transformer", torch_dtype=torch.float32)
    processor = install([student])
    parts = attach(student, RANK)
    if args.init:
        go_on_from(args.init, dict(parts.named_children()))
    average = Average(parts, 0.99)
    optimizer = torch.optim.AdamW(parts.parameters(), lr=args.lr, betas=(0.9, 0.99), weight_decay=0.0)
    print(f"{sum(p.numel() for p in parts.parameters()) / 1e6:.2f} M parameters, {len(latents)} clips")
    step, spent_s = 0, 0.0
    if state := run.find_state():
        parts.load_state_dict(state["parts"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent_s = state["step"], state["spent_s"]
    reader = load_reader(args.reader) if args.read else None
    levels = torch.tensor(LEVELS)
    total, total_unread, since, began = 0.0, 0.0, 0, time.monotonic()
    last, budget_s = time.monotonic(), 60 * args.minutes
    while spent_s < budget_s:
        rng, generator = random.Random(step), torch.Generator().manual_seed(step)
        indices = sorted(rng.sample(range(len(latents)), args.batch))
        clip = (torch.from_numpy(latents[indices]).float() - mean) / std
        piece = torch.randint(0, len(LEVELS) - 1, (args.batch,), generator=generator)
        start, end = levels[piece], levels[piece + 1]
        s = start.view(-1, 1, 1, 1, 1)
        x = (1 - s) * clip + s * torch.randn(clip.shape, generator=generator)
        embeds, bias = captioner(indices, rng)
        with autocast():
            goal = teacher.crossing(x, start, end, embeds, bias)
        error = (velocity_at(student, processor, (embeds, bias), x, start) - goal).square()
        loss = (weights(clip, s) * error).mean()
        if reader:
            made = torch.randn(clip.shape, generator=generator)
            for level, following in pairwise(LEVELS):
                made = made + (following - level) * velocity_at(student, processor, (embeds, bias), made, level)
            with autocast():
                logits = reader(made)
            unread = misread(logits, targets_of(indices)).mean()
            loss, total_unread = loss + args.read * unread, total_unread + unread.item()
        loss.backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * min((step + 1) / WARMUP, cosine(spent_s / budget_s))
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        average.update(parts, step)
        total, since = total + error.detach().mean().item(), since + 1
        if step % 20 == 0:
            run.log(step=step, loss=total / since, unread=total_unread / since, clips_per_s=20 * args.batch / (time.monotonic() - began))
            total, total_unread, since, began = 0.0, 0.0, 0, time.monotonic()
        now = time.monotonic()
        spent_s, last = spent_s + min(now - last, 4 * LONGEST_STEP_S), now
        if step % 50 == 0 or spent_s >= budget_s:
            state = {"parts": parts.state_dict(), "average": average.module.state_dict(), "optimizer": optimizer.state_dict()}
            run.save(**state, step=step, spent_s=spent_s)
            save_file(as_adapter(dict(average.module.named_children())), args.out / f"{NAME}.safetensors")


if __name__ == "__main__":
    main()
