"""Puts LoRA adapters into a loaded model and switches between them: before each forward, exactly those of its group act.

peft's layers stand beside the base weights, which stay as they are: without adapters a clip is bit for bit the clip of a model
that never had any. Differences of norms and biases are written over kept originals. Knows nothing of trajectories.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers.models.transformers.transformer_wan import WanAttention
from diffusers.utils import logging as diffusers_logging
from peft.tuners.lora import LoraLayer

from cinelet.engine.adapter_weights import AdapterWeights, ExpertParts, read_weights
from cinelet.errors import ConflictError, InvalidValueError
from cinelet.models.adapters import AdapterFiles, GetAdapter, no_adapters
from cinelet.video import MAX_LORAS, LoraUse, Plan

MAX_RESIDENT = MAX_LORAS
"""Adapters that stay in memory (up to 1.2 GB each for an A14B pair of rank 64): all that one clip may use; the longest unused goes."""

Uses = tuple[LoraUse, ...]


@dataclass(frozen=True)
class Resident:
    """An adapter in memory: its files, and what it adds to parameters of each expert."""

    files: AdapterFiles
    differences: tuple[dict[str, torch.Tensor], ...]

    @property
    def key(self) -> str:
        """peft's name of it: by content, so that changed files are another adapter."""
        return f"lora_{self.files.digest}"


class LoraSwitch:
    """The adapters of one model's experts. `get_adapter` gives files by name."""

    def __init__(
        self, experts: Sequence[Any], dtype: torch.dtype, get_adapter: GetAdapter = no_adapters, *, max_resident: int = MAX_RESIDENT
    ) -> None:
        if any(hasattr(expert, "peft_config") for expert in experts):
            raise ValueError("this model holds the adapters of another engine")
        self._experts = experts
        self._dtype = dtype
        self._get_adapter = get_adapter
        self._max_resident = max(max_resident, MAX_LORAS)
        self._parts: list[ExpertParts] = []
        self._resident: OrderedDict[str, Resident] = OrderedDict()
        self._acting: list[Uses] = [() for _ in experts]
        self._originals: list[dict[str, torch.Tensor]] = [{} for _ in experts]

    @property
    def resident(self) -> list[str]:
        """Names of the adapters in memory, the longest unused first."""
        return [resident.files.name for resident in self._resident.values()]

    def settle(self, plan: Plan) -> Plan:
        """The plan with the digests of its adapters, which are in memory then.

        Raises `NotFoundError` for an unknown adapter, `ModelFilesError` for damaged files, `InvalidValueError` for one that does not fit
        this model, `ConflictError` for one that has changed since the plan was made.
        """
        return replace(plan, loras=tuple(self._settled(use) for use in plan.loras)) if plan.loras else plan

    def activate(self, expert: int, uses: Uses) -> None:
        """Let exactly `uses` act on an expert. They are loaded again where they had to go meanwhile; raises as `settle`."""
        if self._acting[expert] == uses:
            return
        residents = [self._find(use) for use in uses]
        scales = [use.scale * resident.files.strengths[expert] for use, resident in zip(uses, residents, strict=True)]
        self._acting[expert] = ()
        self._switch(expert, [resident.key for resident in residents], scales)
        self._write_differences(expert, [resident.differences[expert] for resident in residents], scales)
        self._acting[expert] = uses

    def _settled(self, use: LoraUse) -> LoraUse:
        return use._replace(digest=self._find(use).files.digest)

    def _find(self, use: LoraUse) -> Resident:
        """From memory where the plan says by digest what it means, else from disk."""
        if use.digest not in self._resident:
            files = self._files(use)
            if files.digest not in self._resident:
                self._resident[files.digest] = self._load(files)
                self._make_room()
            use = use._replace(digest=files.digest)
        self._resident.move_to_end(use.digest)
        return self._resident[use.digest]

    def _files(self, use: LoraUse) -> AdapterFiles:
        files = self._get_adapter(use.name)
        if use.digest and files.digest != use.digest:
            raise ConflictError(f"loras: {use.name} has changed since the clip was planned ({use.digest[:12]}, now {files.digest[:12]})")
        return files

    def _load(self, files: AdapterFiles) -> Resident:
        """Into every expert, or into none."""
        if not self._parts:
            self._parts = [ExpertParts(expert) for expert in self._experts]
        halves = _read_halves(files, self._parts)
        resident = Resident(files, tuple(dict(half.differences) for half in halves))
        try:
            for number, (expert, half) in enumerate(zip(self._experts, halves, strict=True)):
                self.activate(number, ())
                if half.pairs:
                    self._inject(expert, resident.key, half)
                    self._switch(number, [], [])  # peft lets a new adapter act at once
        except BaseException:
            self._remove(resident.key)
            raise
        return resident

    def _inject(self, expert: Any, key: str, half: AdapterWeights) -> None:
        """Low-rank layers into an expert, none of them acting, and a look whether all are really there."""
        state = {}
        for layer, (down_RI, up_OR) in half.pairs.items():
            state[f"{layer}.lora_A.weight"] = down_RI.to(self._dtype)
            state[f"{layer}.lora_B.weight"] = up_OR.to(self._dtype)
        with _quiet():
            expert.load_lora_adapter(state, prefix=None, adapter_name=key, low_cpu_mem_usage=True)
        num_layers = sum(isinstance(module, LoraLayer) and key in module.lora_A for module in expert.modules())
        if num_layers != len(half.pairs):
            raise RuntimeError(f"peft put {num_layers} layers of {len(half.pairs)} into the model")

    def _switch(self, expert: int, keys: list[str], scales: list[float]) -> None:
        """Which low-rank layers act, and how strongly."""
        for module in self._experts[expert].modules():
            if isinstance(module, LoraLayer):
                module.set_adapter(keys, inference_mode=True)
                # Not `set_scale`: alpha is in the weights, and peft's would be one alpha for layers of several ranks.
                module.scaling.update({key: scale for key, scale in zip(keys, scales, strict=True) if key in module.lora_A})
            elif isinstance(module, WanAttention) and (hasattr(module, "to_qkv") or hasattr(module, "to_kv")):
                # A joined projection passes the layers by that adapters act on; it stands in for them only while none acts.
                module.fused_projections = not keys

    @torch.no_grad()
    def _write_differences(self, expert: int, differences: Sequence[dict[str, torch.Tensor]], scales: Sequence[float]) -> None:
        """Originals back first, then what is added to them now."""
        parameters, originals = self._parameters(expert), self._originals[expert]
        for name, original in originals.items():
            parameters[name].copy_(original)
        originals.clear()
        for name in {name for tensors in differences for name in tensors}:
            parameter = parameters[name]
            originals[name] = parameter.clone()
            added = sum(
                tensors[name].to(parameter.device) * scale for tensors, scale in zip(differences, scales, strict=True) if name in tensors
            )
            parameter.copy_(originals[name].float() + added)

    def _parameters(self, expert: int) -> dict[str, Any]:
        return self._parts[expert].parameters if self._parts else {}

    def _make_room(self) -> None:
        while len(self._resident) > self._max_resident:
            digest, resident = self._resident.popitem(last=False)
            for number, uses in enumerate(self._acting):
                if any(use.digest == digest for use in uses):
                    self.activate(number, ())
            self._remove(resident.key)

    def _remove(self, key: str) -> None:
        for expert in self._experts:
            if key in getattr(expert, "peft_config", {}):
                expert.delete_adapters(key)


