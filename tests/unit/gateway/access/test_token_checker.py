from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.utils import base64url_encode

from cinelet.errors import AuthenticationError, InvalidValueError, UnavailableError
from cinelet.gateway.access import Claims, KeySet, TokenChecker, TokenRules
from tests.support.issuer import AUDIENCE, ISSUER, NOW, Clock, Issuer, make_key, public_jwk

RULES = TokenRules(issuer=ISSUER, audience=AUDIENCE)


@functools.cache
def issuer() -> Issuer:
    return Issuer()


def check(token: str, host: Issuer | None = None, *, now: float = NOW, rules: TokenRules = RULES) -> Claims:
    host = issuer() if host is None else host
    keys = KeySet(host.fetch, [host.algorithm], clock=Clock())
    return asyncio.run(TokenChecker(rules, keys, clock=Clock(now)).check(token))


def b64(value: bytes | str | dict[str, Any]) -> str:
    raw = json.dumps(value).encode() if isinstance(value, dict) else value.encode() if isinstance(value, str) else value
    return base64url_encode(raw).decode()


def signed(header: bytes | str | dict[str, Any], payload: bytes | str | dict[str, Any]) -> str:
    """Any header and payload, honestly signed with the issuer's RSA key."""
    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(jwt.get_algorithm_by_name('RS256').sign(text.encode(), issuer().keys['one']))}"


def with_hmac(secret: bytes, algorithm: str = "HS256", key_id: str = "one") -> str:
    text = f"{b64({'alg': algorithm, 'typ': 'JWT', 'kid': key_id})}.{b64(issuer().claims())}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def unsigned(algorithm: str, signature: str = "") -> str:
    return f"{b64({'alg': algorithm, 'kid': 'one'})}.{b64(issuer().claims())}.{signature}"


def public_pem() -> bytes:
    return issuer().keys["one"].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def with_header(**changes: Any) -> str:
    header = {"alg": "RS256", "typ": "JWT", "kid": "one", **changes}
    return signed({name: value for name, value in header.items() if value is not None}, issuer().claims())


def with_payload(text: str) -> str:
    return signed({"alg": "RS256", "typ": "JWT", "kid": "one"}, text)


def claims_text(extra: str) -> str:
    return json.dumps(issuer().claims())[:-1] + f", {extra}}}"


def tampered(part: int) -> str:
    parts = issuer().token().split(".")
    parts[part] = parts[part][:-6] + ("AAAAAA" if not parts[part].endswith("AAAAAA") else "BBBBBB")
    return ".".join(parts)


def wrong_key() -> str:
    return jwt.encode(issuer().claims(), make_key("RS256"), "RS256", headers={"kid": "one"})


