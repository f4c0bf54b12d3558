"""What the card can do at best: matrix products timed on their own, large and square, and in the shapes of the model's layers."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

import torch

SQUARE = {"cuda": 8192, "cpu": 256}


def synchronise(device: torch.device) -> None:
    """Wait for the device; a CPU never lags."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device's work included."""
    synchronise(device)
    began = perf_counter()
    work()
    synchronise(device)
    return perf_counter() - began


def matmul_tflops(sizes: tuple[int, int, int], device: torch.device, dtype: torch.dtype, repeats: int = 10) -> float:
    """TFLOP/s of `[rows, inner] @ [inner, columns]`, sizes in that order, median after three unmeasured runs."""
    rows, inner, columns = sizes
    left = torch.randn((rows, inner), device=device, dtype=torch.float32).to(dtype)
    right = torch.randn((inner, columns), device=device, dtype=torch.float32).to(dtype)
    times = [seconds(lambda: left @ right, device) for _ in range(repeats + 3)][3:]
    return 2 * rows * inner * columns / median(times) / 1e12


def ceiling(num_tokens: int, dim: int, ffn_dim: int, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """TFLOP/s of the large square product, of a projection and of the feed-forward layer of one clip."""
    side = SQUARE.get(device.type, 256)
    products = {"square": (side, side, side), "projection": (num_tokens, dim, dim), "feed_forward": (num_tokens, dim, ffn_dim)}
    return {name: round(matmul_tflops(sizes, device, dtype), 3) for name, sizes in products.items()}
