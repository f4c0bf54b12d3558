"""The tree of errors."""

from __future__ import annotations

import pickle

import pytest

from cinelet import errors
from cinelet.errors import CineletError, InvalidValueError, show


def classes(base: type[CineletError] = CineletError) -> list[type[CineletError]]:
    return [base, *(found for child in base.__subclasses__() for found in classes(child))]


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
