"""Are a model's files whole and of the allowed kind? Read as bytes, before any library opens them.

Weights must be safetensors: a pickle can run code when it is opened (CVE-2025-32434), so its mere presence where weights are
due is refused. Headers are always checked against file lengths, and against the index where weights come in several files; contents
against `manifest.json` (sha256), if there is one.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinelet.errors import ModelFilesError, NotFoundError
from cinelet.models.card import FOLDER, PACKAGE, ModelCard

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


def require_model(card: ModelCard) -> None:
    """Raise `NotFoundError` where the model is not installed, `ModelFilesError` with the first fault of its files.

    Contents are compared for the shipped model only: for the others that takes minutes, and `cinelet models check` does it.
    """
    if not card.is_installed:
        raise NotFoundError(f"model: {card.name} is not installed in {' and '.join(map(str, card.folders))}; {remedy(card)}")
    for report in check_model(card, contents=card.source == PACKAGE):
        if report.fault:
            raise ModelFilesError(f"model: {report.path} {report.fault}; {remedy(card)}")


def remedy(card: ModelCard) -> str:
    """What to do about a model whose files are missing or damaged."""
    if card.source == PACKAGE:
        return "reinstall cinelet"
    if card.source == FOLDER:
        return "copy the checkpoint again from where it came"
    return f"`cinelet models pull {card.name}` fetches what is missing or damaged"


def check_model(card: ModelCard, *, contents: bool, on_bytes: Callable[[int], None] | None = None) -> list[FileReport]:
    """The reports of a model's checkpoint and of the adapters that belong to it."""
    reports = check_files(card.folder, contents=contents, on_bytes=on_bytes)
    return reports + [report for folder in card.adapters for report in check_adapter(folder, contents=contents, on_bytes=on_bytes)]


def check_files(folder: Path, *, contents: bool, on_bytes: Callable[[int], None] | None = None) -> list[FileReport]:
    """A report for every file of a checkpoint; `contents` also compares digests. `on_bytes` hears the bytes read, for a progress bar."""
    if not (folder / "model_index.json").is_file():
        return [FileReport(folder / "model_index.json", 0, "is missing")]
    missing = [FileReport(folder / name, 0, "is missing") for name in _missing_weights(folder)]
    return _check_folder(folder, contents, on_bytes) + missing


def check_adapter(folder: Path, *, contents: bool, on_bytes: Callable[[int], None] | None = None) -> list[FileReport]:
    """A report for every file of an adapter, as `check_files`."""
    if not any(folder.glob("*.safetensors")):
        return [FileReport(folder / "*.safetensors", 0, "is missing")]
    return _check_folder(folder, contents, on_bytes)


def write_manifest(folder: Path, digests: Mapping[str, str] | None = None, *, source: str = "", revision: str = "") -> None:
    """Record the sha256 of every file by its name in the folder; read them all where the `digests` are not known.

    `source` and `revision` are the repository and the commit that the files came from.
    """
    if digests is None:
        digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    origin = {"source": source, "revision": revision} if source else {}
    listed = {name: digest for name, digest in digests.items() if name != MANIFEST}
    (folder / MANIFEST).write_text(json.dumps({**origin, "sha256": listed}, indent=1) + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder: `sha256` by file name, `source` and `revision` where they are known; all empty without one.

    Raises `ModelFilesError` for a file that is no manifest.
    """
    path = folder / MANIFEST
    found: dict[str, Any] = {}
    if path.is_file():
        try:
            found = json.loads(path.read_text())
            found["sha256"].items()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFilesError(f"model: {path} is no manifest", detail=repr(error)) from error
    return {"source": "", "revision": "", "sha256": {}, **found}


def _check_folder(folder: Path, contents: bool, on_bytes: Callable[[int], None] | None) -> list[FileReport]:
    expected: dict[str, str] = read_manifest(folder)["sha256"]
    reports = [_check(path, folder, expected, contents, on_bytes) for path in sorted(folder.rglob("*")) if path.is_file()]
    faulty = {report.path for report in reports if report.fault}
    shards = [report for index in sorted(folder.rglob("*.safetensors.index.json")) for report in _shard_faults(index, faulty)]
    known = {report.path for report in shards}
    missing = [folder / name for name in expected if not (folder / name).is_file() and folder / name not in known]
    return reports + shards + [FileReport(path, 0, "is missing") for path in missing]


def _shard_faults(index: Path, faulty: set[Path]) -> Iterator[FileReport]:
    """What the files that an index names lack; of those that are not `faulty` anyway."""
    try:
        weight_map: dict[str, str] = json.loads(index.read_text())["weight_map"]
        shards = {index.parent / shard: {name for name, file in weight_map.items() if file == shard} for shard in set(weight_map.values())}
    except (ValueError, KeyError, TypeError, AttributeError):
        yield FileReport(index, index.stat().st_size, "is no index of weights")
        return
    for path, due in sorted(shards.items()):
        if not path.is_file():
            yield FileReport(path, 0, f"is missing; {index.name} names {len(due)} tensors in it")
        elif path not in faulty and (lacking := sorted(due - _tensor_names(path))):
            yield FileReport(path, path.stat().st_size, f"lacks {len(lacking)} of {len(due)} tensors that {index.name} names: {lacking[0]}")


def _tensor_names(path: Path) -> set[str]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return set(json.loads(file.read(length)))


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
        fault = header_fault(path, size)
    if not fault and contents:
        digest = expected.get(path.relative_to(folder).as_posix())
        if digest is not None and digest != sha256_of(path, on_bytes):
            fault = f"is not the file of the manifest: its sha256 should be {digest[:12]}…"
    return FileReport(path, size, fault)


def header_fault(path: Path, size: int) -> str:
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


def sha256_of(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            if on_bytes:
                on_bytes(len(chunk))
    return digest.hexdigest()


def revision(*folders: Path) -> str:
    """A digest that changes whenever one of a model's folders does: of its manifest, or of names and sizes where it has none."""
    digests = [_revision(folder) for folder in folders]
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _revision(folder: Path) -> str:
    manifest = folder / MANIFEST
    if manifest.is_file():
        return hashlib.sha256(manifest.read_bytes()).hexdigest()
    listing = [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in sorted(folder.rglob("*")) if path.is_file()]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
