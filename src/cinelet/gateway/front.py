"""Around every request: an id, a clock, a known host, a last resort for what nobody caught. Plain ASGI, since it runs each time."""

from __future__ import annotations

import ipaddress
import json
import random
import re
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinelet.errors import CineletError, InternalError, RateLimitedError, RequestError
from cinelet.gateway.problems import Problem, problem
from cinelet.telemetry.metrics import Metrics

POLICY = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'"
ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
DOCS = ("/docs", "/openapi.json")
HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")
"""A name or an address, and a port. Our links are built on it, so nothing else may stand in it (RFC 9110, section 7.2)."""
MAX_PORT = 65_535


class Front:
    """Wraps the application. `allowed_hosts` are names without port, IPv6 addresses in brackets, `*` for any."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, allowed_hosts: tuple[str, ...]) -> None:
        self._app = app
        self._metrics = metrics
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._log = structlog.get_logger("cinelet.gateway")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        began = time.perf_counter()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_headers(scope, request_id, began)]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            self._check(scope)
            await self._app(scope, receive, send_marked)
        except _RefusedError as error:
            await _answer(problem(error), send_marked)
        except Exception as error:
            self._log.exception("request failed", method=scope["method"], route=_route(scope))
            if status:
                raise
            await _answer(problem(error if isinstance(error, CineletError) else InternalError("internal error")), send_marked)
        finally:
            self._count(scope, status, time.perf_counter() - began)
            structlog.contextvars.unbind_contextvars("request_id")

    def _check(self, scope: Scope) -> None:
        """Raise `_RefusedError` for what no route may see: a host that is none or not ours, a body with two lengths."""
        headers = [(name, value) for name, value in scope["headers"] if name in {b"host", b"content-length", b"transfer-encoding"}]
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
            raise _RefusedError("transfer-encoding: must not come with content-length; proxies disagree on where such a body ends")
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        found = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None or not _is_possible(found["name"], found["port"]):
            raise _RefusedError("host: must be one name or address, with a port where it is not the usual one")
        if "*" not in self._hosts and found["name"].lower() not in self._hosts:
            raise _RefusedError("host: this service is not known by that name")

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        labels = {"route": _route(scope), "method": scope["method"], "status_class": f"{status // 100}xx"}
        self._metrics.http_requests_total.add(**labels)
        error = scope.get("state", {}).get("error")
        self._metrics.http_request_seconds.observe(seconds)
        if isinstance(error, RateLimitedError):
            self._metrics.rate_limited_total.add(tier=scope["state"].get("tier", "unknown"))
        if error is not None or seconds > 1.0 or status >= 500:
            code = getattr(error, "code", None)
            self._log.info(
                "request", **labels, status=status, seconds=round(seconds, 4), code=code, detail=getattr(error, "detail", "") or None
            )


def new_request_id() -> str:
    """What one call is found by in logs. No secret."""
    return f"req_{random.randbytes(12).hex()}"


def _is_possible(name: str, port: str | None) -> bool:
    """Whether these have a meaning beyond their form."""
    try:
        if name.startswith("["):
            ipaddress.IPv6Address(name[1:-1])
    except ValueError:
        return False
    return port is None or int(port) <= MAX_PORT


def _route(scope: Scope) -> str:
    """The template, never the path: ids belong in no metric."""
    route: Any = scope.get("route")
    return getattr(route, "path", "unmatched")


def _headers(scope: Scope, request_id: str, began: float) -> list[tuple[bytes, bytes]]:
    milliseconds = round(1000 * (time.perf_counter() - began))
    headers = [(b"x-request-id", request_id.encode()), (b"openai-processing-ms", str(milliseconds).encode()), *ALWAYS]
    return headers if scope["path"] in DOCS else [*headers, (b"content-security-policy", POLICY.encode())]


async def _answer(told: Problem, send: Send) -> None:
    """Send `told` and hang up: what comes after a refused head may not be the next request (RFC 9112, section 6.3)."""
    body = json.dumps(told.body).encode()
    fields = {**told.headers, "content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _RefusedError(RequestError):
    """A request that goes no further than here."""
