"""What may be an address, and where it comes from."""

from __future__ import annotations

import pytest

from cinelet.errors import InvalidValueError
from cinelet.sdk.address import Address


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/"]
)
def test_the_version_is_added_once(url: str) -> None:
    assert Address.find(url, None, {}).url == "http://127.0.0.1:8000/v1"


def test_a_path_before_the_version_stays() -> None:
    assert Address.find("https://example.org/video", None, {}).url == "https://example.org/video/v1"


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8000", "ftp://a", "file:///etc/passwd", "http://", "http://user:pw@host", "http://host:99999", "http://host/?a=b",
     "http://a b/", "http://host/\n", "http://[::1", "", "http://host/#x"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidValueError, match="url"):
        Address.find(url, None, {})


def test_an_argument_goes_before_the_environment() -> None:
    environment = {"CINELET_URL": "http://there", "CINELET_API_KEY": "theirs"}
    assert Address.find(None, None, environment) == Address("http://there/v1", "theirs")
    assert Address.find("http://here", "mine", environment) == Address("http://here/v1", "mine")


@pytest.mark.parametrize("key", ["a b", "a\r\nx-admin: 1", "ä", ""])
def test_a_key_that_cannot_be_a_header_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidValueError) as failure:
        Address.find("http://here", key, {})
    assert "hidden" in failure.value.message