BAD: dict[str, Callable[[], str]] = {
    # algorithm
    **{f"alg {name}": functools.partial(unsigned, name) for name in ("none", "None", "NONE", "nOnE", "", "RS256 ")},
    "alg none with a signature": lambda: unsigned("none", issuer().token().split(".")[2]),
    "no signature": lambda: unsigned("RS256"),
    "HS256 with the public PEM": lambda: with_hmac(public_pem()),
    "HS256 with the JWK": lambda: with_hmac(json.dumps(public_jwk(issuer().keys["one"], "one")).encode()),
    "HS256 with the whole key set": lambda: with_hmac(asyncio.run(issuer().fetch())),
    "HS512 with the public PEM": lambda: with_hmac(public_pem(), "HS512"),
    "HMAC called RS256": lambda: with_hmac(public_pem(), "RS256"),
    "HMAC with an empty key": lambda: with_hmac(b""),
    "ES256 from another key": lambda: jwt.encode(issuer().claims(), make_key("ES256"), "ES256", headers={"kid": "one"}),
    "PS256 although RS256 is configured": lambda: jwt.encode(issuer().claims(), issuer().keys["one"], "PS256", headers={"kid": "one"}),
    "RS512 although RS256 is configured": lambda: jwt.encode(issuer().claims(), issuer().keys["one"], "RS512", headers={"kid": "one"}),
    "alg is a list": lambda: with_header(alg=["RS256"]),
    "alg is a number": lambda: with_header(alg=256),
    "alg is missing": lambda: with_header(alg=None),
    "ES256 with r = s = 0": lambda: f"{b64({'alg': 'ES256', 'kid': 'one'})}.{b64(issuer().claims())}.{b64(bytes(64))}",
    # key
    "wrong key": wrong_key,
    "unknown kid": lambda: with_header(kid="two"),
    "no kid": lambda: with_header(kid=None),
    "empty kid": lambda: with_header(kid=""),
    "kid is a number": lambda: with_header(kid=1),
    "kid is a list": lambda: with_header(kid=["one"]),
    "kid is a path": lambda: with_header(kid="../../../../dev/null"),
    "kid is SQL": lambda: with_header(kid="one' UNION SELECT 'secret' --"),
    "kid is a command": lambda: with_header(kid="one|whoami"),
    "kid of 1,000 characters": lambda: with_header(kid="k" * 1000),
    "jku": lambda: with_header(jku="https://evil.example.com/keys"),
    "x5u": lambda: with_header(x5u="https://evil.example.com/cert"),
    "x5c": lambda: with_header(x5c=["MIIB"]),
    "jwk": lambda: with_header(jwk=public_jwk(make_key("RS256"), "one")),
    "crit": lambda: with_header(crit=["exp"], exp=1),
    "crit and b64": lambda: with_header(crit=["b64"], b64=False),
    "zip": lambda: with_header(zip="DEF"),
    "typ of another kind": lambda: with_header(typ="dpop+jwt"),
    "typ of a logout token": lambda: with_header(typ="logout+jwt"),
    # time
    "expired": lambda: issuer().token(exp=NOW - 31),
    "exp is now, less the leeway": lambda: issuer().token(exp=NOW - 30),
    "not yet valid": lambda: issuer().token(nbf=NOW + 31),
    "no exp": lambda: issuer().token(exp=None),
    "exp is null": lambda: with_payload(json.dumps({**issuer().claims(), "exp": None})),
    "exp is text": lambda: with_payload(claims_text('"exp2": 1').replace(str(NOW + 3600), '"9999999999"')),
    "exp is true": lambda: with_payload(json.dumps({**issuer().claims(), "exp": True})),
    "exp is infinite": lambda: with_payload(json.dumps({**issuer().claims(), "exp": 0}).replace('"exp": 0', '"exp": 1e999')),
    "exp is Infinity": lambda: with_payload(json.dumps({**issuer().claims(), "exp": float("inf")})),
    "exp is NaN": lambda: with_payload(json.dumps({**issuer().claims(), "exp": float("nan")})),
    "nbf is false": lambda: with_payload(json.dumps({**issuer().claims(), "nbf": False})),
    "huge exp": lambda: with_payload(json.dumps({**issuer().claims(), "exp": 10**30})),
    "huge iat": lambda: issuer().token(iat=10**17),
    "iat is text": lambda: with_payload(json.dumps({**issuer().claims(), "iat": "x"})),
    "nbf is a list": lambda: with_payload(json.dumps({**issuer().claims(), "nbf": [1]})),
    # issuer and audience
    "another issuer": lambda: issuer().token(iss="https://evil.example.com/"),
    "issuer is a prefix of ours": lambda: issuer().token(iss=ISSUER[:-1]),
    "issuer begins with ours": lambda: issuer().token(iss=ISSUER + "evil"),
    "issuer in capitals": lambda: issuer().token(iss=ISSUER.upper()),
    "issuer is a list": lambda: with_payload(json.dumps({**issuer().claims(), "iss": [ISSUER]})),
    "no issuer": lambda: issuer().token(iss=None),
    "another audience": lambda: issuer().token(aud="https://other.example.com"),
    "audience is a part of ours": lambda: issuer().token(aud=AUDIENCE[:-4]),
    "audience is a list": lambda: issuer().token(aud=[AUDIENCE, "https://other.example.com"]),
    "audience is a list of one": lambda: issuer().token(aud=[AUDIENCE]),
    "no audience": lambda: issuer().token(aud=None),
    "audience is null": lambda: with_payload(json.dumps({**issuer().claims(), "aud": None})),
    "ID token by nonce": lambda: issuer().token(nonce="n-0S6_WzA2Mj"),
    "ID token by at_hash": lambda: issuer().token(at_hash="x"),
    "ID token by use": lambda: issuer().token(token_use="id"),
    "ID token by type": lambda: issuer().token(typ="ID"),
    # who
    "no subject": lambda: issuer().token(sub=None),
    "empty subject": lambda: issuer().token(sub=""),
    "subject of spaces": lambda: issuer().token(sub="  "),
    "subject is a number": lambda: with_payload(json.dumps({**issuer().claims(), "sub": 5})),
    "no tenant": lambda: issuer().token(tenant=None),
    "empty tenant": lambda: issuer().token(tenant=""),
    "tenant is a list": lambda: issuer().token(tenant=["acme", "other"]),
    "tenant is a path": lambda: issuer().token(tenant="../acme"),
    "tenant of 65 characters": lambda: issuer().token(tenant="a" * 65),
    "tenant with a line end": lambda: issuer().token(tenant="acme\n"),
    "unknown tier": lambda: issuer().token(tier="emperor"),
    "tier is a list": lambda: issuer().token(tier=["vip"]),
    # form
    "duplicate claim": lambda: with_payload(claims_text('"tenant": "other"')),
    "duplicate header": lambda: signed('{"alg":"RS256","kid":"one","kid":"one"}', issuer().claims()),
    "empty": lambda: "",
    "two dots": lambda: "..",
    "two parts": lambda: ".".join(issuer().token().split(".")[:2]),
    "four parts": lambda: issuer().token() + ".x",
    "JWE": lambda: f"{b64({'alg': 'RSA-OAEP', 'enc': 'A256GCM', 'kid': 'one', 'zip': 'DEF'})}.a.b.c.d",
    "1 MB": lambda: issuer().token(junk="x" * 1_000_000),
    "1 MB of dots": lambda: "." * 1_000_000,
    "bad base64": lambda: "!!!." + issuer().token().split(".", 1)[1],
    "padding inside": lambda: "ey==J." + issuer().token().split(".", 1)[1],
    "payload is no JSON": lambda: with_payload("hello"),
    "payload is a list": lambda: with_payload("[]"),
    "payload is a number": lambda: with_payload("5"),
    "payload is no UTF-8": lambda: signed({"alg": "RS256", "kid": "one"}, b"\xff\xfe{}"),
    "payload holds half a surrogate pair": lambda: with_payload(claims_text('"x": "\\ud800"')),
    "payload holds NUL": lambda: with_payload(claims_text('"x": "\\u0000"')),
    "payload is deep": lambda: with_payload(claims_text(f'"x": {"[" * 2500}{"]" * 2500}')),
    "payload holds 5,000 digits": lambda: with_payload(claims_text(f'"x": {"9" * 5000}')),
    "header is no object": lambda: signed("[]", issuer().claims()),
    "not ASCII": lambda: issuer().token() + "é",
    "half a surrogate pair": lambda: issuer().token() + "\ud800",
    "space": lambda: issuer().token() + " ",
    "line end": lambda: issuer().token() + "\n",
    **{f"{name} tampered with": functools.partial(tampered, part) for part, name in enumerate(("header", "payload", "signature"))},
    "signature of another token": lambda: ".".join([*issuer().token(tenant="other").split(".")[:2], issuer().token().split(".")[2]]),
    "signature with padding": lambda: issuer().token() + "=",
}


