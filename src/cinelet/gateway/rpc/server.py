"""The gRPC server: port, bounds, health, reflection. Nothing of videos.

Runs in the event loop it is started in, which must be the desk's.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection

from cinelet.errors import InvalidValueError
from cinelet.gateway.rpc.service import Videos
from cinelet.gateway.rpc.videos_pb2 import DESCRIPTOR
from cinelet.gateway.rpc.videos_pb2_grpc import add_VideosServicer_to_server

SERVICE = DESCRIPTOR.services_by_name["Videos"].full_name
HEALTH = "grpc.health.v1.Health"

MAX_REQUEST_BYTES = 4 << 20
"""A start image may come along; the longest prompts with all other fields stay below 100 KB."""
MAX_METADATA_BYTES = 16 << 10
"""A token has at most 8 KB (`access.authenticator`); the rest is small."""
MAX_CALLS = 1000
"""Open at once, streams included; beyond it calls are refused with RESOURCE_EXHAUSTED."""
GRACE_S = 5.0
"""For calls under way when the server stops; a watcher asks again elsewhere."""
KEEPALIVE_MS = 30_000
"""A client that fell silent is given up after two of these, so that its stream ends."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_MS),
    ("grpc.so_reuseport", 0),  # a port that is taken must be an error, not shared
)


class RpcServer:
    """Serves `videos` at `address` (`host:port`, port 0: a free one, told by `port`) from `start` to `stop`, or for a `with` block.

    Without `credentials` the connection is not encrypted: for loopback, or behind a proxy that is. Health and reflection ask for
    no key; `has_reflection` False hides the contract.
    """

    def __init__(
        self, videos: Videos, address: str, *, credentials: grpc.ServerCredentials | None = None, has_reflection: bool = True
    ) -> None:
        self.port = 0
        self._address = address
        self._credentials = credentials
        self._health = HealthServicer()
        self._server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
        add_VideosServicer_to_server(videos, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if has_reflection:
            reflection.enable_server_reflection((SERVICE, HEALTH, reflection.SERVICE_NAME), self._server)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Take the port and serve. Raises `InvalidValueError` where the address cannot be taken."""
        try:
            self.port = self._bind()
        except RuntimeError as error:
            raise InvalidValueError("rpc_address", self._address, "must be host:port of this machine, not taken by another") from error
        await self.tell(is_serving=True)
        await self._server.start()

    async def tell(self, *, is_serving: bool) -> None:
        """What health checks answer from now on; calls are served either way."""
        status = HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING
        for service in ("", SERVICE):
            await self._health.set(service, status)

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Say so to health checks, take no new calls, let those under way end for `grace_s`."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    def _bind(self) -> int:
        if self._credentials is None:
            return int(self._server.add_insecure_port(self._address))
        return int(self._server.add_secure_port(self._address, self._credentials))


def tls_credentials(certificate: Path, key: Path) -> grpc.ServerCredentials:
    """What encrypts the connection, from two PEM files. Raises `InvalidValueError` for one that cannot be read."""
    try:
        return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    except OSError as error:
        raise InvalidValueError("tls_certificate", str(certificate), "must be a readable PEM file, and tls_key too") from error
