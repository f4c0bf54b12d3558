"""LoRA adapters by name: which files they are, for which model, how strongly each half acts. Nothing of tensors or devices.

One adapter is one folder under its name: one safetensors file for a model with one transformer, or two whose names say `high` and
`low` (noise) for a model with two experts. An optional `adapter.json` tells what the files cannot.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cinelet.errors import InvalidValueError, ModelFilesError, NotFoundError, show
from cinelet.models.card import ModelCard
from cinelet.models.files import PICKLE_SUFFIXES, header_fault, sha256_of
from cinelet.video import LORA_NAME, LoraUse, Plan

PACKAGED = Path(__file__).parent / "pocket_loras"
"""Adapters of the pocket model that are shipped."""
ABOUT, PEFT_ABOUT = "adapter.json", "adapter_config.json"
MAX_FILE_BYTES = 5 << 30
"""Rank 256 on every layer of one A14B expert in float32 is 4.9 GB: 40 layers of 119,808 values a rank."""
MAX_ABOUT_BYTES = 1 << 16
HALF = re.compile(r"(?<![a-z])(high|low)(?![a-z])|(high|low)_?noise", re.IGNORECASE)
"""How pairs are told apart in the wild: `high_noise_model`, `…_HIGH_fp16`, `wan22-low-noise`, `LowNoise`."""

GetAdapter = Callable[[str], "AdapterFiles"]


@dataclass(frozen=True, kw_only=True)
class AdapterFiles:
    """One adapter on disk. Values only, so that it can be sent to another process.

    `paths` is one file, or the high-noise expert's and then the low-noise one's; `strengths` as many factors of the scale that is
    asked for. `alpha` is the strength of layers whose weights carry none. `base` names the model it was made for, empty where nobody
    says. `digest` is of all that acts on the picture.
    """

    name: str
    paths: tuple[Path, ...]
    strengths: tuple[float, ...]
    digest: str
    alpha: float | None = None
    base: str = ""
    title: str = ""
    trigger: str = ""

    @property
    def is_pair(self) -> bool:
        """Whether it is made for two experts."""
        return len(self.paths) == 2

    @property
    def size_bytes(self) -> int:
        """Of its weights on disk."""
        return sum(path.stat().st_size for path in self.paths)


class Adapters:
    """All adapters known by name: of `folder`, then the packaged ones. Digests are kept while a file's size and time stay.

    `fetch` brings the adapter of a name into `folder` where it lies elsewhere; a name it does not know is fine.
    """

    def __init__(self, folder: Path, fetch: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self._folders = (folder, PACKAGED)
        self._fetch = fetch
        self._digests: dict[tuple[Path, int, int], str] = {}

    def names(self) -> list[str]:
        """Every folder that could be an adapter, whole or not."""
        found = {path.name for folder in self._folders if folder.is_dir() for path in folder.iterdir() if path.is_dir()}
        return sorted(name for name in found if LORA_NAME.fullmatch(name))

    def get(self, name: str) -> AdapterFiles:
        """The files of an adapter. Raises `NotFoundError` that names near ones, `ModelFilesError` where its files are no whole adapter."""
        if LORA_NAME.fullmatch(name):
            if self._fetch is not None:
                self._fetch(name)
            if (folder := self._find(name)) is not None:
                return read_folder(folder, self._digest)
        near = difflib.get_close_matches(name, self.names(), n=3)
        raise NotFoundError(f"loras: {show(name)} is unknown{_hint(near, self.names())}")

    def fitting(self, card: ModelCard) -> list[AdapterFiles]:
        """The whole ones that lie here and were made for `card`'s model, or of which nobody says; without digests, which take reading."""
        found = []
        for name in self.names():
            folder = self._find(name)
            with suppress(ModelFilesError, OSError):  # whole or not, and perhaps replaced at this moment
                if folder is not None:
                    found.append(replace(read_folder(folder, digest_of=lambda _: ""), digest=""))
        return [files for files in found if fits(files, card)]

    def _find(self, name: str) -> Path | None:
        return next((folder / name for folder in self._folders if (folder / name).is_dir()), None)

    def _digest(self, path: Path) -> str:
        stat = path.stat()
        key = (path, stat.st_size, stat.st_mtime_ns)
        if key not in self._digests:
            self._digests[key] = sha256_of(path)
        return self._digests[key]


def no_adapters(name: str) -> AdapterFiles:
    """For those who have none. Raises `NotFoundError`."""
    raise NotFoundError(f"loras: {show(name)} is unknown; there are none here")


def _hint(near: Sequence[str], known: Sequence[str]) -> str:
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known are {', '.join(known[:10])}" if known else "; there are none here"


def fits(files: AdapterFiles, card: ModelCard) -> bool:
    """Whether it was made for this model, as far as anybody says; a checkpoint folder has no name to be made for."""
    return not files.base or "/" in card.name or files.base in {card.name, card.base}


