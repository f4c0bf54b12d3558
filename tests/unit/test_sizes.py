"""Sizes as people write them."""

from __future__ import annotations

import pytest

from cinelet.errors import InvalidValueError
from cinelet.settings import GIB, gib, load_settings


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("16GB", 16e9), ("1.5GiB", 1.5 * GIB), ("800 MB", 8e8), ("512mib", GIB / 2), ("1TB", 1e12), (" 24gb ", 24e9)],
)
def test_a_size_with_its_unit_is_read(text: str, size_bytes: float) -> None:
    assert load_settings(memory_limit_gib=gib(text)).memory_limit_bytes == pytest.approx(size_bytes, abs=1)


@pytest.mark.parametrize("text", ["", "16", "GB", "16 apples", "-1GB", "1e3GB", "nanGB", "16GBs", "1" * 50 + "GB"])
def test_a_size_without_a_plain_number_and_unit_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="16GB"):
        gib(text)


def test_no_limit_stays_no_limit() -> None:
    assert gib(None) is None
    assert load_settings().memory_limit_bytes is None
