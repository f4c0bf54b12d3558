from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from standardwebhooks import Webhook

from cinelet.gateway import envoy as envoy_module
from cinelet.gateway.envoy import Envoy, direct_transport
from cinelet.jobs.endpoints import new_secret
from tests.support.certificate import make_certificate
from tests.support.webhook_receiver import Receiver, receiver

SECRET = new_secret()


async def send(url: str, *, timeout_s: float = 15.0, verify: ssl.SSLContext | bool = True, resolve: object = None) -> int | str:
    async with direct_transport(verify) as transport:
        options = {} if resolve is None else {"resolve": resolve}
        envoy = Envoy(transport, allow_loopback=True, timeout_s=timeout_s, **options)  # type: ignore[arg-type]
        return await envoy.send(url, "evt_1", b'{"a":1}', [SECRET])


def with_receiver(work: Callable[[Receiver], Awaitable[int | str]], tls: ssl.SSLContext | None = None) -> tuple[int | str, Receiver]:
    async def run() -> tuple[int | str, Receiver]:
        async with receiver(tls) as host:
            return await work(host), host

    return asyncio.run(run())


def loopback(host: str, port: int) -> Awaitable[list[str]]:
    async def answer() -> list[str]:
        return ["127.0.0.1"]

    return answer()


@pytest.mark.parametrize("status", [200, 204, 302, 400, 410, 500, 503])
def test_the_status_comes_back_and_one_request_was_made(status: int) -> None:
    answer, host = with_receiver(lambda host: send(host.url(f"/{status}")))
    assert answer == status
    assert [request.path for request in host.received] == [f"/{status}"]


def test_the_message_arrives_signed_and_whole() -> None:
    _, host = with_receiver(lambda host: send(host.url("/200?a=b")))
    request = host.received[0]
    assert request.body == b'{"a":1}'
    assert request.headers["host"] == f"127.0.0.1:{host.port}"
    assert request.headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(request.body, request.headers) == {"a": 1}


def test_a_receiver_that_never_answers_is_given_up() -> None:
    answer, _ = with_receiver(lambda host: send(host.url("/hang"), timeout_s=0.2))
    assert answer == "no answer within 0.2 s"


def test_a_receiver_that_breaks_the_connection_has_no_status() -> None:
    answer, _ = with_receiver(lambda host: send(host.url("/reset")))
    assert answer == "cannot be reached (RemoteProtocolError)"


def test_a_body_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy_module, "ANSWER_TIMEOUT_S", 3600.0)
    answer, host = with_receiver(lambda host: send(host.url("/endless")))
    assert answer == 200
    assert host.num_sent < 64 * 1024 * 1024


def test_a_body_that_stalls_does_not_take_the_acknowledgement_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy_module, "ANSWER_TIMEOUT_S", 0.1)
    answer, _ = with_receiver(lambda host: send(host.url("/stall")))
    assert answer == 200


def test_nobody_listening_is_said_in_words() -> None:
    async def closed_port() -> int | str:
        async with receiver() as host:
            url = host.url("/200")
        return await send(url)

    assert asyncio.run(closed_port()) == "cannot be reached: no address takes the connection"


def test_the_second_address_is_tried_when_the_first_takes_no_connection() -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.1"]

    answer, host = with_receiver(lambda host: send(host.url("/200", "hooks.example.com"), resolve=two))
    assert answer == 200
    assert host.received[0].headers["host"] == f"hooks.example.com:{host.port}"


def test_a_secret_that_is_none_is_said_in_words_without_showing_it() -> None:
    async def send_unsigned() -> int | str:
        async with direct_transport() as transport:
            return await Envoy(transport, allow_loopback=True).send("http://127.0.0.1:1/", "evt_1", b"", ["whsec_abc"])

    assert asyncio.run(send_unsigned()) == "webhook secret: must be whsec_ and base64"


def test_the_certificate_must_be_for_the_name_although_the_connection_goes_to_the_address(tmp_path: Path) -> None:
    server, client = make_certificate("hooks.example.com", tmp_path)
    answer, host = with_receiver(lambda host: send(host.url("/200", "hooks.example.com", "https"), verify=client, resolve=loopback), server)
    assert answer == 200
    assert host.received[0].server_name == "hooks.example.com"
    assert host.received[0].headers["host"] == f"hooks.example.com:{host.port}"

    answer, host = with_receiver(lambda host: send(host.url("/200", "other.example.com", "https"), verify=client, resolve=loopback), server)
    assert answer == "cannot be reached: no address takes the connection"
    assert not host.received


def test_a_name_that_turns_inward_reaches_nobody() -> None:
    """The canary listens on loopback; the name is public when it is looked at first, loopback afterwards."""
    asked: list[str] = []

    async def rebind(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.host == "93.184.216.34"
        assert request.extensions["sni_hostname"] == request.headers["host"] == "rebind.example.com"
        return httpx2.Response(200)

    async def twice(host: Receiver) -> int | str:
        envoy = Envoy(httpx2.MockTransport(answer), resolve=rebind)
        assert await envoy.send("https://rebind.example.com/", "evt_1", b"", [SECRET]) == 200
        return await envoy.send("https://rebind.example.com/", "evt_1", b"", [SECRET])

    outcome, canary = with_receiver(twice)
    assert outcome == "url: 'rebind.example.com' is not allowed; must lead to public addresses only"
    assert asked == ["rebind.example.com"] * 2
    assert not canary.received


def test_no_proxy_of_the_environment_sees_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async def with_proxy(host: Receiver) -> int | str:
        async with receiver() as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url(""))
            answer = await send(host.url("/200"))
            assert not proxy.received
            return answer

    assert with_receiver(with_proxy)[0] == 200


def test_no_connection_and_no_cookie_is_kept_for_the_next_receiver_at_the_same_address() -> None:
    async def two(host: Receiver) -> int | str:
        async with direct_transport() as transport:
            envoy = Envoy(transport, allow_loopback=True, resolve=loopback)
            for name in ("a.example.com", "b.example.com"):
                assert await envoy.send(host.url("/kept", name), "evt_1", b"", [SECRET]) == 200
        return host.num_connections

    num_connections, host = with_receiver(two)
    assert num_connections == 2
    assert [request.headers["host"].split(":")[0] for request in host.received] == ["a.example.com", "b.example.com"]
    assert all("cookie" not in request.headers for request in host.received)
