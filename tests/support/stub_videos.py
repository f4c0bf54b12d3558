"""The least of a videos API on a free loopback port: create and look, `id`, `status` and `progress` and nothing else. It makes no clips.

`stall` holds every answer back until a moment; `refusals` and `faults` spoil the next answers.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StubVideos:
    """What the stub knows. A job is done `service_s` after it came; `fields` are the forms as they arrived."""

    def __init__(self) -> None:
        self.url = ""
        self.service_s = 0.0
        self.ends_as = "completed"
        self.num_refusals = 0
        self.num_bad_looks = 0
        self.fields: list[dict[str, str]] = []
        self.keys: list[str | None] = []
        self.came = threading.Condition()
        self._stalled_until = 0.0
        self._stalls_from = float("inf")
        self._made_at: dict[str, float] = {}

    def stall(self, after_s: float, length_s: float) -> None:
        """Answer nobody for `length_s` seconds, beginning `after_s` from now."""
        self._stalls_from = time.monotonic() + after_s
        self._stalled_until = self._stalls_from + length_s

    def wait_for(self, num_requests: int, timeout_s: float = 30.0) -> None:
        """Wait until so many submissions have come."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.fields) >= num_requests, timeout_s)

    def hold(self) -> None:
        """Wait out a stall."""
        if time.monotonic() >= self._stalls_from:
            time.sleep(max(0.0, self._stalled_until - time.monotonic()))

    def create(self, fields: dict[str, str], key: str | None) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Take a submission, or refuse it."""
        with self.came:
            self.fields.append(fields)
            self.keys.append(key)
            self.came.notify_all()
            if self.num_refusals:
                self.num_refusals -= 1
                return 429, {"error": {"code": "rate_limit_exceeded", "message": "full"}}, {"retry-after": "0.2"}
            job_id = f"video_{len(self._made_at)}"
            self._made_at[job_id] = time.monotonic()
            return 200, self._video(job_id), {}

    def look(self, job_id: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        """A job as it is now."""
        with self.came:
            if self.num_bad_looks:
                self.num_bad_looks -= 1
                return 503, {}, {}
            return 200, self._video(job_id), {}

    def _video(self, job_id: str) -> dict[str, Any]:
        is_done = time.monotonic() - self._made_at[job_id] >= self.service_s
        return {"id": job_id, "status": self.ends_as if is_done else "in_progress", "progress": 100 if is_done else 0}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


@contextmanager
def stub_videos() -> Iterator[StubVideos]:
    """A running stub for a `with` block."""
    stub = StubVideos()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(*(stub.look(self.path.rsplit("/", 1)[-1]) if "/videos/" in self.path else (404, {}, {})))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            stub.hold()
            form = BytesParser().parsebytes(b"content-type: " + self.headers["content-type"].encode() + b"\r\n\r\n" + body)
            fields = {part.get_param("name", header="content-disposition"): part.get_payload() for part in form.get_payload()}
            self._answer(*stub.create(fields, self.headers.get("authorization")))

        def _answer(self, status: int, content: dict[str, Any], headers: dict[str, str]) -> None:
            text = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "content-type": "application/json", "content-length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
