"""A chat endpoint in OpenAI's API on a free loopback port: it answers as it is told, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeChat:
    """`text` is the next answers' text; `status` and `body` replace a good answer; `stall` holds it until the event is set."""

    text: str = ""
    status: int = 200
    body: bytes | None = None
    finish_reason: str = "stop"
    stall: threading.Event | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    chat: FakeChat

    def do_POST(self) -> None:
        chat = self.chat
        chat.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        chat.keys.append(self.headers.get("Authorization"))
        if chat.stall is not None:
            chat.stall.wait(30)
        choice = {"message": {"role": "assistant", "content": chat.text}, "finish_reason": chat.finish_reason}
        body = json.dumps({"choices": [choice]}).encode() if chat.body is None else chat.body
        self.send_response(chat.status if self.path == "/v1/chat/completions" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def fake_chat() -> Iterator[FakeChat]:
    """A running endpoint."""
    chat = FakeChat()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"chat": chat}))
    server.daemon_threads = True
    chat.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield chat
    finally:
        if chat.stall is not None:
            chat.stall.set()
        server.shutdown()
        server.server_close()
        thread.join()
