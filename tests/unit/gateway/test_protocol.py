"""How answers leave; the bounds of the protocol are tested on a real socket, in tests/acceptance/test_hostile.py."""

from __future__ import annotations

import asyncio
from typing import cast

from cinelet.gateway.protocol import MAX_JOINED_BYTES, JoiningTransport


class Wire:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.sent.append(b"closed")

    def is_closing(self) -> bool:
        return self.sent[-1:] == [b"closed"]


def joining(wire: Wire) -> JoiningTransport:
    return JoiningTransport(cast("asyncio.Transport", wire), asyncio.get_running_loop())


def test_what_is_written_in_one_turn_of_the_loop_leaves_as_one() -> None:
    async def answers() -> list[bytes]:
        wire = Wire()
        transport = joining(wire)
        for head, body in [(b"head ", b"body"), (b"next head ", b"next body")]:
            transport.write(head)
            transport.write(body)
            await asyncio.sleep(0)
        return wire.sent

    assert asyncio.run(answers()) == [b"head body", b"next head next body"]


def test_much_leaves_at_once_so_that_the_transport_can_say_stop() -> None:
    async def file() -> list[int]:
        wire = Wire()
        transport = joining(wire)
        for _ in range(5):
            transport.write(b"x" * (MAX_JOINED_BYTES // 2 + 1))
        sent = [len(data) for data in wire.sent]
        await asyncio.sleep(0)
        return sent + [len(data) for data in wire.sent[len(sent) :]]

    piece = MAX_JOINED_BYTES // 2 + 1
    assert asyncio.run(file()) == [2 * piece, 2 * piece, piece]


def test_what_was_written_is_sent_before_the_connection_is_closed() -> None:
    async def farewell() -> tuple[list[bytes], bool]:
        wire = Wire()
        transport = joining(wire)
        transport.write(b"farewell")
        transport.close()
        await asyncio.sleep(0)
        return wire.sent, transport.is_closing()

    assert asyncio.run(farewell()) == ([b"farewell", b"closed"], True)
