"""What an S3 that misbehaves leads to: a server of the test's own on the loopback says what each test has it say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cinelet.errors import UnavailableError
from cinelet.storage import BlobStore, blob_key, open_blobs, s3

KEY = blob_key("video_local_01JD0000000000000000000000", "0123456789abcdef", "video.mp4")
MP4 = "video/mp4"
MODIFIED = {"Last-Modified": "Sat, 21 Nov 2026 12:00:00 GMT", "ETag": '"1"'}

Answer = tuple[int, dict[str, str], bytes]
Answerer = Callable[["Asked"], Answer]


class Asked(BaseHTTPRequestHandler):
    """One request; `body` is read. The server's `answerer` decides."""

    body = b""

    def answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.server, Server)
        status, headers, body = self.server.answerer(self)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    answerer: Answerer


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Asked) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def open_at(port: int, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
    return open_blobs(f"s3://clips?endpoint=http://127.0.0.1:{port}&region=local")


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    return open_at(server.server_address[1], monkeypatch)


def test_a_server_that_is_busy_is_asked_again(server: Server, store: BlobStore) -> None:
    asked: list[str] = []

    def answer(request: Asked) -> Answer:
        asked.append(request.command)
        return (
            (503, {}, b"<Error><Code>SlowDown</Code></Error>") if len(asked) < 3 else (200, {**MODIFIED, "Content-Length": "5"}, b"hello")
        )

    server.answerer = answer
    assert store.find(KEY) is not None
    assert asked == ["HEAD"] * 3


def test_a_server_that_stays_busy_is_given_up(server: Server, store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "FIRST_BACKOFF_S", 0.001)
    monkeypatch.setattr(s3, "MAX_BACKOFF_S", 0.001)
    asked: list[str] = []

    def answer(request: Asked) -> Answer:
        asked.append(request.command)
        return 503, {}, b""

    server.answerer = answer
    with pytest.raises(UnavailableError):
        open_at(server.server_address[1], monkeypatch).put_bytes(KEY, b"hello", MP4)
    assert asked == ["PUT"] * (1 + s3.MAX_RETRIES)


def test_a_server_that_hangs_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "REQUEST_TIMEOUT_S", 0.2)
    monkeypatch.setattr(s3, "MAX_RETRIES", 0)
    end = threading.Event()

    def answer(request: Asked) -> Answer:
        end.wait(10)
        return 200, {**MODIFIED, "Content-Length": "5"}, b"hello"

    server.answerer = answer
    with pytest.raises(UnavailableError):
        open_at(server.server_address[1], monkeypatch).find(KEY)
    end.set()


def test_a_server_that_is_down_is_unavailable_and_its_address_stays_private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "MAX_RETRIES", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(UnavailableError) as failed:
            open_at(port, monkeypatch).put_bytes(KEY, b"hello", MP4)
    assert failed.value.is_retryable
    assert str(port) not in failed.value.message
    assert str(port) in failed.value.detail
    assert "topsecret" not in failed.value.detail


def test_refused_credentials_are_named_and_not_shown(server: Server, store: BlobStore) -> None:
    server.answerer = lambda _: (403, {}, b"<Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(UnavailableError, match="refuses the credentials") as failed:
        store.put_bytes(KEY, b"hello", MP4)
    assert "topsecret" not in failed.value.message + failed.value.detail


@pytest.mark.parametrize(("status", "length"), [(200, "4"), (404, "0")])
def test_a_server_that_says_yes_and_keeps_something_else_is_caught(server: Server, store: BlobStore, status: int, length: str) -> None:
    def answer(request: Asked) -> Answer:
        return (200, {"ETag": '"1"'}, b"") if request.command == "PUT" else (status, {**MODIFIED, "Content-Length": length}, b"")

    server.answerer = answer
    with pytest.raises(UnavailableError, match="5 bytes were sent, but the store holds"):
        store.put_bytes(KEY, b"hello", MP4)


def test_what_is_sent_carries_its_digest_for_the_server_to_check(server: Server, store: BlobStore) -> None:
    digests: list[str | None] = []

    def answer(request: Asked) -> Answer:
        if request.command == "PUT":
            digests.append(request.headers["x-amz-content-sha256"])
            digests.append(request.headers["x-amz-checksum-sha256"])
        return 200, {**MODIFIED, "Content-Length": "5" if request.command == "HEAD" else "0"}, b""

    server.answerer = answer
    artifact = store.put_bytes(KEY, b"hello", MP4)
    assert digests[0] == artifact.sha256
    assert digests[1] == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="


@pytest.mark.parametrize("told", ["bytes 0-2/5", "bytes 0-4/5"])
def test_an_answer_with_fewer_bytes_than_asked_for_is_caught(server: Server, store: BlobStore, told: str) -> None:
    def answer(request: Asked) -> Answer:
        if request.command == "HEAD":
            return 200, {**MODIFIED, "Content-Length": "5"}, b""
        return 206, {**MODIFIED, "Content-Range": told}, b"hel"

    server.answerer = answer
    with pytest.raises(UnavailableError):
        list(store.read(KEY, 0, 5))
