"""Brings one webhook message to a URL that a client chose: once, to a checked address, and back with a status.

Knows nothing of retries or of where messages wait. Nothing a receiver says is shown to anyone: its status decides, its body is
thrown away.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx2

from cinelet.errors import CineletError, UnavailableError
from cinelet.gateway.target import Resolve, Target, check_target, resolve
from cinelet.gateway.webhook import signed_headers

TIMEOUT_S = 15.0
"""From name resolution to the answer's headers."""
CONNECT_TIMEOUT_S = 4.0
"""For one address, so that a dead one leaves time for the next."""
MAX_ANSWER_BYTES = 65_536
"""Read so that a polite receiver can finish its answer; what comes after is cut off."""
ANSWER_TIMEOUT_S = 2.0
"""For reading that much once the status is there."""
MAX_CONNECTIONS = 32


class Envoy:
    """Sends messages by `transport`, which must follow no redirects and keep no connection, as `direct_transport` does: a kept
    connection was made for another name. `clock` gives unix seconds. `allow_loopback` is for development, see `check_target`.
    """

    def __init__(
        self,
        transport: httpx2.AsyncBaseTransport,
        *,
        clock: Callable[[], float] = time.time,
        resolve: Resolve = resolve,
        allow_loopback: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._resolve = resolve
        self._allow_loopback = allow_loopback
        self._timeout_s = timeout_s

    async def send(self, url: str, event_id: str, body: bytes, secrets: Sequence[str]) -> int | str:
        """The receiver's status, or in words why there is none. `secrets` sign the message, each for itself. Raises nothing."""
        try:
            async with asyncio.timeout(self._timeout_s):
                target = await check_target(url, resolve=self._resolve, allow_loopback=self._allow_loopback)
                headers = {
                    "host": target.authority,
                    "content-type": "application/json",
                    "user-agent": "cinelet",
                    **signed_headers(event_id, body, secrets, self._clock()),
                }
                answer = await self._reach(target, headers, body)
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except CineletError as error:
            return error.message
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return f"cannot be reached ({type(error).__name__})"
        await _throw_away(answer)
        return answer.status_code

    async def _reach(self, target: Target, headers: dict[str, str], body: bytes) -> httpx2.Response:
        """Ask the checked addresses one after the other until one takes the connection."""
        extensions: dict[str, Any] = {"timeout": {"connect": CONNECT_TIMEOUT_S}}
        if target.is_encrypted:
            extensions["sni_hostname"] = target.host
        refusal: Exception | None = None
        for address in target.addresses:
            request = httpx2.Request("POST", target.pinned(address), headers=headers, content=body, extensions=extensions)
            try:
                return await self._transport.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                refusal = error
        raise UnavailableError("cannot be reached: no address takes the connection", detail=repr(refusal)) from refusal


def direct_transport(verify: ssl.SSLContext | bool = True) -> httpx2.AsyncHTTPTransport:
    """Connects by itself: no proxy from the environment, no connection used twice. The caller closes it."""
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=0)
    return httpx2.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)


async def _throw_away(answer: httpx2.Response) -> None:
    """Read a bounded part of the body and close. The status has come: what goes wrong here changes nothing."""
    num_bytes = 0
    with suppress(httpx2.HTTPError, httpx2.StreamError, OSError):
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                async for chunk in answer.aiter_raw():
                    num_bytes += len(chunk)
                    if num_bytes > MAX_ANSWER_BYTES:
                        break
        finally:
            await answer.aclose()
