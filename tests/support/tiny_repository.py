"""The files of a model repository: well-formed, tiny, and of no use to an engine."""

from __future__ import annotations

import json
import struct

BIG = "transformer/diffusion_pytorch_model.safetensors"


def safetensors(*names: str, size: int = 4096) -> bytes:
    """A well-formed weights file: one tensor of `size` bytes a name."""
    entries = {name: {"dtype": "U8", "shape": [size], "data_offsets": [i * size, (i + 1) * size]} for i, name in enumerate(names)}
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + bytes(i % 251 for i in range(size * len(names)))


def checkpoint() -> dict[str, bytes]:
    """A repository in the diffusers layout, with things beside it that nobody needs."""
    index = {"transformer": ["diffusers", "WanTransformer3DModel"], "vae": ["diffusers", "AutoencoderKLWan"]}
    return {
        ".gitattributes": b"*.safetensors filter=lfs",
        "README.md": b"# tiny",
        "model_index.json": json.dumps(index).encode(),
        "scheduler/scheduler_config.json": b"{}",
        "tokenizer/spiece.model": b"pieces",
        "tokenizer/tokenizer.json": b"{}",
        "transformer/config.json": b"{}",
        BIG: safetensors("a", "b", size=300_000),
        "transformer/diffusion_pytorch_model.bin": b"\x80\x02pickle",
        "transformer/../../escaped.json": b"{}",
        "vae/config.json": b"{}",
        "vae/diffusion_pytorch_model.safetensors": safetensors("c"),
        "vae/extra/deep.safetensors": safetensors("d"),
    }
