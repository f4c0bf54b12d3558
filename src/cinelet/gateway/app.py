"""The HTTP application: routes, one error shape, a request id on every answer. Put together here, started by the CLI."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

import cinelet
from cinelet.errors import CineletError, InvalidValueError
from cinelet.gateway.front import Front
from cinelet.gateway.problems import error_body, problem
from cinelet.gateway.routes import content, endpoints, events, health, models, submissions, videos
from cinelet.gateway.scale_watch import ScaleWatch
from cinelet.telemetry.metrics import Metrics

STUDIO = Path(cinelet.__file__).parent / "studio"

Application = FastAPI
"""What `create_app` makes, for those who may not name the framework."""
Lifespan = Callable[[FastAPI], Any]
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""The framework's own. Ours is cinelet.telemetry; asking at each request whether the other is set up took a twentieth of a hit."""


def create_app(
    lifespan: Lifespan, metrics: Metrics, *, checks: Mapping[str, Callable[[], bool]] | None = None, allowed_hosts: tuple[str, ...] = ("*",)
) -> Application:
    """The application. `lifespan` opens what routes need and sets `app.state.door` and `app.state.envoy`; readiness asks `checks`."""
    app = FastAPI(
        title="cinelet",
        version=cinelet.__version__,
        lifespan=_with_state(lifespan, metrics, checks or {}),
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    for module in (submissions, models, events, videos, content, endpoints, health):  # looked through in this order
        app.include_router(module.router)
    app.add_api_route("/", lambda: RedirectResponse("studio/"), include_in_schema=False)
    if STUDIO.is_dir():
        app.mount("/studio", StaticFiles(directory=STUDIO, html=True), name="studio")
    app.add_exception_handler(CineletError, _explain)
    app.add_exception_handler(RequestValidationError, _explain_validation)
    app.add_exception_handler(HTTPException, _explain_http)
    app.add_middleware(Front, metrics=metrics, allowed_hosts=allowed_hosts)
    return app


def _with_state(lifespan: Lifespan, metrics: Metrics, checks: Mapping[str, Callable[[], bool]]) -> Lifespan:
    @asynccontextmanager
    async def whole(app: FastAPI) -> AsyncIterator[None]:
        app.state.metrics = metrics
        app.state.checks = checks
        app.state.clock = time.time
        app.state.scale_watch = ScaleWatch()
        async with lifespan(app):
            yield

    return whole


async def _explain(request: Request, error: Exception) -> Response:
    told = problem(cast("CineletError", error))
    request.state.error = error
    return JSONResponse(told.body, told.status, dict(told.headers))


async def _explain_validation(request: Request, error: Exception) -> Response:
    """A query parameter that FastAPI refused, in our words."""
    first = cast("RequestValidationError", error).errors()[0]
    name = str(first["loc"][-1]) if first["loc"] else "request"
    return await _explain(request, InvalidValueError(name, first.get("input"), first["msg"][:1].lower() + first["msg"][1:]))


async def _explain_http(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the handler's signature
    refused = cast("HTTPException", error)
    kind = "not_found_error" if refused.status_code == 404 else "invalid_request_error"
    code = {404: "not_found", 405: "method_not_allowed"}.get(refused.status_code)
    return JSONResponse(error_body(str(refused.detail), kind, None, code), refused.status_code, refused.headers)
