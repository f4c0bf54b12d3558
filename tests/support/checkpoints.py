"""Tiny Wan checkpoints with random weights, in the exact folder layout of the released ones."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a letter."""
    letters = {chr(code): code - 29 for code in range(32, 127)}
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2, **letters}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def make_transformer(in_channels: int = 4) -> WanTransformer3DModel:
    """Two layers of width 48."""
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=24,
        in_channels=in_channels,
        out_channels=4,
        text_dim=16,
        freq_dim=32,
        ffn_dim=64,
        num_layers=2,
        rope_max_seq_len=64,
    )


def make_vae(*, is_wan21: bool) -> AutoencoderKLWan:
    """Wan2.2's autoencoder (residual, patches of two pixels), or Wan2.1's (neither); eight pixels and four frames a latent."""
    own = {"dim_mult": [1, 1, 2, 2], "temperal_downsample": [False, True, True]}
    newer = {"dim_mult": [1, 2, 2], "temperal_downsample": [True, True], "is_residual": True}
    newer |= {"in_channels": 12, "out_channels": 12, "patch_size": 2}
    return AutoencoderKLWan(
        base_dim=8,
        z_dim=4,
        num_res_blocks=1,
        latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[0.9, 1.1, 1.3, 0.8],
        **(own if is_wan21 else newer),
    )


def make_checkpoint(
    folder: Path,
    *,
    two_experts: bool = False,
    expand_timesteps: bool = False,
    wan21_vae: bool = False,
    image_channels: bool = False,
    seed: int = 0,
) -> Path:
    """Write a checkpoint: the pocket model's layout, or with TI2V-5B's `expand_timesteps`, A14B's `transformer_2`, Wan2.1's autoencoder.

    `image_channels` is I2V-A14B's: beside its latents (4 here) the transformer reads a mask (4) and the image's latents (4).
    """
    torch.manual_seed(seed)
    text_config = UMT5Config(vocab_size=128, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu")
    vae = make_vae(is_wan21=wan21_vae)
    in_channels = 12 if image_channels else 4
    pipeline = WanPipeline(
        tokenizer=make_tokenizer(),
        text_encoder=UMT5EncoderModel(text_config),
        vae=vae,
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
        transformer=make_transformer(in_channels),
        transformer_2=make_transformer(in_channels) if two_experts else None,
        boundary_ratio=0.875 if two_experts else None,
        expand_timesteps=expand_timesteps,
    )
    pipeline.save_pretrained(folder)
    return folder
