"""Reads one adapter file for one expert, in every dialect of names that trainers write; nothing in it is left out silently.

A part of the transformer has a name in diffusers and another in Wan's own code, and both are also written with underscores. All of
them are laid out from the expert itself, so a name that is not found fits nothing here, and that is an error. (diffusers' own
converters drop what they do not know: differences of norms, DoRA.) Knows nothing of scales, groups or devices.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from cinelet.errors import InvalidValueError, ModelFilesError

WAN_NAMES = (
    (r"\.attn1\.norm_", ".self_attn.norm_"),
    (r"\.attn2\.norm_added_k", ".cross_attn.norm_k_img"),
    (r"\.attn2\.norm_", ".cross_attn.norm_"),
    (r"\.attn1\.to_([qkv])", r".self_attn.\1"),
    (r"\.attn1\.to_out\.0", ".self_attn.o"),
    (r"\.attn2\.to_([qkv])", r".cross_attn.\1"),
    (r"\.attn2\.to_out\.0", ".cross_attn.o"),
    (r"\.attn2\.add_([kv])_proj", r".cross_attn.\1_img"),
    (r"\.ffn\.net\.0\.proj", ".ffn.0"),
    (r"\.ffn\.net\.2", ".ffn.2"),
    (r"\.norm2$", ".norm3"),
    (r"^condition_embedder\.(time|text)_embedder\.linear_1", r"\1_embedding.0"),
    (r"^condition_embedder\.(time|text)_embedder\.linear_2", r"\1_embedding.2"),
    (r"^condition_embedder\.time_proj", "time_projection.1"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.0\.proj", "img_emb.proj.1"),
    (r"^condition_embedder\.image_embedder\.ff\.net\.2", "img_emb.proj.3"),
    (r"^proj_out", "head.head"),
)
"""diffusers' names → Wan's own: scripts/convert_wan_to_diffusers.py of diffusers, read backwards."""
PREFIXES = re.compile(r"^(base_model\.model\.|model\.|diffusion_model\.|transformer(_2)?\.|pipe\.dit\.|lora_unet__?)+")
KINDS = {
    "down": (".lora_A.weight", ".lora_A.default.weight", ".lora_down.weight", ".lora.down.weight", ".lora_A", ".lora_down"),
    "up": (".lora_B.weight", ".lora_B.default.weight", ".lora_up.weight", ".lora.up.weight", ".lora_B", ".lora_up"),
    "up_bias": (".lora_B.bias", ".lora_B.default.bias"),
    "alpha": (".alpha",),
    "weight": (".diff",),
    "bias": (".diff_b",),
    "scale_shift_table": (".diff_m",),
}
"""What a tensor is, by the end of its name."""
DIFFERENCES = ("weight", "bias", "scale_shift_table")
PEFT_METADATA = "lora_adapter_metadata"
"""Where diffusers keeps peft's configuration in a file's header."""


@dataclass(frozen=True)
class AdapterWeights:
    """What one file does to one expert: low-rank `pairs` by layer, each `(down_RI, up_OR)` with its alpha in `up`, and `differences`
    that are added to parameters by name. float32, on the CPU."""

    pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    differences: Mapping[str, torch.Tensor]


class ExpertParts:
    """The parts of an expert an adapter may act on, under all their names. Make it before adapters are put into the expert."""

    def __init__(self, expert: nn.Module) -> None:
        self.linears = {name: module for name, module in expert.named_modules() if isinstance(module, nn.Linear)}
        self.parameters = dict(expert.named_parameters())
        self._names: dict[str, str] = {"head": ""}
        for name in {parameter.rpartition(".")[0] for parameter in self.parameters}:
            for spelling in (name, wan_name(name)):
                self._names[spelling] = self._names[spelling.replace(".", "_")] = name

    def find(self, spelling: str) -> str | None:
        """diffusers' name of a part; None where it fits nothing."""
        return self._names.get(spelling)


