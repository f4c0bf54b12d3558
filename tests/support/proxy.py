"""A TCP proxy that loses answers: what a client sees when a connection dies after its request has arrived."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

Loss = Literal["hold", "close"]
CHUNK = 65_536


@contextmanager
def losing_proxy(url: str, loss: Loss, num_lost: int = 1) -> Iterator[str]:
    """The url of a proxy before `url`. The first `num_lost` connections lose their answer once the service has given it: it is
    held back for ever (`hold`), or the connection is closed in its place (`close`). Later ones are passed through.
    """
    port = urlsplit(url).port
    connections = 0

    async def serve(client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        is_lost = connections <= num_lost
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        there = asyncio.create_task(_pass_on(client_reader, writer))
        try:
            if not is_lost:
                await _pass_on(reader, client_writer)
            elif await reader.read(1) and loss == "hold":
                await there  # until the client has had enough
        finally:
            there.cancel()
            writer.close()
            client_writer.close()

    async def end() -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", 0), loop).result()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
