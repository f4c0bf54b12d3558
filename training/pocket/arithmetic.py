"""In which numbers a training multiplies: bfloat16 where the processor does so itself, else float32.

Where bfloat16 is only emulated (AVX2 alone) a step of the transformer was seen to take 13 times as long as in float32.
"""

from __future__ import annotations

import torch

NATIVE = ("amx_bf16", "avx512_bf16", "bf16")
"""Names of a processor's bfloat16 products, as `torch.cpu.get_capabilities` tells them."""
DTYPE = torch.bfloat16 if any(torch.cpu.get_capabilities().get(name) for name in NATIVE) else torch.float32


def autocast() -> torch.autocast:
    """Matrix products and convolutions inside are in `DTYPE`."""
    return torch.autocast("cpu", torch.bfloat16, enabled=DTYPE is torch.bfloat16)
