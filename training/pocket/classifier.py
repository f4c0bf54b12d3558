"""A small network that watches a clip and says which scene it shows: subject, colour, motion and place.

    python -m training.pocket.classifier --steps 600 --out runs/pocket/classifier

It is the judge of generated clips (evaluate.py), so it learns from drawn clips that are spoilt the way a small autoencoder
or an unfinished diffusion spoils them; where encoded clips exist (encode_clips.py), some come through the autoencoder itself.
Nine frames at half size pass through one picture network, each beside its difference from the clip's mean over time; what
moves where is then read across the frames.

It knows nothing of prompts or of the model under test. It always answers: an empty or absurd clip gets its nearest labels,
not a refusal, and beauty, sharpness and a second subject go unnoticed.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from training.pocket.arithmetic import autocast
from training.pocket.encode_clips import load_vae, open_latents, scene_of
from training.pocket.muon import MuonWithAdamW
from training.pocket.renderer import render
from training.pocket.run import Run, learning_rate
from training.pocket.train_vae import decode
from training.pocket.world import HEIGHT, LABELS, MOTIONS, WIDTH, Scene, random_scene

WEIGHTS = Path(__file__).with_name("classifier.safetensors")
FRAMES_READ = 9
"""Frames that the network sees: every other one of the world's 17."""
VIEW_HEIGHT, VIEW_WIDTH = HEIGHT // 2, WIDTH // 2
GRID = (VIEW_HEIGHT // 8, VIEW_WIDTH // 8)
EDGES = ("eye.0.", "attention", "still_heads", "path.11")
"""Layers that touch pixels or answers, left to AdamW."""
FIRST_TRAINING_SEED = 500_000_000
FIRST_HELD_OUT_SEED = 900_000_000

MIRRORED = {"left": "right", "right": "left"}
REVERSED = {"left": "right", "right": "left", "rising": "falling", "falling": "rising"}


# --------------------------------------------------------------------------------------------------------------- network


class Block(nn.Module):
    """Two convolutions around which the input passes unchanged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Same shape out as in."""
        return F.relu(x + self.body(x), inplace=True)


def halve(inputs: int, outputs: int) -> list[nn.Module]:
    """Layers from `inputs` to `outputs` channels at half the height and width."""
    return [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class Classifier(nn.Module):
    """Clips → labels. `predict` is the way in for users; `forward` wants views made by `view`.

    `eye` turns each frame beside its difference from the mean, `[B * T, 2 * C, H, W]`, into features `[B * T, width, *GRID]`.
    """

    def __init__(self, width: int = 96, path_width: int = 96, eye: nn.Module | None = None, length: int = FRAMES_READ) -> None:
        super().__init__()
        if eye is None:
            eye = nn.Sequential(*halve(6, 32), Block(32), *halve(32, 64), Block(64), *halve(64, width), Block(width))
        self.eye = eye
        self.still_labels = tuple(label for label in LABELS if label != "motion")
        self.attention = nn.Conv2d(width, len(self.still_labels), 1)
        self.still_heads = nn.ModuleDict({label: nn.Linear(3 * width, len(LABELS[label])) for label in self.still_labels})
        self.place = nn.Conv2d(width, 16, 1)
        self.pose = nn.Linear(16 * GRID[0] * GRID[1], path_width)
        self.path = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv1d(path_width, path_width, 3, padding=1, bias=False),
            nn.BatchNorm1d(path_width),
            nn.ReLU(inplace=True),
            nn.Conv1d(path_width, path_width, 3, padding=1, bias=False),
            nn.BatchNorm1d(path_width),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.Linear(path_width * length, 96),
            nn.ReLU(inplace=True),
            nn.Linear(96, len(MOTIONS)),
        )

    def forward(self, view_BTCHW: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits `[B, names]` for each label of views `[B, T, C, H, W]`; for its own eye `[B, 9, 3, 48, 80]` in 0..1."""
        batch, length = view_BTCHW.shape[:2]
        difference = view_BTCHW - view_BTCHW.mean(1, keepdim=True)
        x = torch.cat([view_BTCHW - 0.5, 2 * difference], 2).flatten(0, 1)
        features = self.eye(x.contiguous(memory_format=torch.channels_last))
        logits = self._still(features, batch)
        poses = self.pose(F.relu(self.place(features)).flatten(1)).view(batch, length, -1)
        logits["motion"] = self.path(poses.transpose(1, 2))
        return logits

    def _still(self, features: torch.Tensor, batch: int) -> dict[str, torch.Tensor]:
        """Each label that needs no order of frames looks where it wants, at the strongest sign anywhere and at everything alike."""
        values_BPD = features.flatten(2).transpose(1, 2).reshape(batch, -1, features.shape[1])
        weights_BPL = self.attention(features).flatten(2).transpose(1, 2).reshape(batch, values_BPD.shape[1], -1).float().softmax(1)
        seen_BLD = weights_BPL.transpose(1, 2).to(values_BPD.dtype) @ values_BPD
        shared = torch.cat([values_BPD.amax(1), values_BPD.mean(1)], 1)
        return {label: self.still_heads[label](torch.cat([seen_BLD[:, i], shared], 1)) for i, label in enumerate(self.still_labels)}

    @torch.no_grad()
    def predict(self, frames: Sequence[NDArray[np.uint8]], batch: int = 16) -> list[dict[str, str]]:
        """The four labels of each clip uint8 `[T, H, W, C]`, of any length and size."""
        self.eval()
        answers: list[dict[str, str]] = []
        for start in range(0, len(frames), batch):
            views = torch.from_numpy(np.stack([view(clip) for clip in frames[start : start + batch]]))
            choices = {label: logits.argmax(1).tolist() for label, logits in self(views).items()}
            answers += [{label: LABELS[label][choices[label][i]] for label in LABELS} for i in range(len(views))]
        return answers


def view(clip: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network sees of a clip uint8 `[T, H, W, C]`: nine frames at half size, `[9, 3, 48, 80]` in 0..1."""
    if clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
        raise ValueError(f"clip of shape {clip.shape} is not frames [T, H, W, 3]")
    chosen = clip[np.linspace(0, len(clip) - 1, FRAMES_READ).round().astype(int)]
    if chosen.shape[1:3] != (HEIGHT, WIDTH):
        chosen = _resize(chosen)
    wide = chosen.astype(np.uint16)
    half = wide[:, ::2, ::2] + wide[:, 1::2, ::2] + wide[:, ::2, 1::2] + wide[:, 1::2, 1::2]
    return np.ascontiguousarray((half / np.float32(4 * 255)).transpose(0, 3, 1, 2), np.float32)


def _resize(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    resized = F.interpolate(pictures, (HEIGHT, WIDTH), mode="bilinear", antialias=True, align_corners=False)
    return resized.permute(0, 2, 3, 1).numpy()


def load_classifier(path: Path = WEIGHTS) -> Classifier:
    """The trained classifier on the CPU, in float32 and ready to predict."""
    classifier = Classifier()
    classifier.load_state_dict(load_file(path))
    return classifier.eval().requires_grad_(False)


def recorded_accuracy(path: Path = WEIGHTS) -> dict[str, float]:
    """What the classifier scored on held-out drawn clips when its weights were written."""
    with safe_open(path, "pt") as file:
        accuracy: dict[str, float] = json.loads((file.metadata() or {})["accuracy_on_rendered"])
    return accuracy


# -------------------------------------------------------------------------------------------------------------- training


def spoil(views: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Views `[B, T, 3, H, W]` as a poor decoder would show them: tinted, soft, ghosted, blotched, noisy and a little displaced."""
    batch, length, _, height, width = views.shape

    def draw(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=rng)

    views = _shift(views, rng)
    ghost = (draw(-0.35, 0.4, batch, 1, 1, 1, 1)).clamp_(min=0)
    views = torch.lerp(views, views.roll(1, 1).index_copy_(1, torch.tensor([0]), views[:, :1]), ghost)
    views = _coarsen(views, draw(0.35, 1.2, 4).tolist(), draw(0.3, 1.0, batch, 1, 1, 1, 1))
    contrast, brightness = draw(0.86, 1.1, batch, 1, 1, 1, 1), draw(-0.06, 0.06, batch, 1, 1, 1, 1)
    tint, flicker = draw(-0.025, 0.025, batch, 1, 3, 1, 1), draw(-0.02, 0.02, batch, length, 1, 1, 1)
    views = (views - 0.5) * contrast + 0.5 + brightness + tint + flicker
    blotches = torch.randn(batch * length, 3, height // 8, width // 8, generator=rng)
    blotches = F.interpolate(blotches, (height, width), mode="bilinear").view_as(views)
    views = views + blotches * draw(-0.03, 0.07, batch, 1, 1, 1, 1).clamp_(min=0)
    noise = torch.randn(views.shape, generator=rng)
    return (views + noise * draw(-0.02, 0.06, batch, 1, 1, 1, 1).clamp_(min=0)).clamp_(0, 1)


def _shift(views: torch.Tensor, rng: torch.Generator, reach: int = 4) -> torch.Tensor:
    """Each clip moved by up to `reach` pixels, its edges repeated."""
    batch, _, _, height, width = views.shape
    padded = F.pad(views.flatten(1, 2), (reach,) * 4, mode="replicate").view(*views.shape[:3], height + 2 * reach, width + 2 * reach)
    corners = torch.randint(0, 2 * reach + 1, (batch, 2), generator=rng).tolist()
    return torch.stack([clip[..., y : y + height, x : x + width] for clip, (y, x) in zip(padded, corners, strict=True)])


def _coarsen(views: torch.Tensor, shares: Sequence[float], strength: torch.Tensor) -> torch.Tensor:
    """Each of `len(shares)` parts of the batch blended with itself at that share of the resolution; 1 and more leave it sharp."""
    parts = []
    for part, share in zip(views.chunk(len(shares)), shares, strict=True):
        pictures, size = part.flatten(0, 1), (int(share * views.shape[3]), int(share * views.shape[4]))
        coarse = F.interpolate(pictures, size, mode="bilinear", antialias=True) if share < 1 else pictures
        parts.append(F.interpolate(coarse, views.shape[3:], mode="bilinear").view_as(part))
    return torch.lerp(views, torch.cat(parts), strength)


def turn(clip: NDArray[np.float32], motion: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
    """Now and then a clip mirrored or played backwards, so that a direction is read from the motion, not from the snout."""
    if rng.random() < 0.2:
        clip, motion = clip[..., ::-1], MIRRORED.get(motion, motion)
    if rng.random() < 0.2 and motion != "growing":
        clip, motion = clip[::-1], REVERSED.get(motion, motion)
    return clip, motion


def decoded_clips(num: int, latents_folder: Path, vae_path: Path, path: Path) -> list[tuple[NDArray[np.float32], Scene]]:
    """`num` training clips as the autoencoder gives them back, every other one from latents with a little noise; kept in `path`.

    None at all where nothing is encoded yet.
    """
    if num == 0 or not latents_folder.exists():
        return []
    if not path.exists():
        latents, vae, rng = np.array(open_latents(latents_folder)[:num]), load_vae(vae_path), torch.Generator().manual_seed(0)
        views = np.stack([_decode_one(vae, torch.from_numpy(latent).float(), 0.4 * (i % 2), rng) for i, latent in enumerate(latents)])
        np.save(path, views)
    views = np.load(path)
    return [(clip, scene_of(i)) for i, clip in enumerate(views)]


@torch.no_grad()
def _decode_one(vae: AutoencoderKLWan, latents: torch.Tensor, noise: float, rng: torch.Generator) -> NDArray[np.float16]:
    """The view of one clip's latents `[C, T, H, W]`, off by up to `noise` of their spread."""
    share = noise * torch.rand(1, generator=rng) * latents.std((1, 2, 3), keepdim=True)
    with autocast():
        clip = decode(vae, (latents + share * torch.randn(latents.shape, generator=rng))[None])[0]
    frames = clip.float().clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 3, 0).numpy()
    return view(frames).astype(np.float16)


def training_batch(
    step: int, batch: int, decoded: Sequence[tuple[NDArray[np.float32], Scene]] = (), decoded_share: float = 0.25
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Batch number `step`: spoilt views, a share of them decoded where there are such, and the index of each label's name."""
    rng = random.Random(FIRST_TRAINING_SEED + step)
    views, names = [], []
    for _ in range(batch):
        if decoded and rng.random() < decoded_share:
            clip, scene = rng.choice(decoded)
        else:
            scene = random_scene(rng)
            clip = view(render(scene, FRAMES_READ))
        clip, motion = turn(clip, scene.motion, rng)
        views.append(clip)
        names.append({"subject": scene.subject, "colour": scene.colour, "motion": motion, "scene": scene.scene})
    targets = {label: torch.tensor([allowed.index(name[label]) for name in names]) for label, allowed in LABELS.items()}
    return spoil(torch.from_numpy(np.stack(views).astype(np.float32)), torch.Generator().manual_seed(step)), targets


def held_out_scenes(num: int) -> Iterator[Scene]:
    """Scenes that no training batch draws."""
    return (random_scene(random.Random(FIRST_HELD_OUT_SEED + i)) for i in range(num))


def accuracy_on_rendered(num: int = 1000, classifier: Classifier | None = None, part: int = 50) -> dict[str, float]:
    """Share of `num` held-out drawn clips that the classifier (by default the shipped one) reads right, by label."""
    judge = classifier or load_classifier()
    scenes = list(held_out_scenes(num))
    hits = dict.fromkeys(LABELS, 0)
    for start in range(0, num, part):
        chosen = scenes[start : start + part]
        for scene, answer in zip(chosen, judge.predict([render(scene) for scene in chosen]), strict=True):
            for label in LABELS:
                hits[label] += answer[label] == getattr(scene, label)
    return {label: count / num for label, count in hits.items()}


def export(classifier: Classifier, path: Path) -> None:
    """Write half-precision weights, with the accuracy that exactly these weights reach on 1000 held-out drawn clips."""
    tensors = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in classifier.state_dict().items()}
    save_file(tensors, path, {"accuracy_on_rendered": "{}"})
    accuracy = accuracy_on_rendered(classifier=load_classifier(path))
    save_file(tensors, path, {"accuracy_on_rendered": json.dumps(accuracy)})
    print(json.dumps(accuracy))


def _loss(logits: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([F.cross_entropy(logits[label].float(), targets[label]) for label in LABELS]).sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=6e-3)
    parser.add_argument("--decoded", type=int, default=400, help="how many clips come through the autoencoder, if it is trained")
    parser.add_argument("--latents", type=Path, default=Path("runs/pocket/latents"))
    parser.add_argument("--vae", type=Path, default=Path("runs/pocket/vae/state.pt"))
    parser.add_argument("--out", type=Path, default=Path("runs/pocket/classifier"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where the finished weights go")
    args = parser.parse_args()

    torch.manual_seed(0)
    run = Run(args.out)
    classifier = Classifier()
    print(f"{sum(p.numel() for p in classifier.parameters()) / 1e6:.2f} M parameters")
    optimizer = MuonWithAdamW(classifier, EDGES, lr=args.lr, weight_decay=0.02)
    step = 0
    if state := run.find_state():
        classifier.load_state_dict(state["classifier"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    decoded = decoded_clips(args.decoded, args.latents, args.vae, args.out / "decoded.npy")
    total, since = 0.0, 0
    while step < args.steps:
        views, targets = training_batch(step, args.batch, decoded)
        classifier.train()
        with autocast():
            loss = _loss(classifier(views), targets)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(classifier.parameters(), 2.0)
        optimizer.step(learning_rate(step, args.steps, args.lr, warmup=40, floor=0.005))
        step += 1
        total, since = total + loss.item(), since + 1
        if step % 50 == 0:
            run.log(step=step, loss=total / since)
            total, since = 0.0, 0
        if step % 100 == 0 or step == args.steps:
            run.save(classifier=classifier.state_dict(), optimizer=optimizer.state_dict(), step=step)
            run.log(step=step, **accuracy_on_rendered(100, classifier))
    export(classifier, args.weights)


if __name__ == "__main__":
    main()
