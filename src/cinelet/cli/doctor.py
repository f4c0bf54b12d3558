"""`cinelet doctor`: what this machine can run, and how fast, measured now."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cinelet.errors import CineletError
from cinelet.models import Catalogue
from cinelet.settings import load_settings

PROBE_PROMPT = "A red balloon rising at sunset"
PROBE_STEPS = 4
MATMUL_SIDE, MATMUL_REPEATS = 1024, 8


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this machine can run and how fast. Takes a few seconds."""
    report = {"machine": _machine(), "software": _software(), "device": _device(), "models": _models(), "pocket": _probe()}
    if as_json:
        print(json.dumps(report))  # noqa: T201
        return
    console = Console(soft_wrap=True)
    for section, facts in report.items():
        table = Table(show_header=False, box=None, title=section, title_justify="left", title_style="bold")
        for key, value in facts.items():
            table.add_row(f"  {key}", str(value))
        console.print(table)


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"system": platform.platform(), "cores": os.cpu_count(), "memory_gib": round(memory / 2**30, 1)}


def _software() -> dict[str, Any]:
    return {"python": platform.python_version()} | {name: version(name) for name in ("torch", "diffusers", "transformers", "av")}


def _device() -> dict[str, Any]:
    import torch  # noqa: PLC0415 - `--help` should not wait for it

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    facts: dict[str, Any] = {"device": str(device), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        facts |= {"name": torch.cuda.get_device_name(), "memory_gib": round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)}
    for dtype in (torch.float32, torch.bfloat16):
        facts[f"matmul_{str(dtype).removeprefix('torch.')}_tflops"] = round(_matmul_tflops(device, dtype), 3)
    return facts


def _matmul_tflops(device: Any, dtype: Any) -> float:
    """Best of a few square products: 2 n^3 floating-point operations each."""
    import torch  # noqa: PLC0415

    a = torch.randn(MATMUL_SIDE, MATMUL_SIDE, device=device).to(dtype)

    def product() -> None:
        torch.mm(a, a).sum().item()

    return 2 * MATMUL_SIDE**3 / min(_seconds(product) for _ in range(MATMUL_REPEATS)) / 1e12


def _models() -> dict[str, Any]:
    return {
        card.name: "installed" if card.is_installed else f"not installed ({card.folder})"
        for card in Catalogue(load_settings().models_dir).list()
    }


def _probe() -> dict[str, Any]:
    """Cold start and the pace of the pocket model; what fails is told, not raised: a doctor must finish."""
    from cinelet.local import TextToVideoGenerator  # noqa: PLC0415

    try:
        generator = TextToVideoGenerator(model="pocket")
        load_s = _seconds(lambda: generator.engine("pocket"))
        generator.generate(PROBE_PROMPT, steps=1, seed=0)
        result = generator.generate(PROBE_PROMPT, steps=PROBE_STEPS, seed=0)
        engine = generator.engine("pocket")
        predicted = engine.memory(result["plan"]).peak()
    except CineletError as error:
        return {"error": error.message}
    spent = result["stage_durations_s"]
    step_s = spent["denoise"] / PROBE_STEPS
    return {
        "load_s": round(load_s, 2),
        "step_s": round(step_s, 3),
        "decode_s": round(spent["decode"], 2),
        "standard_clip_s": round(16 * step_s + spent["decode"], 1),
        "predicted_peak_mib": predicted >> 20,
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
