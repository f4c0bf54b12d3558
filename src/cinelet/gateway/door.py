"""What every HTTP route needs: who is calling, what came in the body, and desk and archive behind it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request, Response
from pydantic_core import to_json

from cinelet.errors import InvalidValueError
from cinelet.gateway.access import Authenticator, Caller, Limiter
from cinelet.gateway.answer import poll_after_ms, video
from cinelet.gateway.archive import Archive, View
from cinelet.gateway.body import Body
from cinelet.gateway.desk import Desk
from cinelet.gateway.reader import Reader, Reading
from cinelet.gateway.target import Resolve, check_target
from cinelet.jobs import Store
from cinelet.storage import Signer

T = TypeVar("T")

MAX_KEY_CHARS = 255
STRICT = "x-cinelet-strict"


@dataclass(frozen=True, kw_only=True)
class Door:
    """The parts of a running gateway. `allow_loopback` lets callbacks go to this machine: for development."""

    desk: Desk
    reader: Reader
    authenticator: Authenticator
    limiter: Limiter
    signer: Signer
    resolve: Resolve
    allow_loopback: bool
    sync_timeout_s: float
    webhook_secret_of: Callable[[str], str]

    @property
    def archive(self) -> Archive:
        """The jobs that the desk has made."""
        return self.desk.archive

    @property
    def store(self) -> Store:
        """What is no job's: endpoints, history, the roster of workers. Blocks, so ask it `in_thread`."""
        return self.archive.store

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run what blocks."""
        return await self.archive.in_thread(work)

    async def admit(self, request: Request) -> Caller:
        """Who submits; counted against the tenant's rate."""
        caller = await self.authenticator.authenticate(request.headers.get("authorization"))
        request.state.tier = caller.tenant.tier
        allowance = await self.limiter.spend(caller.tenant, "submit")
        if allowance is not None:
            request.state.headers = allowance.headers
        return caller

    async def let_read(self, request: Request) -> Caller:
        """Who reads; counted generously."""
        caller = await self.authenticator.authenticate(request.headers.get("authorization"))
        await self.limiter.spend(caller.tenant, "read")
        return caller

    async def read(self, body: Body, path: str, *, is_strict: bool = False, route_fields: Collection[str] = ()) -> Reading:
        """What `body` asks for of `path`, see `Reader.read`; refused where it wants an address called that is not public."""
        reading = self.reader.read(body, path, is_strict=is_strict, route_fields=route_fields)
        await self.check_callback(reading.asked.callback_url)
        return reading

    async def check_callback(self, url: str | None) -> None:
        """Refuse to ever call an address that is not public."""
        if url is not None:
            await check_target(url, resolve=self.resolve, allow_loopback=self.allow_loopback)


def door_of(request: Request) -> Door:
    """The door this request came through."""
    door: Door = request.app.state.door
    return door


def idempotency_key(request: Request) -> str | None:
    """The client's key, if it sent one. Raises `InvalidValueError`."""
    key = request.headers.get("idempotency-key")
    if key is not None and (not key or len(key) > MAX_KEY_CHARS or not key.isprintable()):
        raise InvalidValueError("Idempotency-Key", key, f"must have 1 to {MAX_KEY_CHARS} printable characters")
    return key


def is_repeat(request: Request) -> bool:
    """Whether the client's library says that it tries again."""
    return request.headers.get("x-stainless-retry-count", "0").strip() not in {"0", ""}


def is_strict(request: Request) -> bool:
    """Whether the client wants unknown fields refused."""
    return request.headers.get(STRICT, "").lower() == "true"


def base_url(request: Request) -> str:
    """Where the caller reached this service, with a slash at its end. `Front` has seen to it that there is one host, and ours."""
    root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return f"{request.scope['scheme']}://{request.headers['host']}{root.rstrip('/')}/"


def answer(request: Request, view: View) -> Response:
    """A `Video` object."""
    headers = dict(getattr(request.state, "headers", {}))
    if not view.job.is_final:
        headers["openai-poll-after-ms"] = str(poll_after_ms(view))
    return Response(to_json(video(view, base_url(request))), headers=headers, media_type="application/json")
