"""The direction of imports, and who may import what: the two matters of style that decay unseen."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "cinelet"

FLOORS = {
    "errors": 0, "extras": 0, "video": 0, "windows": 0,
    "draft": 1, "settings": 1, "telemetry": 1, "sdk": 1,
    "scheduling": 2, "cache": 2, "storage": 2, "models": 2,
    "engine": 3, "jobs": 3, "regions": 3, "media": 3,
    "gateway": 4, "worker": 4, "capacity": 4, "edge": 4,
    "local": 5, "cluster": 5, "cli": 5,
    "__main__": 6,
}  # fmt: skip

SAME_FLOOR_ALLOWED = {("video", "errors"), ("extras", "errors"), ("cli", "local")}
"""Nouns raise errors; the CLI is where everything is put together, the in-process engine included."""

BANS = {
    "torch": {"engine", "edge", "local", "cli"},
    "diffusers": {"engine", "edge"},
    "huggingface_hub": {"models"},
    "transformers": {"engine"},
    "peft": {"engine"},
    "torchao": {"engine"},
    "onnx": {"edge"},
    "onnxruntime": {"edge"},
    "pynvml": {"worker"},
    "sqlalchemy": {"jobs"},
    "psycopg": {"jobs"},
    "alembic": {"jobs"},
    "fastapi": {"gateway"},
    "starlette": {"gateway"},
    "grpc": {"gateway"},
    "jwt": {"gateway"},
    "limits": {"gateway"},
    "redis": {"cache"},
    "obstore": {"storage"},
    "ray": {"cluster"},
    "av": {"media"},
}
"""Library → folders that may import it. `local` and `doctor` name torch devices only."""


EXCEPTIONS = {("torch", "capacity/forecast/lstm.py")}
"""One file each, which loads the library only when it is asked for: the network that simpler forecasts are compared with."""


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> Iterator[str]:
    """Every imported module, inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their floor"
            yield node.module or ""
            if node.module == "cinelet":
                yield from (f"cinelet.{alias.name}" for alias in node.names)


SOURCES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down_the_floors(path: Path) -> None:
    here = part_of(path)
    if here == "__init__":
        return
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] != "cinelet" or len(parts) == 1 or parts[1] == "__version__" or parts[1] == here:
            continue
        there = parts[1]
        assert there in FLOORS, f"{path} imports {module}, which stands on no floor"
        is_allowed = FLOORS[there] < FLOORS[here] or (here, there) in SAME_FLOOR_ALLOWED
        assert is_allowed, f"{here} (floor {FLOORS[here]}) imports {there} (floor {FLOORS[there]})"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_libraries_stay_in_their_folders(path: Path) -> None:
    here = part_of(path)
    for module in imported_modules(path):
        allowed = BANS.get(module.split(".")[0])
        is_excepted = (module.split(".")[0], path.relative_to(SOURCE).as_posix()) in EXCEPTIONS
        assert allowed is None or here in allowed or is_excepted, f"{here} may not import {module}"


def test_every_folder_stands_on_a_floor() -> None:
    parts = {part_of(path) for path in SOURCES} - {"__init__"}
    assert parts <= set(FLOORS)


@pytest.mark.parametrize("module", ["cinelet", "cinelet.cli", "cinelet.models", "cinelet.settings"])
def test_light_modules_load_no_heavy_library(module: str) -> None:
    heavy = ["torch", "diffusers", "transformers", "av", "PIL", "sqlalchemy", "fastapi", "redis", "ray", "huggingface_hub"]
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
