"""Says how to install what the edge needs and a plain installation lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cinelet.errors import RequestError


@contextmanager
def edge_extra() -> Iterator[None]:
    """Around imports. Raises `RequestError` for a package that is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "cinelet":
            raise
        raise RequestError(f"{error.name}: is not installed; pip install 'cinelet[edge]'") from error
