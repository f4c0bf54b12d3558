"""The six verbs of `cinelet.v1.Videos`, each a few lines around desk and archive. Nothing of ports.

A client that goes away, or whose deadline passes, ends its call; the job goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

from grpc.aio import ServicerContext

from cinelet.errors import CineletError, InternalError, InvalidValueError, RateLimitedError
from cinelet.gateway.access import Caller
from cinelet.gateway.door import Door
from cinelet.gateway.front import new_request_id
from cinelet.gateway.rpc import videos_pb2 as messages
from cinelet.gateway.rpc.messages import body_of, content_message, key_of, video_message
from cinelet.gateway.rpc.status import status_of
from cinelet.gateway.rpc.videos_pb2_grpc import VideosServicer
from cinelet.telemetry import Metrics, context, get_logger
from cinelet.video import check_choice

PAGE = 20
MAX_STREAMS = 50
"""Watched and downloaded at once by one account in one process; a stream is held open, so a rate does not bound it."""
STREAM_RETRY_S = 5.0
CLIENT_LEFT = 499
"""For metrics only; the status that proxies log for it."""


class Videos(VideosServicer):
    """Behind every method: who calls, how often, and errors as statuses.

    `public_url` is where HTTP clients reach this service, with a slash at its end; None leaves `url` out of videos.
    """

    def __init__(
        self,
        door: Door,
        metrics: Metrics,
        *,
        public_url: str | None = None,
        new_request_id: Callable[[], str] = new_request_id,
    ) -> None:
        self._door = door
        self._metrics = metrics
        self._public_url = public_url
        self._new_request_id = new_request_id
        self._num_streams: Counter[str] = Counter()
        self._log = get_logger("rpc")

    async def Create(self, request: messages.CreateVideoRequest, call: ServicerContext) -> messages.Video:
        """Accept a request. Durable once answered."""
        async with self._admitted("Create", call, "submit") as caller:
            reading = await self._door.read(body_of(request), "create")
            key, again = key_of(request), is_repeat(call)
            view = await self._door.desk.create(caller, reading.asked, body_digest=reading.digest, idempotency_key=key, is_repeat=again)
            return video_message(view, self._public_url)

    async def Get(self, request: messages.GetVideoRequest, call: ServicerContext) -> messages.Video:
        """A video as it is now."""
        async with self._admitted("Get", call, "read") as caller:
            return video_message(await self._door.archive.get(caller, request.id), self._public_url)

    async def List(self, request: messages.ListVideosRequest, call: ServicerContext) -> messages.ListVideosResponse:
        """A page of the caller's videos."""
        async with self._admitted("List", call, "read") as caller:
            check_choice("order", request.order, ("", "asc", "desc"))
            views, has_more = await self._door.archive.list(
                caller,
                after=request.after or None,
                limit=request.limit if request.HasField("limit") else PAGE,
                order="asc" if request.order == "asc" else "desc",
            )
            return messages.ListVideosResponse(videos=[video_message(view, self._public_url) for view in views], has_more=has_more)

    async def Cancel(self, request: messages.CancelVideoRequest, call: ServicerContext) -> messages.Video:
        """Stop the work, keep the record."""
        async with self._admitted("Cancel", call, "read") as caller:
            return video_message(await self._door.archive.cancel(caller, request.id), self._public_url)

    async def Watch(self, request: messages.WatchVideoRequest, call: ServicerContext) -> None:
        """The video now, at every change, and at its end."""
        async with self._admitted("Watch", call, "read") as caller:
            with self._stream(caller):
                async for view in self._door.archive.watch(caller, request.id):
                    await call.write(video_message(view, self._public_url))

    async def Download(self, request: messages.DownloadVideoRequest, call: ServicerContext) -> None:
        """What the bytes are, then the bytes; a slow reader is waited for, piece by piece."""
        archive = self._door.archive
        async with self._admitted("Download", call, "read") as caller:
            with self._stream(caller):
                variant = "video" if request.variant in {"", "0"} else request.variant
                content = await archive.content(caller, request.id, variant)
                if not 0 <= request.offset <= content.size_bytes:
                    raise InvalidValueError("offset", request.offset, f"must be from 0 to {content.size_bytes:,}")
                await call.write(messages.DownloadVideoResponse(content=content_message(content)))
                if (length := content.size_bytes - request.offset) == 0:
                    return
                pieces = await archive.in_thread(lambda: archive.read(content, request.offset, length))
                while piece := await archive.in_thread(lambda: next(pieces, b"")):
                    await call.write(messages.DownloadVideoResponse(data=piece))

    @asynccontextmanager
    async def _admitted(self, verb: str, call: ServicerContext, kind: Literal["submit", "read"]) -> AsyncIterator[Caller]:
        """The caller, counted; what is raised inside the block becomes the call's status."""
        request_id = self._new_request_id()
        status = CLIENT_LEFT
        call.set_trailing_metadata((("x-request-id", request_id),))
        try:
            with context(request_id=request_id):
                try:
                    caller = await self._door.authenticator.authenticate(authorization_of(call))
                    await self._limit(caller, kind)
                    yield caller
                    status = 200
                except Exception as error:  # noqa: BLE001 - the edge of a call
                    told = status_of(self._known(error, verb))
                    status = told.http_status
                    await call.abort(told.code, told.message, (*told.metadata, ("x-request-id", request_id)))
        finally:
            route, status_class = f"/cinelet.v1.Videos/{verb}", f"{status // 100}xx"
            self._metrics.http_requests_total.add(route=route, method="POST", status_class=status_class)

    async def _limit(self, caller: Caller, kind: Literal["submit", "read"]) -> None:
        try:
            await self._door.limiter.spend(caller.tenant, kind)
        except RateLimitedError:
            self._metrics.rate_limited_total.add(tier=caller.tenant.tier)
            raise

    @contextmanager
    def _stream(self, caller: Caller) -> Iterator[None]:
        """One of the account's open streams. Raises `RateLimitedError`."""
        name = caller.tenant.id
        if self._num_streams[name] >= MAX_STREAMS:
            raise RateLimitedError(f"streams: {MAX_STREAMS} of yours are open, and no more may be", retry_after_s=STREAM_RETRY_S)
        self._num_streams[name] += 1
        try:
            yield
        finally:
            self._num_streams[name] -= 1
            if not self._num_streams[name]:
                del self._num_streams[name]

    def _known(self, error: Exception, verb: str) -> CineletError:
        """An error of the tree; what is our bug is logged."""
        if isinstance(error, CineletError) and not isinstance(error, InternalError):
            return error
        self._log.error("call_failed", verb=verb, exc_info=error)
        return error if isinstance(error, InternalError) else InternalError("internal error")


def authorization_of(call: ServicerContext) -> str | None:
    """The credential, if the client sent one."""
    value = dict(call.invocation_metadata() or ()).get("authorization")
    return value if isinstance(value, str) else None


def is_repeat(call: ServicerContext) -> bool:
    """Whether the client's library says that it tries again."""
    return "grpc-previous-rpc-attempts" in dict(call.invocation_metadata() or ())
