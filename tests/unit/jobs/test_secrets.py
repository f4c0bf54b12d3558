"""Keys and signing secrets: their form, and what of them is kept."""

from __future__ import annotations

import base64

from cinelet.jobs.endpoints import new_secret
from cinelet.jobs.tenants import digest_of


def test_a_signing_secret_is_what_the_strictest_verifier_wants() -> None:
    secret = new_secret()
    prefix, _, encoded = secret.partition("_")
    assert prefix == "whsec"
    assert len(encoded) == 32
    assert len(base64.b64decode(encoded, validate=True)) == 24
    assert new_secret() != secret


def test_the_digest_of_a_key_tells_nothing_of_it_and_is_always_the_same() -> None:
    assert digest_of("cinelet_abc") == digest_of("cinelet_abc") != digest_of("cinelet_abd")
    assert len(digest_of("x")) == 64
