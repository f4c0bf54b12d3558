"""Puts the trained parts together as one checkpoint in the diffusers layout, where the package ships it.

    python -m training.pocket.assemble

Transformer and autoencoder are stored in float16, the small text encoder in float32. The stock
`WanPipeline.from_pretrained` loads the result.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

from cinelet.models.card import STEP_CACHE_TABLE
from cinelet.models.files import write_manifest
from training.pocket import train_transformer, train_vae
from training.pocket.encode_clips import load_vae

TARGET = Path("src/cinelet/models/pocket")
FLOW_SHIFT = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--vae", type=Path, default=Path("runs/pocket/vae/state.pt"), help="a run's state, or a checkpoint's vae folder")
    parser.add_argument("--text", type=Path, default=Path("runs/pocket/text"), help="folder with tokenizer and text_encoder")
    parser.add_argument("--transformer", type=Path, default=Path("runs/pocket/transformer"))
    parser.add_argument("--out", type=Path, default=TARGET)
    args = parser.parse_args()

    scale = json.loads((args.transformer / "latents.json").read_text())
    vae = AutoencoderKLWan(**{**train_vae.CONFIG, "latents_mean": scale["mean"], "latents_std": scale["std"]})
    vae.load_state_dict(load_vae(args.vae).state_dict())
    transformer = WanTransformer3DModel(**train_transformer.CONFIG)
    transformer.load_state_dict(torch.load(args.transformer / "state.pt", weights_only=True)["average"])
    pipeline = WanPipeline(
        tokenizer=PreTrainedTokenizerFast.from_pretrained(args.text / "tokenizer"),
        text_encoder=UMT5EncoderModel.from_pretrained(args.text / "text_encoder"),
        vae=vae.half(),
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=FLOW_SHIFT),
        transformer=transformer.half(),
    )
    (args.out / STEP_CACHE_TABLE).unlink(missing_ok=True)  # it was measured on another transformer
    pipeline.save_pretrained(args.out)
    write_manifest(args.out)
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{args.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
