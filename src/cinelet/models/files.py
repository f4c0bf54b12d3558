"""Are a checkpoint's files whole and of the allowed kind? Read as bytes, before any library opens them.

Weights must be safetensors: a pickle can run code when it is opened (CVE-2025-32434), so its mere presence where weights are
due is refused. Headers are always checked against file lengths; contents against `manifest.json` (sha256), if there is one.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cinelet.errors import ModelFilesError

MANIFEST = "manifest.json"
WEIGHT_FOLDERS = ("transformer", "transformer_2", "text_encoder", "vae")
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
MAX_HEADER_BYTES = 100_000_000
"""The safetensors format's own bound on its header."""
CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class FileReport:
    """One file's verdict; `fault` is empty where all is well."""

    path: Path
    size_bytes: int
    fault: str = ""


def check_files(folder: Path, *, contents: bool, on_bytes: Callable[[int], None] | None = None) -> list[FileReport]:
    """A report for every file that matters; `contents` also compares digests. `on_bytes` hears the bytes read, for a progress bar."""
    if not (folder / "model_index.json").is_file():
        return [FileReport(folder / "model_index.json", 0, "is missing")]
    expected = _manifest(folder)
    reports = [FileReport(folder / name, 0, "is missing") for name in expected if not (folder / name).is_file()]
    reports += [_check(path, folder, expected, contents, on_bytes) for path in sorted(folder.rglob("*")) if path.is_file()]
    reports += [FileReport(folder / name, 0, "is missing") for name in _missing_weights(folder)]
    return reports


def require_files(folder: Path, *, contents: bool) -> None:
    """Raise `ModelFilesError` with the first fault of `check_files`."""
    for report in check_files(folder, contents=contents):
        if report.fault:
            raise ModelFilesError(f"model: {report.path} {report.fault}")


def write_manifest(folder: Path) -> None:
    """Record the digest of every file of a checkpoint."""
    files = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    files.pop(MANIFEST, None)
    (folder / MANIFEST).write_text(json.dumps({"sha256": files}, indent=1) + "\n")


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        digests: dict[str, str] = json.loads(path.read_text())["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFilesError(f"model: {path} is no manifest", detail=repr(error)) from error
    return digests


def _missing_weights(folder: Path) -> Iterator[str]:
    index = json.loads((folder / "model_index.json").read_text())
    for name in WEIGHT_FOLDERS:
        if index.get(name, [None])[0] is not None and not any((folder / name).glob("*.safetensors")):
            yield f"{name}/*.safetensors"


def _check(path: Path, folder: Path, expected: dict[str, str], contents: bool, on_bytes: Callable[[int], None] | None) -> FileReport:
    size = path.stat().st_size
    fault = ""
    if path.suffix in PICKLE_SUFFIXES:
        fault = "is a pickle; weights must be safetensors (a pickle can run code when it is opened)"
    elif path.suffix == ".safetensors":
        fault = _header_fault(path, size)
    if not fault and contents:
        digest = expected.get(path.relative_to(folder).as_posix())
        if digest is not None and digest != _sha256(path, on_bytes):
            fault = f"is not the file of the manifest: its sha256 should be {digest[:12]}…"
    return FileReport(path, size, fault)


def _header_fault(path: Path, size: int) -> str:
    """What is wrong with a safetensors file's header, by the format's definition; empty if nothing is."""
    with path.open("rb") as file:
        prefix = file.read(8)
        if prefix[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"PK"):
            return "is a pickle under a safetensors name; weights must be safetensors"
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else MAX_HEADER_BYTES + 1
        if length > min(MAX_HEADER_BYTES, size - 8):
            return f"is truncated or no safetensors file ({size:,} bytes)"
        try:
            header = json.loads(file.read(length))
            end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            return "has a damaged safetensors header"
    due = 8 + length + end
    return "" if due == size else f"is truncated: {size:,} bytes of {due:,}"


def _sha256(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            if on_bytes:
                on_bytes(len(chunk))
    return digest.hexdigest()
