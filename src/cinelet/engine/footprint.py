"""How many bytes a piece of work holds at its busiest moment, found by walking the real modules on tensors without data.

The modules run as they are on meta tensors: every operation makes its outputs, none computes. What is alive at each moment is
counted, and what the operation borrows beside its outputs (a convolution's copies). So any architecture, any shape and any
way of decoding is covered without a formula of its own. Knows nothing of clips, plans or limits.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Pool:
    """Bytes in use, now and at most."""

    def __init__(self) -> None:
        self.resident = 0
        self.peak = 0
        self._sizes: dict[int, int] = {}
        self._next = 0

    def allocate(self, size: int) -> int:
        """A block of `size` bytes; returns its handle."""
        self._next += 1
        self._sizes[self._next] = size
        self.resident += size
        self.peak = max(self.peak, self.resident)
        return self._next

    def release(self, handle: int) -> None:
        """Free a block."""
        self.resident -= self._sizes.pop(handle)

    def borrow(self, size: int) -> None:
        """A block that is allocated and freed at once."""
        self.peak = max(self.peak, self.resident + size)


class Footprint(TorchDispatchMode):
    """Counts what operations under it hold, in `memory`. Tensors that were there before count nothing."""

    def __init__(self, memory: Pool, borrowed: Callable[[Any, tuple[Any, ...], torch.Tensor], int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._memory = memory
        self._borrowed = borrowed
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        """Run `func`; note what it made and borrowed."""
        for tensor in _tensors((args, kwargs)):
            self._seen.add(tensor.untyped_storage())
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            if storage not in self._seen:
                self._seen.add(storage)
                weakref.finalize(storage, self._memory.release, self._memory.allocate(storage.nbytes()))
        if isinstance(result, torch.Tensor):
            self._memory.borrow(self._borrowed(func, args, result))
        return result


class _FusedAttention(TorchFunctionMode):
    """Attention as the fused kernels do it: the scores are never whole (0.4 MiB of scratch seen on a CPU at 1,728 tokens)."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        given = {**dict(zip(("query", "key", "value"), args, strict=False)), **(kwargs or {})}
        query, value = given["query"], given["value"]
        return query.new_empty((*query.shape[:-1], value.shape[-1]))


def borrowed_on_cpu(func: Any, args: tuple[Any, ...], result: torch.Tensor) -> int:
    """What a convolution borrows on a CPU, by the back end that torch takes for it.

    oneDNN copies the input into its own layout; the plain one unfolds it, a column for each output. Both were seen to the MiB
    (torch 2.13, x86); matrix products borrow nothing worth counting.
    """
    if func is not torch.ops.aten.convolution.default:
        return 0
    inputs, weight, _, *settings = args
    shapes = [torch.zeros((), dtype=t.dtype, device="cpu").expand(t.shape) for t in (inputs, weight)]
    if "Mkldnn" in str(torch._C._select_conv_backend(*shapes, None, *settings, None)):
        copied: int = inputs.numel() * inputs.element_size()
        return copied
    kernel: int = prod(weight.shape[2:])
    columns: int = result[:, :1].numel() * weight.shape[1] * kernel
    return 0 if kernel == 1 else columns * inputs.element_size()


def borrowed_on_gpu(func: Any, args: tuple[Any, ...], result: torch.Tensor) -> int:  # noqa: ARG001 - the signature of `borrowed`
    """Nothing here: a constant stands for the workspaces of cuBLAS and cuDNN."""
    return 0


def walk(work: Callable[[], Iterable[Any]], *, on_cpu: bool) -> int:
    """Let `work` run on meta tensors, part for part; the most bytes it held."""
    memory = Pool()
    borrowed = borrowed_on_cpu if on_cpu else borrowed_on_gpu
    with torch.no_grad(), torch.device("meta"), _FusedAttention(), Footprint(memory, borrowed):
        for _ in work():
            pass
    return memory.peak


def _tensors(tree: Any) -> Iterable[torch.Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))
