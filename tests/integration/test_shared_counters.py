"""Rate limits that gateways share in a real Redis, and what happens when it dies."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cinelet.errors import RateLimitedError
from cinelet.gateway.access import Limiter, open_counters
from cinelet.jobs import Tenant
from tests.support.chaos import free_port

HOW_TO_INSTALL = "shared counters are tested on Redis: apt install redis-server"
TENANT = Tenant(id="acme", requests_per_minute=8)
PATIENCE_S = 30.0
"""A busy machine may take longer over a first connection than a gateway would wait."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    program = shutil.which("redis-server")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_INSTALL)
    port = free_port()
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        while b"Ready to accept connections" not in process.stdout.readline():
            assert process.poll() is None
        yield f"redis://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()
        process.stdout.close() if process.stdout else None


async def spend(limiter: Limiter) -> bool:
    try:
        await limiter.spend(TENANT, "submit")
    except RateLimitedError:
        return False
    return True


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # limits cannot close its connections
def test_two_gateways_together_give_out_what_one_may_and_less_when_redis_dies(redis: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, process = redis

    async def play() -> tuple[list[bool], list[bool], bool]:
        gateways = [Limiter(open_counters(url), patience_s=PATIENCE_S) for _ in range(2)]
        together = [await spend(gateways[i % 2]) for i in range(12)]
        process.kill()
        process.wait()
        alone = [await spend(gateways[0]) for _ in range(6)]
        return together, alone, gateways[0].is_degraded

    together, alone, is_degraded = asyncio.run(play())
    gc.collect()
    assert sum(together) == 8
    assert is_degraded
    assert sum(alone) == 2
