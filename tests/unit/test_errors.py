"""The tree of errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from cinelet import errors
from cinelet.errors import CineletError, InvalidValueError, show


def classes(base: type[CineletError] = CineletError) -> list[type[CineletError]]:
    """The classes of `errors.py`; other folders may have errors of their own below them."""
    children = [child for child in base.__subclasses__() if child.__module__ == base.__module__]
    return [base, *(found for child in children for found in classes(child))]


def test_every_class_stands_in_the_tree_at_the_top_of_the_file_with_a_code_of_its_own() -> None:
    assert all(f" {found.__name__} " in f"{errors.__doc__} ".replace("\n", " ") for found in classes())
    assert len({found.code for found in classes()}) == len(classes())


@pytest.mark.parametrize("error", [InvalidValueError("fps", -1, "must be positive"), errors.OutOfMemoryError("memory: no", detail="x")])
def test_errors_survive_the_way_between_processes(error: CineletError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.message, copy.detail) == (error.message, error.detail)


@pytest.mark.parametrize(("value", "shown"), [("a\nb", r"'a\\nb'"), ("\x1b[31m", r"'\\x1b[31m'"), (-8, "-8"), ("熊猫", "'熊猫'")])
def test_values_are_shown_on_one_printable_line(value: object, shown: str) -> None:
    assert show(value) == shown


def test_long_values_are_cut() -> None:
    assert show("x" * 33_000).endswith("(33,000 characters)'")
    assert len(show("x" * 33_000)) < 120


def test_of_a_long_path_the_end_is_shown(tmp_path: Path) -> None:
    error = InvalidValueError("trace", tmp_path / ("a" * 100) / "trace.csv", "must be a CSV file")
    assert "trace.csv' is not allowed; must be a CSV file" in error.message
    assert len(error.message) < 200
