"""Steps of a script carried out over HTTP: the only place that knows the HTTP library. Nothing of what the calls mean.

Two classes of one shape, one blocking and one not; all that decides lies in the scripts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from cinelet.errors import UnavailableError
from cinelet.sdk.address import Address
from cinelet.sdk.exchange import Answer, Call, Lost, Open, Pause, Read, Script, Send, Step, Tell
from cinelet.sdk.job import JobEvent

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 16 << 20
"""A hundred jobs of a list with prompts of 32,000 characters fit; what is larger is no answer of ours."""
USER_AGENT = "cinelet-sdk"


@dataclass(frozen=True)
class Done:
    """What a script returned."""

    value: Any


class Transport:
    """Plays scripts, blocking. `sleep` waits for seconds; `http` replaces the connection in tests."""

    def __init__(
        self, address: Address, timeout_s: float, *, sleep: Callable[[float], None] = time.sleep, http: httpx2.BaseTransport | None = None
    ) -> None:
        self._http = httpx2.Client(**_options(address, timeout_s), transport=http)
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, script: Script[T]) -> T:
        """The result of a script that tells nothing."""
        for step in self._play(script):
            if isinstance(step, Done):
                return step.value  # type: ignore[no-any-return]  # the script's own type, through a generator
        raise AssertionError("a script ends with Done")

    def events(self, script: Script[None]) -> Iterator[JobEvent]:
        """What a script tells, while it goes on."""
        with closing(self._play(script)) as steps:
            yield from (step.event for step in steps if isinstance(step, Tell))

    def _play(self, script: Script[Any]) -> Any:
        with closing(script), ExitStack() as opened:
            bytes_left: Iterator[bytes] = iter(())
            outcome: Any = None
            while True:
                try:
                    step: Step = script.send(outcome)
                except StopIteration as stop:
                    yield Done(stop.value)
                    return
                outcome = None
                match step:
                    case Tell():
                        yield step
                    case Pause():
                        self._sleep(max(0.0, step.seconds))
                    case Send() | Open():
                        opened.close()
                        outcome, bytes_left = self._call(step, opened)
                    case Read():
                        outcome = self._read(bytes_left)

    def _call(self, step: Send | Open, opened: ExitStack) -> tuple[Answer | Lost, Iterator[bytes]]:
        try:
            response = self._http.send(_request(self._http, step.call), stream=True)
            opened.callback(response.close)
            if isinstance(step, Open) and response.status_code < 400:
                return _answer(response), response.iter_bytes()
            body = bytearray()
            for received in response.iter_bytes():
                body += received
                _check_size(body)
            opened.close()
            return _answer(response, bytes(body)), iter(())
        except httpx2.RequestError as error:
            return _lost(error), iter(())

    def _read(self, bytes_left: Iterator[bytes]) -> bytes | Lost | None:
        try:
            return next(bytes_left, None)
        except httpx2.RequestError as error:
            return _lost(error)


class AsyncTransport:
    """Plays scripts on the running event loop."""

    def __init__(
        self,
        address: Address,
        timeout_s: float,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        http: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx2.AsyncClient(**_options(address, timeout_s), transport=http)
        self._sleep = sleep

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, script: Script[T]) -> T:
        """The result of a script that tells nothing."""
        async with aclosing(self._play(script)) as steps:
            async for step in steps:
                if isinstance(step, Done):
                    return step.value  # type: ignore[no-any-return]  # the script's own type, through a generator
        raise AssertionError("a script ends with Done")

    async def events(self, script: Script[None]) -> AsyncIterator[JobEvent]:
        """What a script tells, while it goes on."""
        async with aclosing(self._play(script)) as steps:
            async for step in steps:
                if isinstance(step, Tell):
                    yield step.event

    async def _play(self, script: Script[Any]) -> Any:
        async with AsyncExitStack() as opened:
            opened.callback(script.close)
            async with AsyncExitStack() as answer_open:
                bytes_left: AsyncIterator[bytes] = _nothing()
                outcome: Any = None
                while True:
                    try:
                        step: Step = script.send(outcome)
                    except StopIteration as stop:
                        yield Done(stop.value)
                        return
                    outcome = None
                    match step:
                        case Tell():
                            yield step
                        case Pause():
                            await self._sleep(max(0.0, step.seconds))
                        case Send() | Open():
                            await answer_open.aclose()
                            outcome, bytes_left = await self._call(step, answer_open)
                        case Read():
                            outcome = await self._read(bytes_left)

    async def _call(self, step: Send | Open, opened: AsyncExitStack) -> tuple[Answer | Lost, AsyncIterator[bytes]]:
        try:
            response = await self._http.send(_request(self._http, step.call), stream=True)
            opened.push_async_callback(response.aclose)
            if isinstance(step, Open) and response.status_code < 400:
                return _answer(response), response.aiter_bytes()
            body = bytearray()
            async for received in response.aiter_bytes():
                body += received
                _check_size(body)
            await opened.aclose()
            return _answer(response, bytes(body)), _nothing()
        except httpx2.RequestError as error:
            return _lost(error), _nothing()

    async def _read(self, bytes_left: AsyncIterator[bytes]) -> bytes | Lost | None:
        try:
            return await anext(bytes_left, None)
        except httpx2.RequestError as error:
            return _lost(error)


def _options(address: Address, timeout_s: float) -> dict[str, Any]:
    headers = {"user-agent": USER_AGENT, "accept": "application/json"}
    if address.api_key is not None:
        headers["authorization"] = f"Bearer {address.api_key}"
    timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
    return {"base_url": address.url, "headers": headers, "timeout": timeout, "follow_redirects": True}


def _request(http: httpx2.Client | httpx2.AsyncClient, call: Call) -> httpx2.Request:
    timeout = http.timeout
    if call.read_timeout_s is not None:
        timeout = httpx2.Timeout(connect=timeout.connect, read=call.read_timeout_s, write=timeout.write, pool=timeout.pool)
    return http.build_request(
        call.method, call.path.lstrip("/"), params=dict(call.params) or None, json=call.json, headers=dict(call.headers), timeout=timeout
    )


def _answer(response: httpx2.Response, body: bytes = b"") -> Answer:
    return Answer(status=response.status_code, headers=dict(response.headers), body=body)


def _check_size(body: bytearray) -> None:
    if len(body) > MAX_ANSWER_BYTES:
        raise UnavailableError(f"url: the service's answer is larger than {MAX_ANSWER_BYTES:,} bytes; is it a cinelet service?")


def _lost(error: httpx2.RequestError) -> Lost:
    return Lost(str(error) or type(error).__name__)


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
