"""Trains the pocket transformer by flow matching on encoded clips, with captions written anew for every look.

    python -m training.pocket.train_transformer --minutes 44 --out runs/pocket/transformer

The network predicts the velocity `noise - clip` at `(1 - sigma) * clip + sigma * noise` (Lipman et al. 2022, arXiv
2210.02747), as Wan does. One caption in ten is empty, for classifier-free guidance. With `--read` the clip that the network
believes in must also be recognisable: what latent_reader.py reads in it is held against the scene, at noise levels of real clips and
where the network's own first steps from pure noise have led, which no real clip shows it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from diffusers import WanTransformer3DModel
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

from cinelet.engine.attention import FoldedPromptProcessor, fold
from training.pocket.arithmetic import DTYPE, autocast
from training.pocket.captions import caption
from training.pocket.encode_clips import open_latents, scene_of, statistics
from training.pocket.latent_reader import load_reader, misread, targets_of
from training.pocket.muon import MuonWithAdamW
from training.pocket.run import Average, Run, cosine
from training.pocket.train_text import tokenise
from training.pocket.world import LABELS

CONFIG = {
    "patch_size": [1, 2, 2],
    "num_attention_heads": 4,
    "attention_head_dim": 64,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 128,
    "freq_dim": 128,
    "ffn_dim": 1024,
    "num_layers": 6,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 256,
}
EDGES = ("patch_embedding", "condition_embedder", "proj_out", "scale_shift_table")
SHIFT = 2.0
"""Of the noise levels that are trained, where nothing else is asked for."""
SAMPLING_SHIFT = 3.0
MOST_OWN_STEPS = 6
EMPTY_SHARE = 0.1
MAX_CAPTION = 40
"""Tokens of a caption that are read in training; longer ones are cut, which is rare."""
MOVING_WEIGHT = 5.0
WARMUP = 100
LONGEST_STEP_S = 5.0
"""A step that seems to take longer was paused from outside; the pause is not training time."""


def make_transformer() -> tuple[WanTransformer3DModel, FoldedPromptProcessor]:
    """A fresh transformer whose output starts at zero, and the processor that folds its prompts' padding."""
    model = WanTransformer3DModel(**CONFIG)
    processor = FoldedPromptProcessor()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    nn.init.zeros_(model.proj_out.weight)
    nn.init.normal_(model.condition_embedder.time_proj.weight, std=0.02)
    for block in model.blocks:
        block.attn2.set_processor(processor)
        block.scale_shift_table.data.zero_()
        block.scale_shift_table.data[:, [2, 5]] = 0.3
    return model, processor


