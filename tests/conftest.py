"""Fixtures that several folders share."""

from tests.support.postgres import postgres
from tests.support.world import postgres_template, postgres_url, store_url, world

__all__ = ["postgres", "postgres_template", "postgres_url", "store_url", "world"]
