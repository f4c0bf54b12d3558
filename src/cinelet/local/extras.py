"""What is not on every install: the engine's packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cinelet.errors import RequestError


@contextmanager
def engine_extra() -> Iterator[None]:
    """Say how to install what is missing. Raises `RequestError` for a package that is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "cinelet":
            raise
        raise RequestError(f"{error.name}: is not installed; pip install 'cinelet[engine]'") from error
