"""A small model hub on a free loopback port: the two endpoints a pull needs, with ranges, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
INFO = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)/revision/(?P<revision>.+)")
CONTENT = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class FakeHub:
    """`repositories` holds files by name; `large` suffixes are declared with their SHA-256, the others with their git id.

    `cuts` breaks a file's next connections after so many bytes; `corrupt` files come with another last byte; `stalled` files wait for
    `release` after their first half; `refusals` answers a repository with a status and the hub's error code; without `ranges` every file
    is sent from its beginning. `seen` lists what was asked for.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    large: tuple[str, ...] = (".safetensors", ".model", ".bin")
    cuts: dict[str, list[int]] = field(default_factory=dict)
    corrupt: Counter[str] = field(default_factory=Counter)
    stalled: set[str] = field(default_factory=set)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    ranges: bool = True
    seen: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    halfway: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def fetched(self) -> list[str]:
        """The paths whose content was asked for, in order."""
        return [path for path, _ in self.seen]

    def info(self, repository: str, revision: str) -> dict[str, Any] | None:
        """What the hub says of a repository; None for a revision it has not."""
        commit = revision if revision in self.commits.values() else self.commits.get(revision)
        if commit is None:
            return None
        siblings = [self._declare(path, content) for path, content in self.repositories[repository].items()]
        return {"id": repository, "sha": commit, "siblings": siblings}

    def _declare(self, path: str, content: bytes) -> dict[str, Any]:
        git = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
        declared: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git}
        if path.endswith(self.large):
            declared["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        return declared


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if token := self.headers.get("Authorization"):
            self.hub.tokens.add(token)
        match = INFO.fullmatch(path) or CONTENT.fullmatch(path)
        repository = match["repository"] if match else ""
        if repository in self.hub.refusals:
            self._refuse(*self.hub.refusals[repository])
        elif match is None or repository not in self.hub.repositories:
            self._refuse(404, "RepoNotFound")
        elif path.startswith("/api/"):
            info = self.hub.info(repository, match["revision"])
            self._refuse(404, "RevisionNotFound") if info is None else self._answer(200, json.dumps(info).encode(), {})
        else:
            self._send_file(match["path"], self.hub.repositories[repository].get(match["path"]))

    def _send_file(self, path: str, content: bytes | None) -> None:
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        hub, asked = self.hub, self.headers.get("Range", "")
        hub.seen.append((path, asked))
        if hub.corrupt[path]:
            hub.corrupt[path] -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        offset = int(asked.removeprefix("bytes=").rstrip("-")) if asked and hub.ranges else 0
        headers = {"Content-Range": f"bytes {offset}-{len(content) - 1}/{len(content)}"} if offset else {}
        body = content[offset:]
        cut = hub.cuts[path].pop(0) if hub.cuts.get(path) else len(body)
        if path in hub.stalled:
            cut = len(body) // 2
        self._answer(206 if offset else 200, body, headers, cut)
        if path in hub.stalled:
            hub.halfway.set()
            hub.release.wait(30)
        self.close_connection = cut < len(body)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, b"{}", {"X-Error-Code": code} if code else {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A running hub."""
    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
