"""What the tests of media look at besides files: names in a directory, descriptors of this process."""

from __future__ import annotations

from pathlib import Path


def names_in(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def num_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
