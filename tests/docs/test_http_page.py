"""The page of the HTTP API is the API."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cinelet.gateway.app import create_app
from cinelet.gateway.reference import reference_page
from cinelet.gateway.request_schema import FIELDS
from cinelet.telemetry import Metrics

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "http.md"


@pytest.fixture(scope="module")
def page() -> str:
    return reference_page(create_app(nullcontext, Metrics(CollectorRegistry(), version="0")))


def test_the_page_is_the_api(page: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == page


def test_every_field_says_what_it_means() -> None:
    assert all(schema["description"].endswith(".") for schema in FIELDS.values())
