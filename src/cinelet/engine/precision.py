"""How weights are kept: in the type they compute in, or in 8 bits by torchao, a scale for each row; and what they really are in.

A flag that never reaches the layers looks like success (vLLM-Omni issue 2920), so what a model holds is read from its loaded layers,
never from what was asked. Knows nothing of files, devices' memory or the decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn

from cinelet.errors import InternalError, InvalidValueError
from cinelet.extras import extra

Weights = Literal["auto", "float32", "bfloat16", "float16", "int8", "fp8"]
"""`auto` is the type that the model computes in."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

SPARED = ("condition_embedder.time_embedder", "relative_attention_bias")
"""Small layers that steer every other one: diffusers keeps the first in float32 for that, the second is one number a head and distance."""
ROW_HUNGRY = "blocks."
"""Where activations are quantised too: the blocks see all of a clip's tokens, other layers a few rows, for which that does not pay."""


def compute_dtype(weights: str, dtype: torch.dtype) -> torch.dtype:
    """The type that a part computes in: its own where `weights` names one, else `dtype`. Raises `InvalidValueError`."""
    if weights not in get_args(Weights):
        raise InvalidValueError("weights", weights, f"must be one of {', '.join(get_args(Weights))}")
    return DTYPES.get(weights, dtype)


def shrink(module: nn.Module, weights: str, device: torch.device) -> None:
    """Keep the linear layers and embeddings of `module` in 8 bits, in place, if `weights` is int8 or fp8.

    Activations of the transformer's blocks are quantised as well where the device multiplies 8 bits faster (`is_dynamic`).
    Raises `RequestError` where torchao is not installed, `InternalError` where a layer did not change.
    """
    if weights not in ("int8", "fp8"):
        return
    kept, dynamic = _configs(weights)
    quantize = _torchao().quantize_
    fast = is_dynamic(weights, device, _outer_dtype(module))
    if fast:
        quantize(module, dynamic, filter_fn=lambda layer, name: _is_kept_small(layer, name) and name.startswith(ROW_HUNGRY))
    quantize(module, kept, filter_fn=lambda layer, name: _is_kept_small(layer, name) and not (fast and name.startswith(ROW_HUNGRY)))
    _tie(module)
    module.requires_grad_(False)
    held = precision_of(module)
    if held.split()[0].removesuffix("-dynamic") != weights:
        raise InternalError(f"precision: {type(module).__name__} was to be kept in {weights} and holds {held}")


def is_dynamic(weights: str, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether products of 8-bit activations and weights are faster than those of the type that is computed in.

    int8: tensor cores since Ampere; on a CPU the VNNI instructions, against float32 only (`benchmarks/results/precision.json`).
    fp8: tensor cores since Ada (compute capability 8.9, torchao's own condition).
    """
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return capability >= ((8, 9) if weights == "fp8" else (8, 0))
    return weights == "int8" and device.type == "cpu" and dtype == torch.float32 and _has_vnni()


def half_dtype(device: torch.device) -> torch.dtype:
    """The 16-bit type for a decoder: bfloat16, but float16 on GPUs that only emulate it (before Ampere).

    A CPU takes bfloat16 always: float16 was seen to take 60 times as long as float32 there.
    """
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        return torch.float16
    return torch.bfloat16


def precision_of(module: nn.Module) -> str:
    """What the layers of `module` really hold: `bfloat16`, `int8 in float32`, `int8-dynamic in bfloat16`.

    Raises `InternalError` where some layers are in 8 bits and others not.
    """
    found = {_kind(layer.weight) for name, layer in module.named_modules() if _is_kept_small(layer, name)}
    dtype = _name(_outer_dtype(module))
    if found <= set(DTYPES):
        return dtype  # transformers keeps some layers of a float16 encoder in float32
    if len({kind.removesuffix("-dynamic") for kind in found}) > 1:
        raise InternalError(f"precision: layers of {type(module).__name__} hold {', '.join(sorted(found))}")
    return f"{max(found)} in {dtype}"  # the name with -dynamic comes after the one without


def describe(experts: Sequence[nn.Module], text_encoder: nn.Module) -> str:
    """What a model's layers hold: the transformer's, and the text encoder's where it is another. Raises `InternalError`."""
    *held, text = [precision_of(module) for module in (*experts, text_encoder)]
    if len(set(held)) > 1:
        raise InternalError(f"precision: one expert holds {held[0]}, the other {held[1]}")
    return held[0] if held[0].replace("-dynamic", "") == text else f"{held[0]}, text {text}"


def stored_bytes(module: nn.Module) -> int:
    """Memory of a module's weights as they are kept, scales included."""
    return sum(_stored_bytes(parameter) for parameter in module.parameters())


def _stored_bytes(tensor: torch.Tensor) -> int:
    if hasattr(tensor, "__tensor_flatten__"):
        names, _ = tensor.__tensor_flatten__()
        return sum(_stored_bytes(getattr(tensor, name)) for name in names)
    return tensor.numel() * tensor.element_size()


def _is_kept_small(layer: nn.Module, name: str) -> bool:
    return isinstance(layer, (nn.Linear, nn.Embedding)) and not any(part in name for part in SPARED)


def _kind(weight: torch.Tensor) -> str:
    """`int8`, `fp8`, either with `-dynamic`, or a plain type's name."""
    data = getattr(weight, "qdata", None)
    if data is None:
        return _name(weight.dtype)
    kind = {torch.int8: "int8", torch.float8_e4m3fn: "fp8"}.get(data.dtype, _name(data.dtype))
    return kind if getattr(weight, "act_quant_kwargs", None) is None else f"{kind}-dynamic"


def _outer_dtype(module: nn.Module) -> torch.dtype:
    """What most of a module's linear layers compute in."""
    sizes: dict[torch.dtype, int] = {}
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear) and _is_kept_small(layer, name):
            sizes[layer.weight.dtype] = sizes.get(layer.weight.dtype, 0) + layer.weight.numel()
    return max(sizes, key=lambda dtype: sizes[dtype])


def _tie(module: nn.Module) -> None:
    """A text encoder keeps one table under two names; it must not become two."""
    shared, encoder = getattr(module, "shared", None), getattr(module, "encoder", None)
    table = getattr(encoder, "embed_tokens", None)
    if isinstance(shared, nn.Embedding) and isinstance(table, nn.Embedding):
        table.weight = shared.weight


def _configs(weights: str) -> tuple[Any, Any]:
    """How weights alone are quantised, and how activations with them."""
    torchao = _torchao()
    if weights == "int8":
        return torchao.Int8WeightOnlyConfig(), torchao.Int8DynamicActivationInt8WeightConfig()
    return torchao.Float8WeightOnlyConfig(), torchao.Float8DynamicActivationFloat8WeightConfig(granularity=torchao.PerRow())


def _torchao() -> Any:
    with extra("precision"):
        import torchao.quantization  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra, and seconds to load
    return torchao.quantization


def _has_vnni() -> bool:
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(capabilities.get(name, False) for name in ("avx512_vnni", "avx_vnni", "amx_int8"))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
