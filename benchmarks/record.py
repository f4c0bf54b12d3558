"""Where a number came from: command, commit, machine, versions. Written into every result file."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def _git(*args: str) -> str:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def origin() -> dict[str, Any]:
    """The facts that make a number repeatable."""
    return {
        "command": "python -m " + " ".join([*_module(), *sys.argv[1:]]),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else ""),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.system()},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "diffusers", "transformers")},
    }


def _module() -> list[str]:
    spec = sys.modules["__main__"].__spec__
    return [spec.name] if spec else [Path(sys.argv[0]).name]


def write(name: str, values: dict[str, Any]) -> Path:
    """Write `results/{name}.json` with the origin beside the values."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"origin": origin(), **values}, indent=1, ensure_ascii=False) + "\n")
    return path


def scratch(name: str) -> tempfile.TemporaryDirectory[str]:
    """A folder on a real disk, where fsync costs what it costs; it goes with its `with` block."""
    place = ROOT / "runs"
    place.mkdir(exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=f"{name}-", dir=place)
