"""What reads latents, and the transformer that is told what it reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from training.pocket import latent_reader, train_transformer
from training.pocket.distil import POCKET
from training.pocket.encode_clips import LATENT_SHAPE
from training.pocket.latent_reader import LatentReader, misread, spoil, targets_of
from training.pocket.world import LABELS

CLIPS = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Latents of noise, so many that a training can be begun."""
    (tmp_path / "latents").mkdir()
    latents = np.random.default_rng(0).normal(size=(CLIPS, *LATENT_SHAPE)).astype(np.float16)
    (tmp_path / "latents/latents.f16").write_bytes(latents.tobytes())
    (tmp_path / "latents/about.json").write_text(json.dumps({"clips": CLIPS}))
    return tmp_path


def test_each_label_is_answered_for_each_clip() -> None:
    logits = LatentReader().eval()(torch.zeros(3, *LATENT_SHAPE))
    assert {label: tuple(answer.shape) for label, answer in logits.items()} == {label: (3, len(names)) for label, names in LABELS.items()}


def test_who_names_every_label_surely_has_misread_nothing() -> None:
    targets = targets_of([0, 1])
    sure = {label: 50.0 * torch.nn.functional.one_hot(targets[label], len(names)) for label, names in LABELS.items()}
    assert misread(sure, targets).tolist() == pytest.approx([0.0, 0.0], abs=1e-5)
    wrong = {**sure, "subject": sure["subject"].roll(1, 1)}
    assert min(misread(wrong, targets).tolist()) > 10


def test_spoilt_latents_are_the_same_for_the_same_seed_and_close_to_what_they_were() -> None:
    clip = torch.ones(4, *LATENT_SHAPE)
    once, again = (spoil(clip, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(once, again)
    assert (once - clip).std() < latent_reader.MOST_NOISE


@pytest.mark.filterwarnings("ignore:Mismatch dtype")
def test_a_transformer_is_trained_with_a_reader(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = ["--latents", str(folder / "latents")]
    reader = ["--minutes", "0.001", "--batch", "4", "--out", str(folder / "reader"), *places]
    monkeypatch.setattr(sys, "argv", ["latent_reader", *reader])
    latent_reader.main()
    own = ["--minutes", "0.001", "--batch", "2", "--read", "0.1", "--reader", str(folder / "reader"), "--text", str(POCKET)]
    monkeypatch.setattr(sys, "argv", ["train_transformer", *own, "--out", str(folder / "out"), *places])
    train_transformer.main()
    state = torch.load(folder / "out/state.pt", weights_only=True)
    assert state["step"] >= 1
    assert all(weight.isfinite().all() for weight in state["model"].values())
