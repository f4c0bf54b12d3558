"""Says how to install what a plain installation lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cinelet.errors import RequestError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around imports of what the extra `name` brings. Raises `RequestError` for a package that is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "cinelet":
            raise
        raise RequestError(f"{error.name}: is not installed; pip install 'cinelet[{name}]'") from error
