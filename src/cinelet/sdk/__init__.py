"""The remote client of a cinelet service. It knows the wire, and nothing of models, engines or codecs."""

from cinelet.sdk.async_client import AsyncClient
from cinelet.sdk.client import Client
from cinelet.sdk.generator import AsyncRemoteGenerator, RemoteGenerator
from cinelet.sdk.job import JobEvent, RemoteJob
from cinelet.sdk.protocol import Page, Protocol
from cinelet.sdk.result import Codec, RemoteResult
from cinelet.sdk.retry import RetryPolicy
from cinelet.sdk.wish import Options, Wish, make_wish

__all__ = [
    "AsyncClient",
    "AsyncRemoteGenerator",
    "Client",
    "Codec",
    "JobEvent",
    "Options",
    "Page",
    "Protocol",
    "RemoteGenerator",
    "RemoteJob",
    "RemoteResult",
    "RetryPolicy",
    "Wish",
    "make_wish",
]
