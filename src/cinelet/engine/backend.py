"""Which kernel computes self-attention: each one that is there is tried on the model's own shape, the fastest exact one wins.

The kernels are those of diffusers' dispatcher. "Exact" means: as near to float32 arithmetic as 16-bit inputs allow; kernels that quantise
are found and timed too, but never taken without being named. Nothing falls back in silence: what was refused keeps its reason.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_dispatch import AttentionBackendName, _check_attention_backend_requirements, dispatch_attention_fn

from cinelet.errors import InvalidValueError, UnavailableError

AUTO, NATIVE, MATH = "auto", "native", "_native_math"
"""Race; torch's own choice; the plain formula, which is never raced but may be named to compare with."""
CANDIDATES = (
    NATIVE, "_native_cudnn", "_native_flash", "_native_efficient", "_flash_3", "flash", "sage", "xformers",
)  # fmt: skip
"""In order of preference: torch's own choice first, then its kernels one by one, then packages that may be installed."""
MAX_ERROR = 0.01
"""Relative, against float32: rounding to bfloat16 costs 2^-9, and a kernel rounds its weights of the softmax as well. int8 kernels are
said to lie at several percent (SageAttention, arXiv 2410.02367, table 1), so they do not pass."""
MIN_GAIN = 0.05
"""A kernel must be this much faster than one preferred to it: a race between equals would be decided by noise, differently each time."""
AGREE_TOKENS = 1024
"""Tokens of the comparison with float32, whose scores are written out in full."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One kernel's run: median seconds and relative error, or the reason why it cannot run here."""

    name: str
    seconds: float = 0.0
    error: float = 0.0
    refused: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether it may be taken without being asked for."""
        return not self.refused and self.error <= MAX_ERROR


def try_kernels(
    *,
    num_tokens: int,
    heads: int,
    head_dim: int,
    device: torch.device,
    dtype: torch.dtype,
    names: Sequence[str] = CANDIDATES,
    repeats: int = 3,
) -> list[Trial]:
    """Run each kernel on one clip of `num_tokens`, seeded noise, and on a smaller one beside float32."""
    large, small = (_inputs(min(num_tokens, n), heads, head_dim, device, dtype) for n in (num_tokens, AGREE_TOKENS))
    query, key, value = (tensor.float().transpose(1, 2) for tensor in small)
    scores = torch.softmax(query @ key.transpose(-1, -2) / head_dim**0.5, dim=-1)
    truth = (scores @ value).transpose(1, 2)
    return [_try(name, large, small, truth, repeats) for name in names]


def _inputs(num_tokens: int, heads: int, head_dim: int, device: torch.device, dtype: torch.dtype) -> list[torch.Tensor]:
    """Query, key and value `[1, L, heads, head_dim]`; Wan normalises query and key, so unit variance is what they have."""
    generator = torch.Generator(device).manual_seed(0)
    shape = (1, num_tokens, heads, head_dim)
    return [torch.randn(shape, generator=generator, device=device, dtype=torch.float32).to(dtype) for _ in range(3)]


@torch.no_grad()
def _try(name: str, large: list[torch.Tensor], small: list[torch.Tensor], truth: torch.Tensor, repeats: int) -> Trial:
    backend = AttentionBackendName(name)
    try:
        _check_attention_backend_requirements(backend)
        answer = dispatch_attention_fn(*small, backend=backend).float()
        error = float((answer - truth).norm() / truth.norm())
        seconds = [_timed(lambda: dispatch_attention_fn(*large, backend=backend), large[0].device) for _ in range(repeats + 1)][1:]
    except Exception as reason:  # noqa: BLE001 - kernels of many libraries refuse in many ways, and each way is an answer
        return Trial(name=name, refused=f"{type(reason).__name__}: {str(reason).splitlines()[0] if str(reason) else ''}"[:200])
    return Trial(name=name, seconds=statistics.median(seconds), error=error)


def _timed(work: Any, device: torch.device) -> float:
    """Seconds of one call, the device's work included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def choose(trials: Sequence[Trial]) -> str:
    """The fastest exact kernel; of nearly equal ones the first. Raises `UnavailableError` where none is."""
    exact = [trial for trial in trials if trial.is_exact]
    if not exact:
        raise UnavailableError("attention: no kernel on this device agrees with float32", detail=str(trials))
    best = exact[0]
    for trial in exact[1:]:
        if trial.seconds < best.seconds * (1 - MIN_GAIN):
            best = trial
    return best.name


def use(experts: Sequence[Any], name: str) -> None:
    """Let the experts' self-attention run on this kernel; cross-attention, a small share, keeps torch's own, which takes scores."""
    for expert in experts:
        for block in expert.blocks:
            block.attn1.processor._attention_backend = AttentionBackendName(name)


def settle(wish: str, experts: Sequence[Any], num_tokens: int, device: torch.device, dtype: torch.dtype) -> str:
    """The kernel for these experts: the one wished for, or with `auto` the winner (on a CPU there is one only, so none is run).

    Raises `InvalidValueError` for an unknown name, and for one that cannot run here: another kernel instead would be a silent fallback.
    """
    allowed = (AUTO, *CANDIDATES, MATH)
    if wish not in allowed:
        raise InvalidValueError("attention", wish, f"must be one of {', '.join(allowed)}")
    config = experts[0].config
    heads, head_dim = config.num_attention_heads, config.attention_head_dim
    if wish == NATIVE or (wish == AUTO and device.type == "cpu"):
        name = NATIVE
    elif wish == AUTO:
        name = choose(try_kernels(num_tokens=num_tokens, heads=heads, head_dim=head_dim, device=device, dtype=dtype))
    else:
        trial = try_kernels(num_tokens=AGREE_TOKENS, heads=heads, head_dim=head_dim, device=device, dtype=dtype, names=[wish], repeats=1)[0]
        if trial.refused:
            raise InvalidValueError("attention", wish, f"cannot run here: {trial.refused}")
        name = wish
    use(experts, name)
    return name
