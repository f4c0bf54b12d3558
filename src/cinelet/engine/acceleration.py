"""What may be switched on to make a loaded model faster: attention kernel, compiled blocks, joined projections, memory layout.

Each switch stands alone and is told in every result, so that two clips can be compared knowing what ran. None changes what is computed,
only how it is rounded. `benchmarks/gpu` measures each alone and all together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from cinelet.engine.backend import AUTO, settle
from cinelet.engine.model import WanModel
from cinelet.errors import InvalidValueError

Compile = Literal["off", "blocks", "graphs"]
COMPILES: tuple[Compile, ...] = ("off", "blocks", "graphs")
"""`blocks`: the repeated block compiled once; `graphs`: the same, replayed as CUDA graphs, which pays for small clips."""
WARM_TOKENS = 32_760
"""Tokens of the attention race where the caller names none: the A14B's 832x480x81 (Wan2.2's default 480p clip)."""


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """The switches. `attention` is `auto` (the fastest exact kernel) or a kernel's name; `num_tokens` the clip that it is raced on.

    `compiler` names torch.compile's back end. Joined projections keep no separate weights, so adapters no longer fit such a model.
    """

    attention: str = AUTO
    num_tokens: int = WARM_TOKENS
    compile: Compile = "off"
    compiler: str = "inductor"
    join_projections: bool = False
    channels_last: bool = False


LOSSLESS = Acceleration()
"""What every engine does: the best attention kernel, and nothing that takes time to prepare."""


def accelerate(model: WanModel, wanted: Acceleration) -> str:
    """Switch the model over, once, before its first forward; returns what is in force, in one line for the results.

    Raises `InvalidValueError` for what this model or device cannot do. Compiling itself happens in the first forward of each shape.
    """
    if wanted.compile not in COMPILES:
        raise InvalidValueError("compile", wanted.compile, f"must be one of {', '.join(COMPILES)}")
    if wanted.compile == "graphs" and model.device.type != "cuda":
        raise InvalidValueError("compile", wanted.compile, "CUDA graphs need a CUDA device; take blocks or off")
    in_force = [f"attention {settle(wanted.attention, model.experts, wanted.num_tokens, model.device, model.dtype)}"]
    if wanted.join_projections:
        for expert in model.experts:
            _join_projections(expert)
        in_force.append("joined projections")
    if wanted.channels_last:
        _channels_last(model.vae)
        in_force.append("channels-last decoder")
    if wanted.compile != "off":
        for expert in model.experts:
            _compile(expert, wanted)
        in_force.append(f"compiled {wanted.compile}")
    return ", ".join(in_force)


def _join_projections(expert: Any) -> None:
    """One product for query, key and value (cross-attention: key and value); the single weights go, or they would be held twice."""
    for block in expert.blocks:
        for attention, names in ((block.attn1, ("to_q", "to_k", "to_v")), (block.attn2, ("to_k", "to_v"))):
            if getattr(attention, "fused_projections", False):
                continue
            if any(type(getattr(attention, name)) is not torch.nn.Linear for name in names):
                raise InvalidValueError("join_projections", True, "weights that are quantised or carry adapters cannot be joined")
            attention.fuse_projections()
            for name in names:
                delattr(attention, name)
    expert.requires_grad_(False)


def _channels_last(vae: Any) -> None:
    """The layout that convolution kernels of NVIDIA's tensor cores read without a copy (SGLang pull request 18540)."""
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
        elif isinstance(module, torch.nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)


def _compile(expert: Any, wanted: Acceleration) -> None:
    if getattr(expert, "is_accelerated", False):
        return
    options = {"mode": "reduce-overhead"} if wanted.compile == "graphs" else {}
    expert.compile_repeated_blocks(backend=wanted.compiler, **options)
    if wanted.compile == "graphs":
        # Tells the graphs' memory pool that the former forward's tensors are no longer read.
        expert.register_forward_pre_hook(lambda *_: torch.compiler.cudagraph_mark_step_begin())
    expert.is_accelerated = True
