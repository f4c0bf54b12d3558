"""Is it alive, is it ready, what is it: for supervisors and dashboards. Nothing here needs a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from cinelet import __version__
from cinelet.errors import CineletError
from cinelet.gateway.door import door_of
from cinelet.gateway.scale_watch import BUCKET_S, NUM_BUCKETS
from cinelet.gateway.schemas import ERRORS, TEXT, sends
from cinelet.jobs.history import MAX_SPAN_S
from cinelet.telemetry.metrics import CONTENT_TYPE, Metrics
from cinelet.video import check_number

router = APIRouter(tags=["health"])

Check = Callable[[], bool]
NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "Not ready; `checks` says why"}}


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process runs; nothing else is asked."""
    return {"status": "ok"}


@router.get("/readyz", responses=NOT_READY)
@router.get("/health", responses=NOT_READY)
async def readyz(request: Request) -> JSONResponse:
    """It can serve: the database answers and, where a worker belongs to this process, its model is warm."""
    checks = await _checks(request)
    is_ready = all(checks.values())
    body = {"status": "ok" if is_ready else "not ready", "checks": checks}
    return JSONResponse(body, 200 if is_ready else 503)


@router.get("/version")
async def version() -> dict[str, str]:
    """Which cinelet this is."""
    return {"name": "cinelet", "version": __version__}


@router.get("/metrics", response_class=Response, responses=sends(TEXT))
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    numbers: Metrics = request.app.state.metrics
    await observe_queue(request, numbers)
    await observe_scale(request, numbers)
    return Response(numbers.page(), headers={"content-type": CONTENT_TYPE})


@router.get("/v1/queue", responses=ERRORS)
async def queue(request: Request, history_s: float = 0.0, bucket_s: float = BUCKET_S) -> dict[str, Any]:
    """What waits and runs and who works, in numbers; with `history_s` also what was accepted in so many last seconds, a bucket each."""
    door = door_of(request)
    await door.let_read(request)
    load, present = await door.archive.load(), await door.in_thread(door.store.roster.present)
    now = request.app.state.clock()
    answer = {
        "object": "queue",
        "waiting": load.waiting,
        "waiting_seconds": round(load.waiting_s, 3),
        "running": load.running,
        "running_seconds": round(load.running_s, 3),
        "oldest_wait_seconds": 0.0 if load.oldest_at is None else round(max(0.0, now - load.oldest_at), 3),
        "workers": len(present),
        "workers_cooling": sum(worker.slots == 0 for worker in present),
        "workers_unchanged_seconds": round(request.app.state.scale_watch.unchanged_s(len(present), now), 3),
    }
    if history_s:
        check_number("bucket_s", bucket_s, 1.0, MAX_SPAN_S)
        check_number("history_s", history_s, bucket_s, MAX_SPAN_S)
        past = await door.in_thread(lambda: door.store.history.accepted(bucket_s=bucket_s, num_buckets=round(history_s / bucket_s)))
        work = [round(seconds, 3) for seconds in past.work_s]
        answer["accepted"] = {"until": past.end_s, "bucket_seconds": bucket_s, "num": past.num_jobs, "work_seconds": work}
    return answer


async def observe_queue(request: Request, numbers: Metrics) -> None:
    """Bring the queue's gauges up to date; while the database is away they keep what they had."""
    try:
        load = await door_of(request).archive.load()
    except CineletError:
        return
    numbers.requests_running.set(load.running)
    for tier in ("free", "standard", "vip"):
        numbers.requests_waiting.set(load.waiting.get(tier, 0), tier=tier)
    numbers.queue_work_seconds.set(load.waiting_s)
    now = request.app.state.clock()
    numbers.queue_oldest_age_seconds.set(0.0 if load.oldest_at is None else max(0.0, now - load.oldest_at))


async def observe_scale(request: Request, numbers: Metrics) -> None:
    """Bring the gauges of scaling up to date; while the database is away they keep what they had."""
    door = door_of(request)
    try:
        load, present = await door.archive.load(), await door.in_thread(door.store.roster.present)
        past = await door.in_thread(lambda: door.store.history.accepted(bucket_s=BUCKET_S, num_buckets=NUM_BUCKETS))
    except CineletError:
        return
    advice = request.app.state.scale_watch.look(load, len(present), past, request.app.state.clock())
    numbers.running_work_seconds.set(load.running_s)
    numbers.workers_present.set(len(present))
    numbers.arriving_work_ratio.set(advice.arriving)
    numbers.scale_target_devices.set(advice.target_devices)


async def _checks(request: Request) -> dict[str, bool]:
    checks: dict[str, Check] = request.app.state.checks
    door = door_of(request)
    results = {name: check() for name, check in checks.items()}
    try:
        await door.in_thread(door.store.outbox.last_seq)
        results["database"] = True
    except CineletError:
        results["database"] = False
    return results