def weights(clip: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """How much each place of `clip` counts in the loss, `[B, 1, 1, H, W]`: up to `MOVING_WEIGHT` times more where something moves.

    Four fifths of a clip are a still place that is learnt soon. Near pure noise all places count alike: there the subject may
    still be anywhere, and a weight that knows where it is would teach the network to draw it everywhere.
    """
    moves = clip[:, :, 1:].std(2).mean(1)
    moves = moves / moves.amax((1, 2), keepdim=True).clamp_min(1e-6)
    return 1 + (MOVING_WEIGHT - 1) * (1 - sigma) * moves[:, None, None]


Prompts = tuple[torch.Tensor, torch.Tensor]
"""Embeddings and token scores, as a `Captioner` gives them."""


def velocity_at(
    model: WanTransformer3DModel, processor: FoldedPromptProcessor, prompts: Prompts, noisy: torch.Tensor, sigma: torch.Tensor | float
) -> torch.Tensor:
    """The velocity at latents `noisy` `[B, C, T, H, W]` of noise level `sigma`, one for all or `[B]`, in float32."""
    embeds, bias = prompts
    with autocast():
        processor.bias_B11L = bias.to(DTYPE)
        velocity: torch.Tensor = model(noisy, torch.as_tensor(sigma).expand(len(noisy)) * 1000, embeds, return_dict=False)[0]
    return velocity.float()


def own_levels(num_steps: int) -> list[float]:
    """Noise levels of the first `num_steps` of one step more, from pure noise on, as the sampler spaces them."""
    evenly = [1 - i / (num_steps + 1) for i in range(num_steps + 1)]
    return [SAMPLING_SHIFT * t / (1 + (SAMPLING_SHIFT - 1) * t) for t in evenly]


def own_guesses(velocity_at: Callable[[torch.Tensor, float], torch.Tensor], noise: torch.Tensor, levels: Sequence[float]) -> torch.Tensor:
    """The clips that a network believes in where its own Euler steps from `noise` through `levels` have led it, in the shape of `noise`.
    The gradient is of the last look alone."""
    x = noise
    with torch.no_grad():
        for level, following in pairwise(levels):
            x = x + (following - level) * velocity_at(x, level)
    return x - levels[-1] * velocity_at(x, levels[-1])


def parse_lean(text: str) -> dict[str, float]:
    """`spinning=4,bird=2` as numbers by label name. Raises `ArgumentTypeError`."""
    names, lean = {name for allowed in LABELS.values() for name in allowed}, {}
    for part in filter(None, text.split(",")):
        name, _, times = part.partition("=")
        if name not in names or not times.replace(".", "", 1).isdigit():
            raise argparse.ArgumentTypeError(f"{part!r} is no label name and a number, such as spinning=4")
        lean[name] = float(times)
    return lean


def shares(count: int, lean: Mapping[str, float]) -> NDArray[np.float64]:
    """How likely each of `count` clips is looked at, `[N]`: by the product of what `lean` says of its labels, 1 where it is silent."""
    scenes = [scene_of(i) for i in range(count)]
    weight = np.array([math.prod(lean.get(getattr(scene, label), 1.0) for label in LABELS) for scene in scenes])
    likely: NDArray[np.float64] = weight / weight.sum()
    return likely


class Captioner:
    """Scenes → prompt embeddings through the frozen text encoder; `empty_share` of the prompts are empty."""

    def __init__(self, folder: Path, empty_share: float = EMPTY_SHARE) -> None:
        self.empty_share = empty_share
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
        self.encoder = UMT5EncoderModel.from_pretrained(folder / "text_encoder").eval()

    def __call__(self, indices: list[int], rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings `[B, L, D]` and token scores `[B, 1, 1, L]` of one caption a clip, always of one length; some are empty."""
        return self.embed(self.write(indices, rng))

    def write(self, indices: list[int], rng: random.Random) -> list[str]:
        """One caption a clip; some are empty."""
        languages = ("en", "zh")
        return ["" if rng.random() < self.empty_share else caption(scene_of(i), rng, languages[rng.random() < 0.5]) for i in indices]

    @torch.no_grad()
    def embed(self, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """As `__call__`, of given texts."""
        ids, mask = tokenise(self.tokenizer, texts)
        hidden = self.encoder(ids, mask).last_hidden_state
        prompts = fold([hidden[i, : min(MAX_CAPTION, int(mask[i].sum()))] for i in range(len(texts))])
        assert prompts.bias_B11L is not None
        missing = MAX_CAPTION + 1 - prompts.embeds_BLD.shape[1]
        return F.pad(prompts.embeds_BLD, (0, 0, 0, missing)), F.pad(prompts.bias_B11L, (0, missing), value=-math.inf)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=44, help="training time over all starts; the learning rate falls with it")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--average", type=float, default=0.9985, help="how much of the averaged weights stays at each step")
    parser.add_argument("--lean", type=parse_lean, default={}, help="clips to look at more often, `spinning=4,bird=2`; default: all alike")
    parser.add_argument("--read", type=float, default=0.0, help="how much it counts that latent_reader.py reads the clip wrong")
    parser.add_argument("--shift", type=float, default=SHIFT, help="of the noise levels: more looks more often at much noise")
    parser.add_argument("--reader", type=Path, default=Path("runs/pocket/latent_reader"))
    parser.add_argument("--init", type=Path, help="start from this checkpoint's transformer folder and not from random weights")
    parser.add_argument("--text", type=Path, default=Path("runs/pocket/text"))
    parser.add_argument("--latents", type=Path, default=Path("runs/pocket/latents"))
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/transformer"))
    args = parser.parse_args()

    torch.manual_seed(0)
    run = Run(args.out)
    latents = open_latents(args.latents)
    mean, std = statistics(latents)
    (args.out / "latents.json").write_text(json.dumps({"mean": mean.flatten().tolist(), "std": std.flatten().tolist()}))
    captioner = Captioner(args.text)
    model, processor = make_transformer()
    if args.init:
        model.load_state_dict(WanTransformer3DModel.from_pretrained(args.init, torch_dtype=torch.float32).state_dict())
    average = Average(model, args.average)
    optimizer = MuonWithAdamW(model, EDGES, lr=args.lr, weight_decay=0.01)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {len(latents)} clips")
    step, spent_s = 0, 0.0
    if state := run.find_state():
        model.load_state_dict(state["model"])
        average.module.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent_s = state["step"], state["spent_s"]
    likely = shares(len(latents), args.lean)
    reader = load_reader(args.reader) if args.read else None
    total, total_unread, since, began = 0.0, 0.0, 0, time.monotonic()
    last, budget_s = time.monotonic(), 60 * args.minutes
    while spent_s < budget_s:
        rng = random.Random(step)
        generator = torch.Generator().manual_seed(step)
        if step % 500 == 0:
            latents = open_latents(args.latents)
            likely = shares(len(latents), args.lean)
        indices = np.sort(np.random.default_rng(step).choice(len(latents), args.batch, replace=False, p=likely))
        clip = (torch.from_numpy(latents[indices]).float() - mean) / std
        noise = torch.randn(clip.shape, generator=generator)
        u = torch.sigmoid(torch.randn(args.batch, generator=generator))
        sigma = args.shift * u / (1 + (args.shift - 1) * u)
        s = sigma.view(-1, 1, 1, 1, 1)
        captions = captioner.write(indices.tolist(), rng)
        embeds, bias = captioner.embed(captions)
        noisy = (1 - s) * clip + s * noise
        velocity = velocity_at(model, processor, (embeds, bias), noisy, sigma)
        error = (velocity - (noise - clip)).square()
        loss = (weights(clip, s) * error).mean()
        if reader:
            half = args.batch // 2
            levels = own_levels(rng.randint(1, MOST_OWN_STEPS))
            own = own_guesses(partial(velocity_at, model, processor, (embeds[:half], bias[:half])), noise[:half], levels)
            with autocast():
                logits = reader(torch.cat([noisy - s * velocity, own]))
            told = torch.tensor([text != "" for text in captions])
            unread = misread(logits, targets_of([*indices.tolist(), *indices[:half].tolist()])) * torch.cat([told, told[:half]])
            loss, total_unread = loss + args.read * unread.mean(), total_unread + unread[args.batch :].mean().item()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(args.lr * min((step + 1) / WARMUP, cosine(spent_s / budget_s)))
        step += 1
        average.update(model, step)
        total, since = total + error.detach().mean().item(), since + 1
        if step % 50 == 0:
            pace = 50 * args.batch / (time.monotonic() - began)
            run.log(step=step, loss=total / since, unread=total_unread / since, clips_per_s=pace)
            total, total_unread, since, began = 0.0, 0.0, 0, time.monotonic()
        now = time.monotonic()
        spent_s, last = spent_s + min(now - last, LONGEST_STEP_S), now
        if step % 100 == 0 or spent_s >= budget_s:
            parts = {"model": model.state_dict(), "average": average.module.state_dict(), "optimizer": optimizer.state_dict()}
            run.save(**parts, step=step, spent_s=spent_s)


if __name__ == "__main__":
    main()