def read_folder(folder: Path, digest_of: Callable[[Path], str] = sha256_of) -> AdapterFiles:
    """The adapter of one folder. Raises `ModelFilesError` for half a pair, pickles, damaged or oversized files."""
    for path in sorted(folder.iterdir()):
        if path.suffix in PICKLE_SUFFIXES:
            raise _fault(path, "is a pickle; adapters must be safetensors (a pickle can run code when it is opened)")
    paths = _in_order(folder)
    for path in paths:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise _fault(path, f"has {size:,} bytes; an adapter has at most {MAX_FILE_BYTES:,}")
        if fault := header_fault(path, size):
            raise _fault(path, fault)
    about = _about(folder, len(paths))
    alpha = _alpha(folder)
    acts = [*(digest_of(path) for path in paths), about.strengths, alpha]
    digest = hashlib.sha256(json.dumps(acts).encode()).hexdigest()[:32]
    return replace(about, paths=paths, alpha=alpha, digest=digest)


def _in_order(folder: Path) -> tuple[Path, ...]:
    """One file, or the high-noise half and then the low-noise one."""
    paths = sorted(folder.glob("*.safetensors"))
    halves = {half: path for path in paths if (half := half_of(path))}
    if len(paths) == 2 and len(halves) == 2:
        return halves["high"], halves["low"]
    if len(paths) == 1 and not halves:
        return tuple(paths)
    if len(paths) == 1:
        other = "low" if "high" in halves else "high"
        raise _fault(folder, f"holds half a pair: {paths[0].name} is there, the file of the {other}-noise expert is not")
    if not paths:
        raise _fault(folder, "holds no *.safetensors")
    names = ", ".join(path.name for path in paths[:4])
    raise _fault(folder, f"holds {len(paths)} files ({names}); an adapter is one, or two whose names say high and low")


def half_of(path: Path) -> str:
    """`high` or `low` where the file's name says so once, else empty."""
    found = {(match[1] or match[2]).lower() for match in HALF.finditer(path.stem)}
    return found.pop() if len(found) == 1 else ""


def _about(folder: Path, num_files: int) -> AdapterFiles:
    """What `adapter.json` says: title, trigger, base, and scale (a number, or one for each half)."""
    path = folder / ABOUT
    entries = _read(path) if path.is_file() else {}
    unknown = set(entries) - {"title", "trigger", "base", "scale"}
    texts = {name: entries.get(name, "") for name in ("title", "trigger", "base")}
    scale = entries.get("scale", 1.0)
    strengths = scale if isinstance(scale, list) else [scale] * num_files
    is_good = not unknown and len(strengths) == num_files and all(map(_is_number, strengths))
    if not is_good or not all(isinstance(text, str) for text in texts.values()):
        raise _fault(path, "has title, trigger and base (texts) and scale (a number, or a list of one for each file), nothing else")
    return AdapterFiles(name=folder.name, paths=(), strengths=tuple(map(float, strengths)), digest="", **texts)


def _alpha(folder: Path) -> float | None:
    """`lora_alpha` of a configuration that peft wrote beside its weights."""
    path = folder / PEFT_ABOUT
    if not path.is_file():
        return None
    entries = _read(path)
    if any(entries.get(name) for name in ("use_dora", "use_rslora", "alpha_pattern", "modules_to_save")):
        raise _fault(path, "uses DoRA, rank-stabilised scaling, a strength for each layer or whole modules, which is not read here")
    alpha = entries.get("lora_alpha")
    if alpha is not None and not _is_number(alpha):
        raise _fault(path, "has no number as lora_alpha")
    return None if alpha is None else float(alpha)


def _read(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_bytes()[: MAX_ABOUT_BYTES + 1])
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFilesError(f"loras: {path} is no JSON of at most {MAX_ABOUT_BYTES:,} bytes", detail=repr(error)) from error
    if not isinstance(entries, dict):
        raise _fault(path, "is no JSON object")
    return entries


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _fault(path: Path, fault: str) -> ModelFilesError:
    return ModelFilesError(f"loras: {path} {fault}")


def pin(plan: Plan, card: ModelCard, get: GetAdapter) -> Plan:
    """The plan with the digest of each adapter, so that equal plans go on giving equal frames when files change.

    Raises `InvalidValueError` for an adapter that is unknown or made for another model; may read the files: for threads.
    """
    return replace(plan, loras=tuple(_pinned(use, card, get) for use in plan.loras)) if plan.loras else plan


def _pinned(use: LoraUse, card: ModelCard, get: GetAdapter) -> LoraUse:
    try:
        files = get(use.name)
    except NotFoundError as error:
        raise InvalidValueError("loras", use.name, error.message.removeprefix("loras: ")) from error
    if not fits(files, card):
        raise InvalidValueError("loras", use.name, f"it was made for {files.base}, not for {card.name}")
    return use._replace(digest=files.digest)
