"""A service that gives one prepared answer to whatever is asked, and counts: for how clients take an answer that is hard to provoke."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cinelet.gateway.problems import Problem


class CannedService(ThreadingHTTPServer):
    """Answers every request with `answer`. `num_requests` have come."""

    daemon_threads = True

    def __init__(self, answer: Problem) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.num_requests = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, CannedService)
        self.server.num_requests += 1
        answer = self.server.answer
        body = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {**answer.headers, "content-type": "application/json", "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def canned_service(answer: Problem) -> Iterator[CannedService]:
    """A `CannedService` that listens while the block runs."""
    with CannedService(answer) as service:
        thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()