def test_the_list_of_bad_tokens_is_long_enough() -> None:
    assert len(BAD) >= 40


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_an_authentication_error(name: str) -> None:
    token = BAD[name]()
    with pytest.raises(AuthenticationError) as refusal:
        check(token)
    assert len(refusal.value.message) < 200
    assert len(token) < 20 or token[:20] not in refusal.value.message + refusal.value.detail


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_good_token_tells_who_is_calling(algorithm: str) -> None:
    host = Issuer(algorithm)
    assert check(host.token(tier="vip"), host) == Claims(subject="user-1", tenant="acme", tier="vip")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 29}, {"nbf": NOW + 29}, {"iat": NOW + 29}, {"iat": None}, {"nbf": None}, {"exp": NOW + 0.5}, {"token_use": "access"},
        {"typ": "Bearer"}, {"scope": "a b"}, {"tenant": "a" * 64}, {"tenant": "org_1|team:2@x.y-z"}, {"headers": {"typ": "at+jwt"}},
        {"headers": {"typ": "AT+JWT"}}, {"headers": {"typ": None}}, {"headers": {"x5t": "abc"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_only_unusual_is_accepted(changes: dict[str, Any]) -> None:
    assert check(issuer().token(**changes)).tier is None


def test_claims_have_the_names_the_configuration_gives_them() -> None:
    rules = TokenRules(issuer=ISSUER, audience=AUDIENCE, tenant_claim="org", tier_claim="plan", leeway_s=0)
    assert check(issuer().token(org="acme-2", plan="free"), rules=rules) == Claims(subject="user-1", tenant="acme-2", tier="free")
    with pytest.raises(AuthenticationError, match="org must name a tenant"):
        check(issuer().token(), rules=rules)


def test_an_expired_token_is_told_apart_once_its_signature_is_good() -> None:
    with pytest.raises(AuthenticationError, match="it has expired"):
        check(issuer().token(), now=NOW + 3600 + 30)
    with pytest.raises(AuthenticationError, match="signature is not valid"):
        check(wrong_key(), now=NOW + 3600 + 30)


@pytest.mark.parametrize("fields", [{"leeway_s": 61.0}, {"leeway_s": -1.0}, {"issuer": ""}, {"audience": ""}, {"tenant_claim": ""}])
def test_rules_that_would_open_too_far_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        TokenRules(**{"issuer": ISSUER, "audience": AUDIENCE, **fields})


def test_without_keys_no_token_is_accepted() -> None:
    host = Issuer()
    host.is_down = True
    with pytest.raises(UnavailableError):
        check(host.token(), host)


@given(st.text(max_size=200))
def test_any_text_is_refused_as_no_token(text: str) -> None:
    with pytest.raises(AuthenticationError):
        check(text)


@given(st.data())
def test_a_good_token_with_any_other_character_anywhere_is_refused(data: st.DataObject) -> None:
    token = good_token()
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda char: char != token[place]))
    with pytest.raises(AuthenticationError):
        check(token[:place] + other + token[place + 1 :])


@functools.cache
def good_token() -> str:
    return issuer().token()


NAMES = st.sampled_from(["iss", "aud", "sub", "tenant", "exp", "nbf", "iat", "tier"])


@given(st.dictionaries(NAMES, st.none() | st.booleans() | st.text() | st.lists(st.text()), min_size=1))
def test_claims_of_any_type_never_break_the_checker(changes: dict[str, Any]) -> None:
    text = json.dumps({**issuer().claims(), **changes})
    try:
        claims = check(with_payload(text))
    except AuthenticationError:
        return
    assert claims.tenant
    assert claims.subject.strip()


def test_an_elliptic_signature_of_zeros_is_refused() -> None:
    host = Issuer("ES256")
    text = f"{b64({'alg': 'ES256', 'kid': 'one'})}.{b64(host.claims())}"
    for signature in (bytes(64), b"\x01" * 64, bytes(32) + b"\x01" * 32, b""):
        with pytest.raises(AuthenticationError, match="signature is not valid"):
            check(f"{text}.{b64(signature)}", host)


def test_a_key_too_short_to_trust_signs_nothing() -> None:
    host = Issuer()
    host.keys["one"] = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        token = host.token()
    with pytest.raises(AuthenticationError, match="signature is not valid"):
        check(token, host)