def merge(experts: Sequence[Any], adapters: Sequence[AdapterFiles]) -> str:
    """Add adapters to the weights for good, at their full strength; returns what tells the result from the model without them.

    For models that are a base and its adapters: before any weight is quantised. Raises as `LoraSwitch.settle`.
    """
    for files in adapters:
        parts = [ExpertParts(expert) for expert in experts]
        for part, half, strength in zip(parts, _read_halves(files, parts), files.strengths, strict=True):
            with torch.no_grad():
                for layer, (down_RI, up_OR) in half.pairs.items():
                    _add(part.linears[layer].weight, up_OR @ down_RI, strength)
                for name, difference in half.differences.items():
                    _add(part.parameters[name], difference, strength)
    return "+" + hashlib.sha256("".join(files.digest for files in adapters).encode()).hexdigest()[:16] if adapters else ""


def _add(parameter: torch.Tensor, difference: torch.Tensor, strength: float) -> None:
    parameter.copy_(parameter.float() + difference.to(parameter.device) * strength)


def _read_halves(files: AdapterFiles, parts: Sequence[ExpertParts]) -> list[AdapterWeights]:
    if len(files.paths) != len(parts):
        ours = "two experts and takes a pair of files (high and low noise)" if len(parts) == 2 else "one transformer and takes one file"
        raise InvalidValueError("loras", files.name, f"it has {len(files.paths)} files; this model has {ours}")
    halves = [read_weights(path, files.name, part, files.alpha) for path, part in zip(files.paths, parts, strict=True)]
    for path, half in zip(files.paths, halves, strict=True):
        if not half.pairs and not half.differences:
            raise InvalidValueError("loras", files.name, f"{path.name} changes nothing")
    return halves


@contextmanager
def _quiet() -> Iterator[None]:
    """diffusers tells of layers that an adapter leaves alone, peft of several in a model, and that those beside quantised weights
    cannot be merged: all of that is meant."""
    level = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")
            warnings.filterwarnings("ignore", message="TorchaoLoraLinear was instantiated")
            warnings.filterwarnings("ignore", message="TorchaoLoraLinear was instantiated")  # it says that merging fails: none is done
            yield
    finally:
        diffusers_logging.set_verbosity(level)
