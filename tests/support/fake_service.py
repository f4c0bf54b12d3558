"""A small service on a free loopback port that keeps jobs in memory and can be told to misbehave. It makes no clips.

A job advances by one tick whenever somebody asks for it or listens to it, so tests need no time: queued, then `ticks` reports
of progress, then completed. `hold` stops a job's clock; `trouble` breaks the next calls.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TICKS = 3
CLIP = bytes(range(256)) * 400
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Trouble:
    """What happens to the next `times` calls that match, instead of an answer or on the way to one.

    `drop` closes the connection before the work ("before") or after it ("after"); `cut` sends that many bytes of a body; `stall`
    holds the answer until the event is set.
    """

    method: str
    path: str
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | bytes | None = None
    drop: str | None = None
    cut: int | None = None
    stall: threading.Event | None = None


@dataclass
class Seen:
    """One call as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class FakeService:
    """The state behind the handler. `outcome` decides how each job ends: None for a clip, or (code, message) of its failure."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.held: set[str] = set()
        self.keys: dict[str, tuple[str, Any]] = {}
        self.seen: list[Seen] = []
        self.troubles: list[Trouble] = []
        self.api_key: str | None = None
        self.clip = CLIP
        self.etag: str | None = None
        self.has_events = True
        self.heeds_if_range = True
        self.ticks = TICKS
        self.poll_after_ms: int | None = 10
        self.outcome: Callable[[dict[str, Any]], tuple[str, str] | None] = lambda job: None
        self.hold_all = False
        self.url = ""

    def trouble(self, method: str, path: str, **how: Any) -> Trouble:
        """Break the next calls whose path matches the regular expression `path`."""
        trouble = Trouble(method, path, **how)
        self.troubles.append(trouble)
        return trouble

    def calls(self, method: str, path: str = "") -> list[Seen]:
        """The calls so far whose path matches."""
        with self.lock:
            return [seen for seen in self.seen if seen.method == method and re.search(path, seen.path)]

    def release(self, job_id: str) -> None:
        """Let a held job go on."""
        with self.lock:
            self.hold_all = False
            self.held.discard(job_id)
            self.lock.notify_all()

    def take_trouble(self, method: str, path: str) -> Trouble | None:
        with self.lock:
            for trouble in self.troubles:
                if trouble.times > 0 and trouble.method == method and re.search(trouble.path, path):
                    trouble.times -= 1
                    return trouble
        return None

    def create(self, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        with self.lock:
            if key in self.keys:
                job_id, before = self.keys[key]
                return self.jobs[job_id] if before == body else problem("this key was used for another request", "idempotency_key_reused")
            job = self.new_job(body)
            if key is not None:
                self.keys[key] = (job["id"], body)
            return job

    def new_job(self, body: dict[str, Any]) -> dict[str, Any]:
        number = len(self.jobs)
        job_id = "video_local_01J9ZX3V0Q8M5T6W7Y2R4" + "".join(ALPHABET[number // 32**i % 32] for i in (4, 3, 2, 1, 0))
        steps = body.get("num_inference_steps", 16)
        width, height = body.get("width", 160), body.get("height", 96)
        self.jobs[job_id] = {
            "id": job_id, "object": "video", "status": "queued", "x_state": "available", "progress": 0, "tick": 0,
            "created_at": 1_700_000_000 + number, "model": body.get("model", "pocket"), "prompt": body["prompt"],
            "negative_prompt": body.get("negative_prompt", ""), "seconds": "2", "size": f"{width}x{height}",
            "seed": body.get("seed", 4711), "num_inference_steps": steps, "num_frames": 16, "fps": 8, "guidance_scale": 5.0,
            "guidance_scale_2": 5.0, "flow_shift": 3.0, "sampler": "unipc", "queue_position": 0, "eta_seconds": 6, "warnings": [],
        }  # fmt: skip
        if self.hold_all:
            self.held.add(job_id)
        return self.jobs[job_id]

    def tick(self, job: dict[str, Any]) -> None:
        """One step of a job's life."""
        if job["id"] in self.held or job["status"] in ("completed", "failed"):
            return
        job["tick"] += 1
        if job["tick"] <= self.ticks:
            step = job["tick"] * job["num_inference_steps"] // (self.ticks + 1)
            job |= {"status": "in_progress", "x_state": "running", "stage": "denoise_high", "current_step": step}
            job |= {"progress": 100 * job["tick"] // (self.ticks + 1), "queue_position": None, "eta_seconds": self.ticks + 1 - job["tick"]}
        else:
            self.finish(job, self.outcome(job))

    def finish(self, job: dict[str, Any], failure: tuple[str, str] | None) -> None:
        job |= {"eta_seconds": None, "stage": None, "completed_at": 1_700_000_100}
        if failure is None:
            job |= {"status": "completed", "x_state": "succeeded", "progress": 100, "stage_durations": {"denoise_gen_ms": 1500}}
        else:
            code, message = failure
            state = code if code in ("cancelled", "expired") else "failed"
            job |= {"status": "failed", "x_state": state, "error": {"code": code, "message": message}}


def problem(message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


class Handler(BaseHTTPRequestHandler):
    """HTTP over the state. Set `service` on a subclass."""

    service: FakeService
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Keep the test output clean."""

    def do_GET(self) -> None:
        self.serve("GET")

    def do_POST(self) -> None:
        self.serve("POST")

    def do_DELETE(self) -> None:
        self.serve("DELETE")

    def serve(self, method: str) -> None:
        service = self.service
        length = int(self.headers.get("content-length", 0))
        raw = self.rfile.read(length)
        body = json.loads(raw) if raw else None
        path = urlsplit(self.path).path.removeprefix("/v1")
        with service.lock:
            service.seen.append(Seen(method, path, {name.lower(): value for name, value in self.headers.items()}, body))
            service.lock.notify_all()
        trouble = service.take_trouble(method, path)
        if trouble and trouble.stall:
            trouble.stall.wait(30)
        if trouble and trouble.drop == "before":
            return self.hang_up()
        if trouble and trouble.status:
            return self.reply(trouble.status, trouble.body if trouble.body is not None else problem("trouble"), trouble.headers)
        if service.api_key is not None and self.headers.get("authorization") != f"Bearer {service.api_key}":
            return self.reply(401, problem("the key is not known", "invalid_api_key"))
        self.cut = trouble.cut if trouble else None
        self.is_dropped = bool(trouble and trouble.drop == "after")
        return self.route(method, path, body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def route(self, method: str, path: str, body: Any) -> None:
        service = self.service
        match (method, *path.strip("/").split("/")):
            case ("POST", "videos"):
                made = service.create(body, self.headers.get("idempotency-key"))
                self.reply(422 if "error" in made and "id" not in made else 200, made)
            case ("GET", "videos"):
                self.list()
            case ("POST", "videos", "estimate"):
                self.reply(200, {"num_frames": 16, "gpu_seconds": 4.5, "eta_seconds": 6.0})
            case ("GET", "videos", "models"):
                self.reply(200, {"object": "list", "data": [{"id": "pocket", "supported_sizes": ["160x96"]}]})
            case (_, "videos", job_id, *rest) if job_id in service.jobs:
                self.one(method, service.jobs[job_id], rest)
            case _:
                self.reply(404, problem(f"there is no {path}"))

    def list(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        limit, after = int(query.get("limit", ["20"])[0]), query.get("after", [None])[0]
        with self.service.lock:
            newest = sorted(self.service.jobs.values(), key=lambda job: job["id"], reverse=True)
        left = [job for job in newest if after is None or job["id"] < after]
        self.reply(200, {"object": "list", "data": left[:limit], "has_more": len(left) > limit})

    def one(self, method: str, job: dict[str, Any], rest: list[str]) -> None:
        service = self.service
        match (method, *rest):
            case ("GET",):
                with service.lock:
                    service.tick(job)
                headers = {} if service.poll_after_ms is None else {"openai-poll-after-ms": str(service.poll_after_ms)}
                self.reply(200, job, headers)
            case ("GET", "events") if service.has_events:
                self.events(job)
            case ("GET", "content"):
                self.content(job)
            case ("POST", "cancel"):
                with service.lock:
                    if job["status"] not in ("completed", "failed"):
                        service.finish(job, ("cancelled", "cancelled by the caller"))
                    service.lock.notify_all()
                self.reply(200, job)
            case ("POST", "retry"):
                with service.lock:
                    again = service.new_job({"prompt": job["prompt"], "seed": job["seed"]})
                self.reply(200, again)
            case ("DELETE",):
                del service.jobs[job["id"]]
                self.reply(200, {"id": job["id"], "object": "video.deleted", "deleted": True})
            case _:
                self.reply(404, problem("no such route"))

    def events(self, job: dict[str, Any]) -> None:
        """The news after `Last-Event-ID`; ends with the job. `cut` breaks the connection after that many events."""
        service = self.service
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        num_sent = 0
        while True:
            if self.cut is not None and num_sent >= self.cut:
                return
            with service.lock:
                service.lock.wait_for(lambda: job["id"] not in service.held or job["status"] in ("completed", "failed"), timeout=30)
                service.tick(job)
                kind = {"completed": "video.completed", "failed": "video.failed"}.get(job["status"], "video.progress")
                message = f"id: {job['tick']}\nevent: {kind}\ndata: {json.dumps(job)}\n\n"
            try:
                self.wfile.write(b": still here\n\n" + message.encode())
            except OSError:
                return
            num_sent += 1
            if kind != "video.progress":
                return

    def content(self, job: dict[str, Any]) -> None:
        service = self.service
        if job["status"] != "completed":
            return self.reply(404, problem(f"{job['id']} has no clip yet", "video_not_ready"))
        clip, begin = service.clip, 0
        etag = f'"{hashlib.sha256(clip).hexdigest()}"' if service.etag is None else service.etag
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        if asked and (not service.heeds_if_range or self.headers.get("if-range") == etag):
            begin = int(asked[1])
        self.send_response(206 if begin else 200)
        self.send_header("content-type", "video/mp4")
        self.send_header("content-length", str(len(clip) - begin))
        if begin:
            self.send_header("content-range", f"bytes {begin}-{len(clip) - 1}/{len(clip)}")
        if etag:
            self.send_header("etag", etag)
        self.end_headers()
        left = clip[begin:]
        if self.cut is not None and self.cut < len(left):
            self.wfile.write(left[: self.cut])
            self.wfile.flush()
            return self.hang_up()
        self.wfile.write(left)
        return None

    def reply(self, status: int, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> None:
        if getattr(self, "is_dropped", False):
            return self.hang_up()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "x-request-id": "req_1", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return None


class Server(ThreadingHTTPServer):
    """Many connections at once; threads end with their connections."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


@contextmanager
def fake_service() -> Iterator[FakeService]:
    """A running service; its `url` has no `/v1`."""
    service = FakeService()
    handler = type("BoundHandler", (Handler,), {"service": service})
    server = Server(("127.0.0.1", 0), handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        with service.lock:
            service.held.clear()
            service.lock.notify_all()
        server.shutdown()
        server.server_close()
        thread.join(5)
