"""Which parts of a model lie on the device now: a ladder from all of them down to one block at a time.

A part is brought before its stage, and what may not lie beside it goes home first. Parts are moved, never changed, so every placement
gives equal frames. A run of the engine says which placement it can afford; after an out-of-memory error it never climbs back above the
next one. Knows nothing of limits or clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import torch
from torch import nn

from cinelet.engine.model import WanModel
from cinelet.engine.precision import stored_bytes

Placement = Literal["all", "text", "parts", "blocks"]
PLACEMENTS: tuple[Placement, ...] = ("all", "text", "parts", "blocks")
"""`all`: every part stays; `text`: the text encoder never lies beside the rest; `parts`: one part at a time (text encoder, an expert,
the autoencoder); `blocks`: as `parts`, and of an expert one block at a time. Each needs less of the device than the one before."""

Move = Callable[[nn.Module | nn.Parameter, torch.device], None]


def move(what: nn.Module | nn.Parameter, device: torch.device) -> None:
    """Move a module or a parameter; nothing where it lies there."""
    if isinstance(what, nn.Module):
        what.to(device)
    else:
        what.data = what.data.to(device)


@dataclass(frozen=True, kw_only=True)
class StageWeights:
    """Bytes of weights on the device in each stage."""

    encode: int
    denoise: int
    decode: int


def weights_by_placement(model: WanModel) -> Mapping[Placement, StageWeights]:
    """What each placement keeps on the model's own device, weights as they are stored."""
    text, vae = stored_bytes(model.text_encoder), stored_bytes(model.vae)
    ours = [expert for i, expert in enumerate(model.experts) if _numbered(model.expert_device(i)) == _numbered(model.device)]
    experts = [stored_bytes(expert) for expert in ours]
    streamed = [stored_bytes(e) - sum(map(stored_bytes, e.blocks)) + max(map(stored_bytes, e.blocks)) for e in ours]
    everything, rest = text + vae + sum(experts), vae + sum(experts)
    return {
        "all": StageWeights(encode=everything, denoise=everything, decode=everything),
        "text": StageWeights(encode=text, denoise=rest, decode=rest),
        "parts": StageWeights(encode=text, denoise=max(experts, default=0), decode=vae),
        "blocks": StageWeights(encode=text, denoise=max(streamed, default=0), decode=vae),
    }


class Residency:
    """The places of one model's parts: `text`, `expert 0`, `expert 1`, `vae`.

    `home` is where parts lie that are not on their device. Where device and home are one, moving gains nothing and `all` is the only
    placement. `num_swaps` counts how often an expert was brought that was not the last to compute, the first time included.
    """

    def __init__(self, model: WanModel, *, home: torch.device | None = None, move: Move = move, can_move: bool | None = None) -> None:
        self.home = torch.device("cpu") if home is None else home
        self._move = move
        self._parts: dict[str, Any] = {"text": model.text_encoder, "vae": model.vae}
        self._devices = {"text": _numbered(model.device), "vae": _numbered(model.device)}
        for i, expert in enumerate(model.experts):
            self._parts[f"expert {i}"] = expert
            self._devices[f"expert {i}"] = _numbered(model.expert_device(i))
        is_apart = any(device != self.home for device in self._devices.values()) if can_move is None else can_move
        self.placements: tuple[Placement, ...] = PLACEMENTS if is_apart else ("all",)
        self.placement: Placement = "all"
        self.num_swaps = 0
        self._floor = 0
        self._there = {name for name, part in self._parts.items() if _device_of(part) == self._devices[name]}
        self._streams: dict[str, list[Any]] = {}
        self._last_expert: dict[torch.device, str] = {}

    @property
    def swaps_experts(self) -> bool:
        """Whether a step of another expert costs a move now."""
        experts = [device for name, device in self._devices.items() if name.startswith("expert")]
        return self.placement in ("parts", "blocks") and len(set(experts)) < len(experts)

    @property
    def expert(self) -> int | None:
        """The expert that came last, where they share a device; None before any did."""
        return next((int(name.split()[1]) for name in self._last_expert.values()), None)

    @property
    def there(self) -> frozenset[str]:
        """The parts that lie on their device; of a streamed expert, what is not in its blocks."""
        return frozenset(self._there)

    def choose(self, placement: Placement) -> None:
        """From now on keep to `placement`, or to a lower one where memory ran out before."""
        self.placement = self.placements[max(self._floor, self.placements.index(placement))]

    def step_down(self) -> bool:
        """Keep less on the device from now on; whether that was possible."""
        index = self.placements.index(self.placement)
        if index + 1 == len(self.placements):
            return False
        self._floor = index + 1
        self.placement = self.placements[self._floor]
        return True

    def bring(self, name: str) -> None:
        """Have a part on its device, and home what may not lie beside it."""
        device = self._devices[name]
        for other in [other for other in self._parts if other in self._there and not self._may_stay(other, name)]:
            self._send_home(other)
        is_streamed = name.startswith("expert") and self.placement == "blocks"
        if name in self._there and is_streamed != (name in self._streams):
            self._send_home(name)
        if name.startswith("expert"):
            self.num_swaps += self.placement != "all" and name not in self._there and self._last_expert.get(device) != name
            self._last_expert[device] = name
        if name in self._there:
            return
        if is_streamed:
            self._stream(name, device)
        else:
            self._move(self._parts[name], device)
        self._there.add(name)

    def bring_expert(self, index: int) -> None:
        """Have an expert on its device."""
        self.bring(f"expert {index}")

    def _may_stay(self, other: str, name: str) -> bool:
        if other == name or self.placement == "all" or self._devices[other] != self._devices[name]:
            return True
        return self.placement == "text" and "text" not in (other, name)

    def _send_home(self, name: str) -> None:
        for hook in self._streams.pop(name, []):
            hook.remove()
        self._move(self._parts[name], self.home)
        self._there.discard(name)

    def _stream(self, name: str, device: torch.device) -> None:
        """All but the blocks lies there; each block comes before its forward and goes after it."""
        expert = self._parts[name]
        for piece in _all_but_blocks(expert):
            self._move(piece, device)
        hooks = self._streams[name] = []
        for block in expert.blocks:
            hooks.append(block.register_forward_pre_hook(lambda block, _: self._move(block, device)))
            hooks.append(block.register_forward_hook(lambda block, *_: self._move(block, self.home), always_call=True))


def _all_but_blocks(expert: Any) -> Iterator[nn.Module | nn.Parameter]:
    children = (child for name, child in expert.named_children() if name != "blocks")
    return chain(children, expert.parameters(recurse=False))


def _numbered(device: torch.device) -> torch.device:
    """`cuda` is the current one of them: a tensor says its number."""
    return torch.device("cuda", torch.cuda.current_device()) if device.type == "cuda" and device.index is None else device


def _device_of(part: nn.Module) -> torch.device:
    return next(part.parameters()).device
