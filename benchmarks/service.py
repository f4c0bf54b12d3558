"""What the service's own path costs: jobs accepted a second and exact hits a second, beside a bare FastAPI handler that writes one row.

    python -m benchmarks.service --store sqlite
    python -m benchmarks.service --store postgresql

PostgreSQL is a server of this run's own; the URL of an empty database takes any other. The server measured is a child process; the
client speaks HTTP over kept connections by hand, so that it is never the slower half. Both handlers commit durably (SQLite
`synchronous=FULL`, PostgreSQL `fsync`) on the same disk. Runs take turns, ratios are of medians.
Writes results/service_<database>.json.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.record import scratch, write
from tests.support.chaos import free_port
from tests.support.postgres import Postgres
from tests.support.service import Service

CONNECTIONS = 16
"""Enough for commits to be shared, few enough that a request's time is not its own queue."""
FEWER = (4, 8, 12)
"""Hits are also asked for by so many at once: in a closed loop rate and time are bought from each other."""
BOUND_MS = 20.0
NUM_POPULAR = 20
ROUND_S = 4.0
ROUNDS = 3


async def load(port: int, path: str, body_of: Callable[[int], object], seconds: float, connections: int = CONNECTIONS) -> dict[str, float]:
    """Closed-loop load: each connection sends the next body when it has its answer. Requests a second, and times in milliseconds."""
    times: list[float] = []
    numbers = count()
    end = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            body = json.dumps(body_of(next(numbers))).encode()
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            began = time.perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            content = await reader.readexactly(length)
            if b" 200 " not in answer[:16]:
                raise RuntimeError(f"{answer!r} {content!r}")
            times.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    took = time.perf_counter() - began
    cut = statistics.quantiles(times, n=100)
    return {"per_s": len(times) / took, "p50_ms": 1000 * cut[49], "p99_ms": 1000 * cut[98]}


class Bare:
    """The handler to compare with, in a child process: parse JSON, insert one row, commit, answer."""

    def __init__(self, store: str) -> None:
        self.port = free_port()
        environment = {**os.environ, "BARE_STORE": store}
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.bare:app",
            "--port",
            str(self.port),
            "--no-access-log",
            "--log-level",
            "error",
        ]
        self._process = subprocess.Popen(command, env=environment)

    async def wait_ready(self) -> None:
        """Until the port answers."""
        for _ in range(1000):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
        raise RuntimeError("the bare handler did not start")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


async def measure(store: str, folder: Path) -> dict[str, Any]:
    """Bare handler, new jobs and exact hits, in turns."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ("bare", "accept", "hit", *map(by, FEWER))}
    bare = Bare(f"{folder}/bare.db" if store == "sqlite" else store)
    settings = {"store": str(folder / "cinelet.db") if store == "sqlite" else store, "engine": "fake", "fake_step_s": 0.0}
    try:
        await bare.wait_ready()
        with Service(folder, "serve", **settings) as service:
            port = int(service.settings["port"])
            await load(port, "/v1/videos", popular, 0.5, connections=1)
            await settle(port)
        with Service(folder, "gateway", **settings) as service:
            port = int(service.settings["port"])
            for turn in range(ROUNDS):
                fresh = functools.partial(new, turn)
                runs["bare"].append(await load(bare.port, "/row", fresh, ROUND_S))
                runs["hit"].append(await load(port, "/v1/videos", popular, ROUND_S))
                for connections in FEWER:
                    runs[by(connections)].append(await load(port, "/v1/videos", popular, ROUND_S, connections))
                runs["accept"].append(await load(port, "/v1/videos", fresh, ROUND_S))
    finally:
        bare.stop()
    middle = {name: {key: round(statistics.median(run[key] for run in kind), 2) for key in kind[0]} for name, kind in runs.items()}
    ratios = {f"{name}_to_bare": round(middle[name]["per_s"] / middle["bare"]["per_s"], 3) for name in ("accept", "hit")}
    within = [middle[name]["per_s"] for name in ("hit", *map(by, FEWER)) if middle[name]["p99_ms"] <= BOUND_MS]
    return {"connections": CONNECTIONS, **middle, **ratios, "hit_per_s_within_20_ms": max(within, default=None), "runs": runs}


def popular(number: int) -> dict[str, Any]:
    """One of a few clips that were made already."""
    return {"prompt": f"a cat {number % NUM_POPULAR}", "seed": number % NUM_POPULAR, "num_frames": 1, "size": "64x64"}


def new(turn: int, number: int) -> dict[str, str]:
    """What nobody asked for before."""
    return {"prompt": f"a dog {turn} {number}"}


def by(connections: int) -> str:
    """The name of hits by so many at once."""
    return f"hit_by_{connections}"


async def settle(port: int) -> None:
    """Until nothing waits or runs."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1/queue HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        content = (await reader.read()).split(b"\r\n\r\n", 1)[1]
        writer.close()
        queue = json.loads(content)
        if not queue["running"] and not any(queue["waiting"].values()):
            return
        await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--store", default="sqlite", help="sqlite, postgresql, or the URL of an empty PostgreSQL database")
    args = parser.parse_args()
    with ExitStack() as house:
        folder = house.enter_context(scratch("service"))
        store = args.store
        if store == "postgresql":
            server = house.enter_context(Postgres(is_on_disk=True))
            store = server.url_of(server.create())
        figures = asyncio.run(measure(store, Path(folder)))
    write(f"service_{'sqlite' if args.store == 'sqlite' else 'postgresql'}", figures)
    for name in ("bare", "accept", "hit", *map(by, FEWER)):
        print(f"{name:>8} {figures[name]['per_s']:8.0f}/s   p50 {figures[name]['p50_ms']:6.1f} ms   p99 {figures[name]['p99_ms']:6.1f} ms")
    print(f"accept {figures['accept_to_bare']:.2f} of bare, hit {figures['hit_to_bare']:.2f} of bare")


if __name__ == "__main__":
    main()
