from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx2
import pytest
from jwt.algorithms import RSAAlgorithm

from cinelet.errors import InvalidValueError, UnavailableError
from cinelet.gateway.access.key_set import (
    COOLDOWN_S,
    LIFETIME_S,
    MAX_BYTES,
    MAX_KEYS,
    REFRESH_S,
    RETRY_S,
    KeyServer,
    KeySet,
    check_family,
    read_keys,
)
from tests.support.issuer import Clock, Issuer, make_key, public_jwk


def make() -> tuple[Issuer, KeySet, Clock]:
    issuer, clock = Issuer("ES256"), Clock(0.0)
    return issuer, KeySet(issuer.fetch, ["ES256"], clock=clock), clock


def test_keys_are_downloaded_once_and_used_many_times() -> None:
    async def run() -> None:
        issuer, keys, _ = make()
        found = await asyncio.gather(*(keys.find("one") for _ in range(50)))
        assert all(key is not None for key in found)
        assert issuer.num_downloads == 1

    asyncio.run(run())


def test_a_new_key_is_found_at_its_first_use() -> None:
    async def run() -> None:
        issuer, keys, clock = make()
        await keys.find("one")
        clock.now += 1
        issuer.add_key("two")
        assert await keys.find("two") is not None
        assert await keys.find("one") is not None
        assert issuer.num_downloads == 2

    asyncio.run(run())


def test_unknown_ids_cause_one_download_in_thirty_seconds() -> None:
    async def run() -> None:
        issuer, keys, clock = make()
        await keys.find("one")
        for second in range(int(2 * COOLDOWN_S)):
            clock.now = 1.0 + second
            assert await asyncio.gather(*(keys.find(f"forged-{second}-{number}") for number in range(20))) == [None] * 20
        assert issuer.num_downloads == 1 + 2

    asyncio.run(run())


def test_a_withdrawn_key_is_refused_after_the_next_refresh() -> None:
    async def run() -> None:
        issuer, keys, clock = make()
        await keys.find("one")
        issuer.add_key("two")
        issuer.published.discard("one")
        clock.now = REFRESH_S - 1
        assert await keys.find("one") is not None
        clock.now = REFRESH_S
        assert await keys.find("one") is None
        assert await keys.find("two") is not None

    asyncio.run(run())


def test_rotation_with_an_overlap_never_refuses_a_good_key() -> None:
    async def run() -> None:
        issuer, keys, clock = make()
        current = "one"
        for round_number in range(20):
            following = f"key-{round_number}"
            issuer.add_key(following)
            for _ in range(10):
                clock.now += 7
                assert await keys.find(current) is not None
            current = following
            assert await keys.find(current) is not None
            issuer.published = {current}

    asyncio.run(run())


def test_while_the_key_server_is_down_keys_live_on_for_their_lifetime_and_no_longer() -> None:
    async def run() -> None:
        issuer, keys, clock = make()
        await keys.find("one")
        issuer.is_down = True
        for clock.now in (REFRESH_S, LIFETIME_S / 2, LIFETIME_S - 1):
            assert await keys.find("one") is not None
        clock.now = LIFETIME_S
        with pytest.raises(UnavailableError):
            await keys.find("one")
        issuer.is_down = False
        clock.now += RETRY_S
        assert await keys.find("one") is not None

    asyncio.run(run())


def test_an_unknown_id_cannot_be_told_from_a_new_one_while_the_key_server_is_down() -> None:
    async def run() -> None:
        issuer, keys, _ = make()
        await keys.find("one")
        issuer.is_down = True
        with pytest.raises(UnavailableError) as error:
            await keys.find("two")
        assert error.value.retry_after_s == RETRY_S
        assert await keys.find("one") is not None

    asyncio.run(run())


def test_a_key_server_that_is_down_is_not_flooded() -> None:
    async def run() -> None:
        issuer, keys, clock = make()
        issuer.is_down = True
        for _ in range(100):
            with pytest.raises(UnavailableError):
                await keys.find("one")
        assert issuer.num_downloads == 1
        clock.now += RETRY_S
        with pytest.raises(UnavailableError):
            await keys.find("one")
        assert issuer.num_downloads == 2

    asyncio.run(run())


def test_a_slow_key_server_holds_up_one_caller_and_not_those_whose_key_is_known() -> None:
    async def run() -> None:
        issuer, clock = Issuer("ES256"), Clock(0.0)
        gate = asyncio.Event()
        gate.set()

        async def slow() -> bytes:
            document = await issuer.fetch()
            await gate.wait()
            return document

        keys = KeySet(slow, ["ES256"], clock=clock)
        await keys.find("one")
        gate.clear()
        clock.now = REFRESH_S
        first = asyncio.create_task(keys.find("one"))
        while issuer.num_downloads < 2:
            await asyncio.sleep(0)
        assert await keys.find("one") is not None
        assert not first.done()
        gate.set()
        assert await first is not None

    asyncio.run(run())


@pytest.mark.parametrize(
    "algorithms", [[], ["none"], ["HS256"], ["RS256", "HS256"], ["RS256", "ES256"], ["rs256"], ["ES256", "EdDSA"]], ids=str
)
def test_algorithms_are_of_one_public_family(algorithms: list[str]) -> None:
    with pytest.raises(InvalidValueError, match="token algorithms"):
        check_family(algorithms)


def test_keys_of_another_kind_or_use_are_passed_over() -> None:
    ec_key, rsa_key = make_key("ES256"), make_key("RS256")
    good = public_jwk(rsa_key, "good")
    entries = [
        good,
        public_jwk(ec_key, "other family"),
        public_jwk(rsa_key, "encryption", use="enc"),
        public_jwk(rsa_key, "other algorithm", alg="RS512"),
        {**RSAAlgorithm.to_jwk(rsa_key, as_dict=True), "kid": "private"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared secret"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared secret called RS256", "alg": "RS256"},
        {**good, "kid": 5},
        {**good, "kid": "broken", "n": "!"},
        {"kid": "empty"},
        "no object",
    ]
    assert set(read_keys(json.dumps({"keys": entries}).encode(), ["RS256"])) == {"good"}


def test_a_key_set_is_read_up_to_a_bound() -> None:
    entries = [public_jwk(make_key("EdDSA"), str(number)) for number in range(MAX_KEYS + 5)]
    assert len(read_keys(json.dumps({"keys": entries}).encode(), ["EdDSA"])) == MAX_KEYS


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys": 5}', b"<html>", b"\xff", b"[" * 100_000], ids=lambda document: repr(document[:12])
)
def test_what_is_no_key_set_counts_as_no_answer(document: bytes) -> None:
    with pytest.raises(UnavailableError):
        read_keys(document, ["RS256"])


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx2.Response(500),
        lambda _: httpx2.Response(302, headers={"location": "https://evil.example.com/keys"}),
        lambda _: httpx2.Response(200, content=b"x" * (MAX_BYTES + 1)),
        lambda request: (_ for _ in ()).throw(httpx2.ConnectError("down", request=request)),
    ],
    ids=["error", "redirect", "too large", "down"],
)
def test_the_key_server_answers_with_a_document_or_counts_as_down(answer: Callable[[httpx2.Request], httpx2.Response]) -> None:
    server = KeyServer("https://login.example.com/keys", transport=httpx2.MockTransport(answer))
    with pytest.raises(UnavailableError):
        asyncio.run(server())


def test_the_document_comes_as_it_is() -> None:
    server = KeyServer(
        "https://login.example.com/keys", transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=b'{"keys":[]}'))
    )
    assert asyncio.run(server()) == b'{"keys":[]}'
