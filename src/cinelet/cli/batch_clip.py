"""The clips that rows of a table stand for: which seed each has, and into which file it goes. Nothing of how they are made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cinelet.cli.batch_manifest import Manifest
from cinelet.cli.batch_table import RowWish, raise_faults
from cinelet.sdk import Wish

MAX_SLUG_CHARS = 48


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One clip to make: the `number`-th variant of a row, into `path`."""

    source: RowWish
    number: int
    wish: Wish
    path: Path

    @property
    def content(self) -> dict[str, Any]:
        """What makes this clip what it is, for its key."""
        said = asdict(self.source.wish.request) | self.source.wish.extra
        return {name: value for name, value in said.items() if value is not None}


def clips_of(row: RowWish, folder: Path, manifest: Manifest) -> list[Clip]:
    """The clips of one row. A row without a seed gets one from its key, so that every run asks for the same clip; variants count up."""
    request = row.wish.request
    first = Clip(source=row, number=1, wish=row.wish, path=folder)
    seed = request.seed
    if seed is None:
        seed = int(manifest.key_of(row.row.number, first.content, 0)[-8:], 16) >> 1
    name = row.name if row.name is not None else f"{row.row.number:04d}-{slug(request.prompt)}"
    return [
        Clip(
            source=row,
            number=number,
            wish=replace(row.wish, request=replace(request, seed=seed + number - 1)),
            path=folder / (f"{name}-{number}.mp4" if row.num_variants > 1 else f"{name}.mp4"),
        )
        for number in range(1, row.num_variants + 1)
    ]


def slug(prompt: str) -> str:
    """A few words of the sentence for a file's name."""
    return re.sub(r"[^\w]+", "-", prompt.lower())[:MAX_SLUG_CHARS].strip("-") or "clip"


def check_names(clips: Sequence[Clip]) -> None:
    """Raise `RequestError` where two clips would share a file, on systems too that do not tell large letters from small ones."""
    rows: dict[str, int] = {}
    faults = []
    for clip in clips:
        name, row = clip.path.name.casefold(), clip.source.row.number
        if rows.setdefault(name, row) != row:
            faults.append(f"row {row}, column name: {clip.path.name} is taken by row {rows[name]}")
    raise_faults(faults)
