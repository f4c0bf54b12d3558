"""A gRPC server on a free port over a real store, with its event loop in a thread of its own. Workers are played by the test."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
from prometheus_client import CollectorRegistry

from cinelet.cli.house import make_pricers
from cinelet.gateway.access import Authenticator, Limiter, open_counters
from cinelet.gateway.desk import Desk
from cinelet.gateway.door import Door
from cinelet.gateway.reader import Reader
from cinelet.gateway.rpc.server import RpcServer
from cinelet.gateway.rpc.service import Videos
from cinelet.gateway.rpc.videos_pb2_grpc import VideosStub
from cinelet.gateway.target import resolve
from cinelet.jobs import Beat, Lease, Store, Tenant
from cinelet.models import Catalogue
from cinelet.storage import Signer, open_blobs
from cinelet.telemetry import Metrics

T = TypeVar("T")

PUBLIC_URL = "http://cinelet.test/"
TIMEOUT_S = 30.0


class RpcHouse:
    """Tenants `ann` and `bob` with a key each. `accept_gate` holds back the store's commits while it is cleared."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(str(folder / "jobs.db"), lease_s=60.0)
        self.blobs = open_blobs(str(folder / "blobs"))
        self.metrics = Metrics(CollectorRegistry(), version="test")
        self.keys: dict[str, str] = {}
        for name in ("ann", "bob"):
            self.store.tenants.put(Tenant(id=name))
            self.keys[name] = self.store.tenants.create_key(name, "test")[0]
        self.accept_gate = threading.Event()
        self.accept_gate.set()
        self.desk: Desk
        self.door: Door
        self.server: RpcServer
        self._hold_commits()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.run(self._open())

    def close(self) -> None:
        """Stop everything."""
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()
        self.store.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the server's loop and wait for it."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(TIMEOUT_S)

    @contextmanager
    def channel(self, *options: tuple[str, Any]) -> Iterator[grpc.Channel]:
        """A connection to the server."""
        with grpc.insecure_channel(f"127.0.0.1:{self.server.port}", options=options) as channel:
            yield channel

    def begin(self, job_id: str) -> Lease:
        """Claim a job, as a worker does."""
        [lease] = self.store.leases.claim([job_id], "w1")
        return lease

    def advance(self, lease: Lease, step: int) -> None:
        """Tell of a finished step."""
        self.store.leases.beat([Beat(job_id=lease.job.id, token=lease.token, stage="denoise_high", step=step, left_s=1.0)])

    def finish(self, lease: Lease, clip: bytes) -> None:
        """Store `clip` and publish it."""
        artifact = self.blobs.put_bytes(f"{lease.job.id}/{lease.token}/video.mp4", clip, "video/mp4")
        assert artifact.sha256 == hashlib.sha256(clip).hexdigest()
        report = {"stage_durations_s": {"denoise_high": 1.5}, "inference_time_s": 2.0, "peak_memory_bytes": 3_000_000}
        self.store.leases.succeed(lease, {"video": artifact.to_json()}, report, 2.0)

    def _hold_commits(self) -> None:
        accept: Callable[..., Any] = self.store.intake.accept

        def held(submissions: Any) -> Any:
            assert self.accept_gate.wait(TIMEOUT_S)
            return accept(submissions)

        self.store.intake.accept = held  # type: ignore[method-assign]

    async def _open(self) -> None:
        pricers = make_pricers(Catalogue(Path("nowhere")), ["pocket"])
        self.desk = Desk(
            self.store,
            self.blobs,
            Catalogue(Path("nowhere")),
            ["pocket"],
            pricers=pricers,
            metrics=Metrics(CollectorRegistry(), version="0"),
        )
        self.door = Door(
            desk=self.desk,
            reader=Reader(self.desk.card),
            authenticator=Authenticator(self.store.tenants),
            limiter=Limiter(open_counters(None)),
            signer=Signer(b"x" * 40, clock=self.store.database.clock),
            resolve=resolve,
            allow_loopback=True,
            sync_timeout_s=TIMEOUT_S,
            webhook_secret_of=lambda _: "whsec_x",
        )
        self.server = RpcServer(Videos(self.door, self.metrics, public_url=PUBLIC_URL), "127.0.0.1:0")
        await self.server.start()

    async def _close(self) -> None:
        await self.server.stop(grace_s=0)
        self.desk.close()


class Client:
    """The stub, with a tenant's key on every call."""

    def __init__(self, channel: grpc.Channel, key: str | None) -> None:
        self._stub = VideosStub(channel)
        self._metadata = () if key is None else (("authorization", f"Bearer {key}"),)

    def call(self, verb: str, request: Any, *, timeout_s: float = TIMEOUT_S, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        """Call a method; a stream comes as an iterator. Raises `grpc.RpcError`."""
        return getattr(self._stub, verb)(request, timeout=timeout_s, metadata=(*self._metadata, *metadata))
