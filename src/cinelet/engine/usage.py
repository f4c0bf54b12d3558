"""Memory as the system counts it: what is in use, what was used at most, how much a device has left. Knows no models."""

from __future__ import annotations

import resource
from pathlib import Path

import torch


def used_memory_bytes(device: torch.device) -> int:
    """The memory in use now: of the device's allocator on a GPU, of the process on a CPU (0 where the system does not say)."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    return _of_process("VmRSS") or 0


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory used so far: of the device's allocator on a GPU, of the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _of_process("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def free_memory_bytes(device: torch.device) -> int | None:
    """What a GPU has left; None on a CPU, where parts need not be moved."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def total_memory_bytes(device: torch.device) -> int | None:
    """What a GPU has in all; None on a CPU."""
    return torch.cuda.mem_get_info(device)[1] if device.type == "cuda" else None


def _of_process(name: str) -> int | None:
    """From /proc: getrusage would count the parent's memory too, its high-water mark outlives exec."""
    status = Path("/proc/self/status")
    return int(status.read_text().split(f"{name}:")[1].split()[0]) * 1024 if status.exists() else None
