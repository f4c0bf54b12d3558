"""The architectures that are measured, as numbers. Speed and memory do not depend on weights; quality does and is not looked at here.

Wan2.2: github.com/Wan-Video/Wan2.2, wan/configs/*.py, and `config.json` of the repositories Wan-AI/Wan2.2-TI2V-5B-Diffusers and
Wan-AI/Wan2.2-T2V-A14B-Diffusers (the A14B's autoencoder has diffusers' own defaults). UMT5-XXL: google/umt5-xxl, `config.json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

UMT5_XXL = {
    "vocab_size": 256_384, "d_model": 4096, "d_kv": 64, "d_ff": 10_240, "num_layers": 24, "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}  # fmt: skip
UMT5_TINY = UMT5_XXL | {"vocab_size": 128, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A size to measure, in pixels and frames."""

    width: int
    height: int
    num_frames: int

    @classmethod
    def parse(cls, text: str) -> Clip:
        width, height, num_frames = (int(part) for part in text.split("x"))
        return cls(width=width, height=height, num_frames=num_frames)

    def __str__(self) -> str:
        return f"{self.width}x{self.height}x{self.num_frames}"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What diffusers and transformers need to build one model; `boundary_ratio` makes it one of two experts."""

    transformer: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any] = field(default_factory=lambda: dict(UMT5_XXL))
    expand_timesteps: bool = False
    boundary_ratio: float | None = None
    flow_shift: float = 5.0
    fps: int = 24
    guidance_scale: float = 5.0
    few_steps: int = 3
    steps: int = 16
    clips: tuple[str, ...] = ("832x480x17", "832x480x81", "1280x704x121")


ARCHITECTURES = {
    "5b": Architecture(
        transformer={"num_attention_heads": 24, "num_layers": 30, "ffn_dim": 14_336, "in_channels": 48, "out_channels": 48},
        vae={
            "base_dim": 160, "decoder_base_dim": 256, "z_dim": 48, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2,
            "temperal_downsample": [False, True, True], "is_residual": True, "in_channels": 12, "out_channels": 12, "patch_size": 2,
            "scale_factor_temporal": 4, "scale_factor_spatial": 16, "latents_mean": [0.0] * 48, "latents_std": [1.0] * 48,
        },
        expand_timesteps=True,
    ),
    "a14b": Architecture(
        transformer={"num_attention_heads": 40, "num_layers": 40, "ffn_dim": 13_824, "in_channels": 16, "out_channels": 16},
        vae={},
        boundary_ratio=0.875,
        flow_shift=12.0,
        fps=16,
        guidance_scale=4.0,
        few_steps=4,
        clips=("832x480x17", "832x480x81"),
    ),
    "tiny": Architecture(
        transformer={
            "num_attention_heads": 2, "attention_head_dim": 24, "num_layers": 2, "ffn_dim": 64, "in_channels": 4, "out_channels": 4,
            "text_dim": 16, "freq_dim": 32, "rope_max_seq_len": 64,
        },
        vae={
            "base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 2], "num_res_blocks": 1, "temperal_downsample": [True, True], "is_residual": True,
            "in_channels": 12, "out_channels": 12, "patch_size": 2, "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4,
        },
        text=UMT5_TINY,
        expand_timesteps=True,
        few_steps=2,
        steps=3,
        clips=("48x32x5", "64x32x9"),
    ),
}  # fmt: skip