def wan_name(name: str) -> str:
    """What Wan's own code calls a part of diffusers' transformer."""
    for pattern, replacement in WAN_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def read_weights(path: Path, name: str, parts: ExpertParts, alpha: float | None = None) -> AdapterWeights:
    """The weights of one file, checked against the expert: every tensor fits, or none is taken.

    `alpha` holds for layers that bring none. Raises `ModelFilesError` where the file cannot be read, `InvalidValueError` naming the
    adapter where it was made for another model or in a form that is not supported.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelFilesError(f"loras: {path} cannot be read", detail=repr(error)) from error
    reading = _Reading(name, parts)
    reading.sort(tensors)
    peft_alpha = _alpha_of(metadata, name)
    alphas = alpha if peft_alpha is None else peft_alpha
    pairs = {layer: reading.pair(layer, kinds, alphas) for layer, kinds in reading.layers.items() if "down" in kinds or "up" in kinds}
    return AdapterWeights(pairs, dict(reading.differences(pairs, alphas)))


def _alpha_of(metadata: Mapping[str, str], name: str) -> float | None:
    """peft's `lora_alpha` from a file's header, where diffusers wrote one."""
    if PEFT_METADATA not in metadata:
        return None
    try:
        entries = {key.rpartition(".")[2]: value for key, value in json.loads(metadata[PEFT_METADATA]).items()}
    except (ValueError, AttributeError) as error:
        raise _misfit(name, f"its {PEFT_METADATA} is no JSON object") from error
    if any(entries.get(key) for key in ("use_dora", "use_rslora", "alpha_pattern")):
        raise _misfit(name, "it uses DoRA, rank-stabilised scaling or a strength for each layer, which is not supported")
    return entries.get("lora_alpha")


class _Reading:
    """One file's tensors, sorted by the layer and the kind they are."""

    def __init__(self, name: str, parts: ExpertParts) -> None:
        self.name = name
        self.parts = parts
        self.layers: defaultdict[str, dict[str, torch.Tensor]] = defaultdict(dict)

    def sort(self, tensors: Mapping[str, torch.Tensor]) -> None:
        strangers = []
        for key, tensor in tensors.items():
            spelling, kind = _kind_of(PREFIXES.sub("", key))
            layer = self.parts.find(spelling)
            if not kind or layer is None:
                strangers.append(key)
                continue
            if kind in self.layers[layer]:
                raise _misfit(self.name, f"it says twice what {kind} of {layer} is")
            if not tensor.is_floating_point() or not torch.isfinite(tensor.float()).all():
                raise _misfit(self.name, f"{key} holds something else than finite numbers")
            self.layers[layer][kind] = tensor.float()
        if strangers or not tensors:
            share = (
                "none of its tensors fits" if len(strangers) == len(tensors) else f"{len(strangers)} of {len(tensors)} tensors fit nothing"
            )
            example = f", such as {strangers[0]}" if strangers else ""
            raise _misfit(self.name, f"it was made for another model, or in a form that is not supported: {share}{example}")

    def pair(self, layer: str, kinds: Mapping[str, torch.Tensor], alpha: float | None) -> tuple[torch.Tensor, torch.Tensor]:
        linear = self.parts.linears.get(layer)
        if linear is None:
            raise _misfit(self.name, f"{layer} is no linear layer; low-rank weights act on linear layers only")
        if "down" not in kinds or "up" not in kinds:
            raise _misfit(self.name, f"{layer} has only one of its two matrices")
        down_RI, up_OR = kinds["down"], kinds["up"]
        shape = (linear.in_features, linear.out_features)
        is_low_rank = down_RI.ndim == up_OR.ndim == 2 and down_RI.shape[0] == up_OR.shape[1] > 0
        if not is_low_rank or (down_RI.shape[1], up_OR.shape[0]) != shape:
            theirs = f"{tuple(down_RI.shape)} and {tuple(up_OR.shape)}"
            raise _misfit(
                self.name, f"{layer} leads from {shape[0]} to {shape[1]} values here; its matrices are {theirs}: another size of model"
            )
        return down_RI, up_OR * _strength(kinds, alpha)

    def differences(self, pairs: Mapping[str, Any], alpha: float | None) -> Iterator[tuple[str, torch.Tensor]]:
        """What is added to parameters; differences of nothing but zeros are none."""
        for layer, kinds in self.layers.items():
            if "up_bias" in kinds and "bias" in kinds:
                raise _misfit(self.name, f"it says twice what is added to the bias of {layer}")
            if not set(kinds) - {"alpha"} or ("alpha" in kinds and layer not in pairs):
                raise _misfit(self.name, f"{layer} has a strength and nothing that it acts on")
            for kind in DIFFERENCES:
                tensor = kinds.get(kind)
                if kind == "bias" and "up_bias" in kinds:
                    tensor = kinds["up_bias"] * _strength(kinds, alpha)
                if tensor is None:
                    continue
                parameter = f"{layer}.{kind}".removeprefix(".")
                ours = self.parts.parameters.get(parameter)
                if ours is None or ours.shape != tensor.shape:
                    shape = "is not there" if ours is None else f"has the shape {tuple(ours.shape)}"
                    raise _misfit(self.name, f"{parameter} {shape}, its difference {tuple(tensor.shape)}")
                if tensor.any():
                    yield parameter, tensor


def _strength(kinds: Mapping[str, torch.Tensor], alpha: float | None) -> float:
    """alpha / rank, by which low-rank weights act; 1 where nobody gave an alpha (Hu et al. 2021, arXiv 2106.09685, section 4.1)."""
    own = kinds["alpha"].item() if "alpha" in kinds else alpha
    return 1.0 if own is None or "down" not in kinds else own / kinds["down"].shape[0]


def _kind_of(key: str) -> tuple[str, str]:
    """A key's part and what of it the tensor is; an empty kind where the end of the key is none of ours."""
    for kind, ends in KINDS.items():
        for end in ends:
            if key.endswith(end):
                return key.removesuffix(end), kind
    return key, ""


def _misfit(name: str, reason: str) -> InvalidValueError:
    return InvalidValueError("loras", name, reason)
