"""The optimisations as switches that can be thrown back and forth on one loaded model, so that they can take turns in one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from cinelet.engine import Engine, WanModel
from cinelet.engine.backend import NATIVE, Trial, choose, use
from cinelet.errors import UnavailableError
from cinelet.video import Plan


def nothing() -> None:
    """For what needs no switching."""


def same(plan: Plan) -> Plan:
    """For what changes nothing about the clip."""
    return plan


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run: `on` before its turn, `off` after it; `plan_of` where the switch is the request's."""

    name: str
    on: Callable[[], None] = nothing
    off: Callable[[], None] = nothing
    plan_of: Callable[[Plan], Plan] = same


def variants(engine: Engine, trials: Sequence[Trial]) -> list[Variant]:
    """The plain engine, each optimisation alone, and all exact ones together."""
    model = engine.model
    exact = [
        Variant(name="attention", on=lambda: use(model.experts, choose(trials)), off=lambda: use(model.experts, NATIVE)),
        _compiled(model, use_graphs=False),
        Variant(name="joined projections", on=lambda: _join(model, is_on=True), off=lambda: _join(model, is_on=False)),
        Variant(
            name="channels-last decoder",
            on=lambda: _layout(model.vae, torch.channels_last_3d),
            off=lambda: _layout(model.vae, torch.contiguous_format),
        ),
    ]
    return [
        Variant(name="lossless"),
        *exact,
        _compiled(model, use_graphs=True),
        Variant(name="guidance split", on=lambda: _split(engine, is_on=True), off=lambda: _split(engine, is_on=False)),
        Variant(name="decoder in bfloat16", plan_of=lambda plan: dataclasses.replace(plan, vae="half")),
        Variant(name="step cache", plan_of=lambda plan: dataclasses.replace(plan, step_cache="mild")),
        together(exact),
    ]


def together(parts: Sequence[Variant]) -> Variant:
    """Several switches thrown at once."""

    def on() -> None:
        for part in parts:
            part.on()

    def off() -> None:
        for part in reversed(parts):
            part.off()

    return Variant(name="all exact ones together", on=on, off=off)


def _compiled(model: WanModel, *, use_graphs: bool) -> Variant:
    """The repeated blocks compiled; what was compiled is kept while it is switched off. On a CPU only the tracing is tried."""
    blocks = [block for expert in model.experts for block in expert.blocks]
    kept: list[Any] = []
    hooks: list[Any] = []

    def on() -> None:
        if use_graphs and model.device.type != "cuda":
            raise UnavailableError("CUDA graphs need a CUDA device")
        if not kept:
            for block in blocks:
                block.compile(
                    backend="inductor" if model.device.type == "cuda" else "eager", mode="reduce-overhead" if use_graphs else None
                )
            kept.extend(block._compiled_call_impl for block in blocks)
        for block, implementation in zip(blocks, kept, strict=True):
            block._compiled_call_impl = implementation
        if use_graphs:
            mark = lambda *_: torch.compiler.cudagraph_mark_step_begin()  # noqa: E731 - a hook
            hooks.extend(expert.register_forward_pre_hook(mark) for expert in model.experts)

    def off() -> None:
        for block in blocks:
            block._compiled_call_impl = None
        while hooks:
            hooks.pop().remove()

    return Variant(name="compiled with graphs" if use_graphs else "compiled", on=on, off=off)


def _join(model: WanModel, *, is_on: bool) -> None:
    """Unlike in production the single weights stay, so that the switch can be thrown back."""
    for expert in model.experts:
        for block in expert.blocks:
            for layer in (block.attn1, block.attn2):
                if is_on and not hasattr(layer, "to_qkv") and not hasattr(layer, "to_kv"):
                    layer.fuse_projections()
                layer.fused_projections = is_on


def _layout(vae: Any, layout: torch.memory_format) -> None:
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.weight.data = module.weight.data.contiguous(memory_format=layout)


def _split(engine: Engine, *, is_on: bool) -> None:
    engine.denoiser.join_guidance = not is_on
