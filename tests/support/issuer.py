"""An identity provider in memory: keys, a key set that can be changed, and tokens good or bad."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from cinelet.errors import UnavailableError

NOW = 1_800_000_000.0
ISSUER = "https://login.example.com/"
AUDIENCE = "https://cinelet.example.com"


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


def make_key(algorithm: str) -> Any:
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP384R1() if algorithm == "ES384" else ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)


def public_jwk(key: Any, key_id: str, **fields: Any) -> dict[str, Any]:
    kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm, ed25519.Ed25519PrivateKey: OKPAlgorithm}
    algorithm = next(kind for base, kind in kinds.items() if isinstance(key, base))
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig", **fields}


@dataclass
class Issuer:
    """Signs with `keys`; `published` are the ids its key server shows. It counts downloads, and fails while `is_down`."""

    algorithm: str = "RS256"
    keys: dict[str, Any] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    num_downloads: int = 0
    is_down: bool = False

    def __post_init__(self) -> None:
        self.add_key("one")

    def add_key(self, key_id: str) -> None:
        self.keys[key_id] = make_key(self.algorithm)
        self.published.add(key_id)

    async def fetch(self) -> bytes:
        self.num_downloads += 1
        await asyncio.sleep(0)  # others get their turn, as in any download
        if self.is_down:
            raise UnavailableError("token keys: the key server does not answer as it should")
        entries = [public_jwk(key, key_id, alg=self.algorithm) for key_id, key in self.keys.items() if key_id in self.published]
        return json.dumps({"keys": entries}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims with changes; None takes a claim away."""
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "tenant": "acme", "iat": NOW, "exp": NOW + 3600}
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def token(self, key_id: str = "one", *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        return jwt.encode(
            self.claims(**changes), self.keys[key_id], self.algorithm, headers={"kid": key_id, **({} if headers is None else headers)}
        )
