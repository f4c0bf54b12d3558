"""Everything a hostile or broken client may send, over real sockets: refused in the one error shape, and the server lives on."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.service import Service, running_service

TIMEOUT_S = 30.0
MAX_GROWTH_BYTES = 64 << 20
NUM_SLOW = 200
UNKNOWN_VIDEO = "video_local_01ARZ3NDEKTSV4RRFFQ69G5FAV"
BODILESS = ("/cancel", "/retry", "/link")
"""POST routes that never look at a body."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back on a raw socket; `status` 0 when the connection just ended."""

    status: int = 0
    headers: Mapping[str, str]
    body: bytes = b""


class Wire:
    """Bytes to the service and back, with nothing in between that would correct them."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0

    def open(self) -> socket.socket:
        return socket.create_connection((self.host, self.port), TIMEOUT_S)

    def say(self, data: bytes) -> Answer:
        """Send `data`, which may break off, and read until the server has answered or hung up."""
        with self.open() as connection:
            with suppress(ConnectionError):  # refused before it was all sent
                connection.sendall(data)
            return read_answer(connection)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        """One request. Header names are written with `_` for `-`."""
        lines = {"host": f"{self.host}:{self.port}", "content-length": str(len(body))}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return self.say(head.encode("latin-1") + b"\r\n" + body)


def read_answer(connection: socket.socket) -> Answer:
    data = bytearray()
    with suppress(ConnectionError):
        while piece := connection.recv(1 << 16):
            data += piece
            head, found, body = bytes(data).partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            if found and length and len(body) >= int(length[1]):
                break
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/1.1 ") else 0
    return Answer(status=status, headers={k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}, body=body)


def check_refusal(answer: Answer, statuses: range | set[int] = range(400, 500)) -> None:
    """The one error shape, with an id to ask about."""
    assert answer.status in statuses, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    error = json.loads(answer.body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["type"]
    assert len(answer.body) < 2000, "an error repeats only the beginning of what came"


def check_harmless(answer: Answer) -> None:
    """Anything but our own failure; what is refused is refused in the one shape."""
    assert 200 <= answer.status < 500, answer
    if answer.status >= 400:
        check_refusal(answer)


def rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The service under fire, an id of each kind that exists there, and its memory after a warm-up."""

    service: Service
    wire: Wire
    paths: Mapping[str, Mapping[str, Any]]
    video: str
    endpoint: str
    warm_bytes: int

    def fill(self, path: str, **ids: str) -> str:
        """A path of the OpenAPI document with ids of things that exist, or those given."""
        known = {"video_id": self.video, "endpoint_id": self.endpoint, "model": "pocket", "key": "none"} | ids
        return re.sub(r"\{(\w+)\}", lambda match: known[match[1]], path)

    def paths_of(self, method: str) -> list[str]:
        return [path for path, verbs in self.paths.items() if method in verbs]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with running_service(tmp_path_factory.mktemp("hostile"), fake_step_s=0.0) as service:
        with httpx2.Client(base_url=service.url, trust_env=False, timeout=TIMEOUT_S) as client:
            video = client.post("/v1/videos", json={"prompt": "a cat"}, headers={"prefer": "wait=20"}).json()
            assert video["status"] == "completed", video
            endpoint = client.post("/v1/webhook_endpoints", json={"url": "http://127.0.0.1:9/", "name": "none"}).json()
            paths = client.get("/openapi.json").json()["paths"]
        wire = Wire(service.url)
        for kind, body in BODIES.values():
            wire.ask("POST", "/v1/videos/estimate", body, **kind)
        yield Target(service=service, wire=wire, paths=paths, video=video["id"], endpoint=endpoint["id"], warm_bytes=rss_bytes(service.pid))


# --- bodies

JSON = {"content_type": "application/json"}
FORM = {"content_type": "application/x-www-form-urlencoded"}
PARTS = {"content_type": "multipart/form-data; boundary=b"}


def part(head: str, body: bytes = b"x") -> bytes:
    return b"--b\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n"


def prompt(value: bytes) -> bytes:
    return b'{"prompt": ' + value + b"}"


PLAIN_PART = part('Content-Disposition: form-data; name="prompt"', b"a cat")
FILE_PART = 'Content-Disposition: form-data; name="f%d"; filename="x.png"\r\nContent-Type: image/png'

BODIES: dict[str, tuple[dict[str, str], bytes]] = {
    "half a surrogate pair": (JSON, prompt(rb'"\ud800"')),
    "half a surrogate pair in a key": (JSON, rb'{"\udfff": 1, "prompt": "a"}'),
    "half a surrogate pair in UTF-8": (JSON, prompt(b'"\xed\xa0\x80"')),
    "NUL": (JSON, prompt(rb'"a\u0000b"')),
    "a raw NUL": (JSON, prompt(b'"a\x00b"')),
    "5,000 digits": (JSON, b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}"),
    "lists 100,000 deep": (JSON, prompt(b"[" * 100_000)),
    "lists 100,000 deep, closed": (JSON, prompt(b"[" * 100_000 + b"]" * 100_000)),
    "objects 100,000 deep": (JSON, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "objects 33 deep": (JSON, b'{"a":' * 34 + b"1" + b"}" * 34),
    "wrappers in wrappers": (JSON, b'{"extra_body":' * 40 + b"1" + b"}" * 40),
    "NaN": (JSON, b'{"prompt": "a", "guidance_scale": NaN}'),
    "infinity": (JSON, b'{"prompt": "a", "guidance_scale": -Infinity}'),
    "1e999": (JSON, b'{"prompt": "a", "guidance_scale": 1e999}'),
    "2^63": (JSON, b'{"prompt": "a", "seed": 9223372036854775808}'),
    "-2^63 - 1": (JSON, b'{"prompt": "a", "seed": -9223372036854775809}'),
    "a key twice": (JSON, b'{"prompt": "a", "prompt": "b"}'),
    "UTF-16": (JSON, '{"prompt": "a"}'.encode("utf-16")),
    "UTF-8 with a byte order mark": (JSON, b'\xef\xbb\xbf{"prompt": "a"}'),
    "Latin-1": (JSON, prompt(b'"caf\xe9"')),
    "no object": (JSON, b"[]"),
    "no JSON": (JSON, b"prompt=a"),
    "100,000 values": (JSON, b'{"prompt": "a", "metadata": [' + b"0," * 99_999 + b"0]}"),
    "a prompt of 10 MB": (JSON, prompt(b'"' + b"a" * 10_000_000 + b'"')),
    "JSON text in a field, 100,000 deep": (JSON, json.dumps({"prompt": "a", "lora": "[" * 100_000}).encode()),
    "JSON text in a field, key twice": (JSON, json.dumps({"prompt": "a", "metadata": '{"a": 1, "a": 2}'}).encode()),
    "another charset": ({"content_type": "application/xml"}, b"<a/>"),
    "a billion laughs": ({"content_type": "text/xml"}, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    "a content type of 10 KB": ({"content_type": "a/" + "b" * 10_000}, b"{}"),
    "a pickled object": ({"content_type": "application/x-pickle"}, b"\x80\x04N."),
    "a gzip bomb": (JSON | {"content_encoding": "gzip"}, gzip.compress(bytes(1 << 22))),
    "a deflate body": (JSON | {"content_encoding": "deflate"}, zlib.compress(b"{}")),
    "an unknown coding": (JSON | {"content_encoding": "identity, br"}, b"{}"),
    "100,000 fields": (FORM, b"&".join(b"a%d=1" % i for i in range(100_000))),
    "a field twice": (FORM, b"prompt=a&prompt=b"),
    "a field's NUL": (FORM, b"prompt=a%00b"),
    "a field that is no UTF-8": (FORM, b"prompt=%ff%fe"),
    "half a surrogate pair in a field": (FORM, b"prompt=%ed%a0%80"),
    "a field's name 10 KB long": (FORM, b"a" * 10_000 + b"=1"),
    "a field's name 1,000 deep": (FORM, b"a" + b"[b]" * 80 + b"=1"),
    "a list that is an object": (FORM, b"a[]=1&a[b]=2"),
    "no boundary": ({"content_type": "multipart/form-data"}, PLAIN_PART + b"--b--\r\n"),
    "a boundary of 10 KB": ({"content_type": "multipart/form-data; boundary=" + "b" * 10_000}, PLAIN_PART + b"--b--\r\n"),
    "a boundary that never comes": ({"content_type": "multipart/form-data; boundary=c"}, PLAIN_PART + b"--b--\r\n"),
    "a form without an end": (PARTS, PLAIN_PART),
    "100,000 parts": (PARTS, PLAIN_PART * 100_000 + b"--b--\r\n"),
    "100,000 bare boundaries": (PARTS, b"--b\r\n" * 100_000 + b"--b--\r\n"),
    "a header's name of 1 MB": (
        PARTS,
        b"--b\r\n" + b"a" * 1_000_000 + b': 1\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n',
    ),
    "a header's value of 1 MB": (PARTS, part('Content-Disposition: form-data; name="a"\r\nX-A: ' + "b" * 1_000_000) + b"--b--\r\n"),
    "100,000 headers in a part": (PARTS, part("A: b\r\n" * 100_000 + 'Content-Disposition: form-data; name="a"') + b"--b--\r\n"),
    "a part without a name": (PARTS, part("Content-Disposition: form-data") + b"--b--\r\n"),
    "a part's name 1 MB long": (PARTS, part(f'Content-Disposition: form-data; name="{"a" * 1_000_000}"') + b"--b--\r\n"),
    "three files": (PARTS, b"".join(part(FILE_PART % i) for i in range(3)) + b"--b--\r\n"),
    "a field of 1 MB in a part": (PARTS, part('Content-Disposition: form-data; name="prompt"', b"a" * 1_000_000) + b"--b--\r\n"),
    "a part that is no UTF-8": (PARTS, part('Content-Disposition: form-data; name="prompt"', b"\xff\xfe") + b"--b--\r\n"),
    "a form of 40 MB": (PARTS, part(FILE_PART % 1, bytes(40_000_000)) + b"--b--\r\n"),
}
"""By name: headers and body. No route may take any of them."""

STATUS: dict[str, int] = {
    "half a surrogate pair": 422,
    "half a surrogate pair in a key": 422,
    "NUL": 422,
    "5,000 digits": 400,
    "lists 100,000 deep": 400,
    "NaN": 422,
    "1e999": 422,
    "2^63": 422,
    "a key twice": 400,
    "UTF-16": 400,
    "a prompt of 10 MB": 413,
    "a gzip bomb": 415,
    "no boundary": 400,
    "100,000 parts": 413,
    "a header's name of 1 MB": 400,
}
"""Those whose status clients may rely on; the others are some 4xx."""


@pytest.mark.parametrize("name", BODIES)
def test_no_route_takes_a_hostile_body(target: Target, name: str) -> None:
    headers, body = BODIES[name]
    for path in target.paths_of("post"):
        answer = target.wire.ask("POST", target.fill(path), body, **headers)
        if path.endswith(BODILESS):
            check_harmless(answer)
        else:
            check_refusal(answer, {STATUS[name]} if name in STATUS else range(400, 500))


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


FILES = {
    "a PNG of 4 billion pixels": png(65_535, 65_535),
    "an SVG that reads files": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "a GIF": b"GIF89a" + bytes(100),
    "a cut PNG": png(16, 16)[:20],
    "a page that is a JPEG": b"\xff\xd8\xff<script>alert(1)</script>",
    "nothing but zeros": bytes(1 << 20),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_picture_is_refused(target: Target, name: str) -> None:
    form = PLAIN_PART + part('Content-Disposition: form-data; name="input_reference"; filename="../../x.png"', FILES[name]) + b"--b--\r\n"
    for path in ("/v1/videos", "/v1/videos/estimate", "/v1/videos/sync"):
        check_refusal(target.wire.ask("POST", path, form, **PARTS))


WORDS = {
    "right to left": "a \u202e\u2066cat",
    "zero width": "a\u200b\u200d\ufeffcat",
    "combining flood": "a" + "\u0301" * 3000,
    "homoglyphs": "\u0430 \u0441\u0430t",
    "private use and noncharacters": "\ue000\ufffe\U0010ffff",
    "control characters": "a\x01\x1b[31m\x7fcat\x85",
    "a format string": "%s%n{0.__class__}${jndi:ldap://127.0.0.1/a}",
    "SQL": "'; DROP TABLE jobs; --",
    "4,000 emoji": "\U0001f408" * 4000,
    "grows when composed": "\u0344" * 3000,
    "markup": "<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", WORDS)
def test_strange_words_are_words(target: Target, name: str) -> None:
    answer = target.wire.ask("POST", "/v1/videos", json.dumps({"prompt": WORDS[name], "num_frames": 1}).encode(), **JSON)
    check_harmless(answer)
    if answer.status == 200:
        found = target.wire.ask("GET", f"/v1/videos/{json.loads(answer.body)['id']}")
        assert json.loads(found.body)["prompt"] == json.loads(answer.body)["prompt"]


KINDS: list[Any] = [[], {}, True, -1, 1e308, "x", "9" * 4000, [[]], [{}], {"a": {"b": []}}, 2**63 - 1, "\u0661", "0x1", " ", "1e400"]
NAMES = [
    "prompt", "negative_prompt", "model", "preset", "quality", "size", "width", "height", "resolution", "aspect_ratio", "seconds",
    "num_frames", "fps", "num_inference_steps", "guidance_scale", "guidance_scale_2", "flow_shift", "sampler", "seed",
    "variation_seed", "variation_strength", "n", "callback_url", "deadline_s", "allow_degrade", "user", "metadata", "input_reference",
    "extra_body", "extra_params", "loras", "video", "id", "tenant", "url", "event_types", "name", "event_type",
    "keep_old_secret_active_for_24_hours",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_field_of_a_wrong_kind_is_no_failure(target: Target, name: str) -> None:
    for path in target.paths_of("post"):
        if path.endswith((*BODILESS, "/sync", "/rotate_secret")):
            continue
        for value in KINDS:
            body = {"prompt": "a cat", "num_frames": 1, "url": "http://127.0.0.1:9/", name: value}
            check_harmless(target.wire.ask("POST", target.fill(path), json.dumps(body).encode(), **JSON))


# --- ids, queries, headers

IDS = {
    "dots": "..",
    "encoded dots": "%2e%2e",
    "a path": "..%2f..%2fetc%2fpasswd",
    "a path, encoded twice": "%252e%252e%252fetc",
    "backslashes": "..%5c..%5c",
    "NUL": "%00",
    "an id and NUL": f"{UNKNOWN_VIDEO}%00",
    "an id and a line end": f"{UNKNOWN_VIDEO}%0a",
    "10 KB": "a" * 10_000,
    "no UTF-8": "%ff%fe",
    "half a surrogate pair": "%ed%a0%80",
    "a lower-case id": UNKNOWN_VIDEO.lower(),
    "another region's path": "video_..%2f_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "digits of another script": UNKNOWN_VIDEO.replace("3", "%d9%a3"),
    "SQL": "'%20OR%201=1--",
    "a broken escape": "%zz%",
    "a wildcard": "video_%25",
    "markup": "%3Cscript%3E",
}


@pytest.mark.parametrize("name", IDS)
def test_a_hostile_id_is_an_unknown_one(target: Target, name: str) -> None:
    check_ids(target, IDS[name])


def check_ids(target: Target, bad: str) -> None:
    for path, verbs in target.paths.items():
        if "{" not in path:
            continue
        for verb in verbs:
            filled = target.fill(path, video_id=bad, endpoint_id=bad, model=bad, key=bad)
            answer = target.wire.ask(
                verb.upper(), f"{filled}?expires=4000000000&signature=x", b'{"prompt": "a", "event_type": "video.completed"}', **JSON
            )
            check_refusal(answer, {404})


QUERIES = [
    "/v1/videos?limit=99999999999999999999999",
    "/v1/videos?limit=-1",
    "/v1/videos?limit=NaN",
    "/v1/videos?limit=1&limit=x",
    "/v1/videos?order=%00",
    "/v1/videos?after=%00",
    "/v1/videos?after=" + "a" * 60_000,
    "/v1/videos?after=..%2f..%2f",
    f"/v1/videos?after={UNKNOWN_VIDEO}",
    "/v1/videos?limit=" + "9" * 5000,
    "/v1/videos/" + UNKNOWN_VIDEO + "/content?variant=../../x",
    "/v1/webhook_endpoints?after=%00",
    "/v1/webhook_endpoints?limit=0",
    "/v1/files/" + UNKNOWN_VIDEO + "/0123456789abcdef/video.mp4?expires=1e400&signature=x",
    "/v1/files/" + UNKNOWN_VIDEO + "/0123456789abcdef/video.mp4?expires=4000000000&signature=%c3%a9",
    "/v1/files/..%2f..%2fetc%2fpasswd?expires=4000000000&signature=x",
    "/v1/files/" + UNKNOWN_VIDEO + "/0123456789abcdef/video.mp4",
    "/studio/..%2f..%2fsettings.py",
    "/studio/%00",
    "/studio/" + "a" * 10_000,
    "//evil.example/v1/videos/x",
    "/v1/videos/%2e%2e/%2e%2e/etc",
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:60])
def test_a_hostile_query_is_refused(target: Target, query: str) -> None:
    check_refusal(target.wire.ask("GET", query))


HEADERS: dict[str, dict[str, str]] = {
    "an idempotency key of 10 KB": {"idempotency_key": "a" * 10_000},
    "an empty idempotency key": {"idempotency_key": ""},
    "an idempotency key in Latin-1": {"idempotency_key": "\xe9\xff"},
    "an idempotency key with a control character": {"idempotency_key": "a\x85b"},
    "a wild preference": {"prefer": "wait=\xb2, wait=-1, wait=99999999999, ==,,;"},
    "a wild retry count": {"x_stainless_retry_count": "1" * 5000},
    "a wild key": {"authorization": "Bearer " + "a" * 20_000},
    "a key in Latin-1": {"authorization": "Bearer \xff\xfe"},
    "a wild event id": {"last_event_id": "9" * 5000},
    "a forwarded host": {"x_forwarded_host": "evil.example", "x_forwarded_proto": "javascript", "forwarded": "host=evil"},
    "an upgrade": {"connection": "upgrade", "upgrade": "websocket", "sec_websocket_key": "x", "sec_websocket_version": "13"},
    "an upgrade to HTTP/2": {"connection": "upgrade, http2-settings, close", "upgrade": "h2c", "http2_settings": "AAMAAABkAAQAAP__"},
    "an override of the method": {"x_http_method_override": "DELETE"},
    "1,000 cookies": {"cookie": "; ".join(f"a{i}=b" for i in range(1000))},
    "a wild origin": {"origin": "null", "access_control_request_method": "POST"},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_no_failure(target: Target, name: str) -> None:
    body = b'{"prompt": "a cat", "seed": 5, "num_frames": 1}'
    check_harmless(target.wire.ask("POST", "/v1/videos", body, **JSON, **HEADERS[name]))
    answer = target.wire.ask("GET", f"/v1/videos/{target.video}", **HEADERS[name])
    check_harmless(answer)
    assert b"evil" not in answer.body


RANGES = {
    "9,000 parts": "bytes=" + ",".join(["0-1"] * 9_000),
    "another unit": "lines=1-2",
    "backwards": "bytes=9-1",
    "beyond the end": "bytes=999999999-",
    "beyond 64 bits": "bytes=0-" + "9" * 30,
    "nothing": "bytes=-",
    "the last none": "bytes=-0",
    "negative": "bytes=--5",
    "other digits": "bytes=\xb2-\xb3",
}


@pytest.mark.parametrize("name", RANGES)
def test_a_hostile_range_is_refused(target: Target, name: str) -> None:
    answer = target.wire.ask("GET", f"/v1/videos/{target.video}/content", range=RANGES[name])
    check_refusal(answer, {416})
    assert answer.headers["content-range"].startswith("bytes */")


def test_a_range_of_100_000_parts_is_too_long_for_a_header(target: Target) -> None:
    answer = target.wire.ask("GET", f"/v1/videos/{target.video}/content", range="bytes=" + ",".join(["0-0"] * 100_000))
    assert answer.status in {400, 431}


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "PATCH", "DELETE", "FOO", "A" * 1000, "post"])
def test_a_method_that_is_not_offered_is_refused(target: Target, method: str) -> None:
    answer = target.wire.ask(method, "/v1/videos")
    if "x-request-id" in answer.headers:
        check_refusal(answer, {405})
    else:
        assert answer.status == 400, "what is no method at all may fail in the web server"


# --- HTTP itself


def raw(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


HOST = b"Host: 127.0.0.1"
POST = b"POST /v1/videos HTTP/1.1"
INNER = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"

RAW: dict[str, bytes] = {
    "no HTTP": b"GARBAGE\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n",
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/99.9": raw(b"GET / HTTP/99.9", HOST),
    "a control character in the path": raw(b"GET /\x01 HTTP/1.1", HOST),
    "bytes above ASCII in the path": raw(b"GET /\xff\xfe HTTP/1.1", HOST),
    "a line of 1 MB": raw(b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1", HOST),
    "a header of 1 MB": raw(b"GET / HTTP/1.1", HOST, b"A: " + b"b" * 1_000_000),
    "a header's name of 1 MB": raw(b"GET / HTTP/1.1", HOST, b"a" * 1_000_000 + b": b"),
    "100,000 headers": raw(b"GET / HTTP/1.1", HOST, *[b"A: b"] * 100_000),
    "no host": raw(b"GET / HTTP/1.1"),
    "two hosts": raw(b"GET /v1/models HTTP/1.1", HOST, b"Host: evil.example"),
    "a space before the colon": raw(POST, HOST, b"Content-Length : 5", body=b"aaaaa"),
    "a NUL in a header": raw(b"GET / HTTP/1.1", HOST, b"A: \x00"),
    "a header without a colon": raw(b"GET / HTTP/1.1", HOST, b"AAAA"),
    "a length and chunks": raw(POST, HOST, b"Content-Length: 6", CHUNKED, body=b"0\r\n\r\n" + INNER),
    "chunks and a length": raw(POST, HOST, CHUNKED, b"Content-Length: 4", body=b"5c\r\n" + INNER),
    "two lengths": raw(POST, HOST, b"Content-Length: 0", b"Content-Length: 44", body=INNER),
    "two lengths in one": raw(POST, HOST, b"Content-Length: 0, 44", body=INNER),
    "a negative length": raw(POST, HOST, b"Content-Length: -1", body=INNER),
    "a length with a sign": raw(POST, HOST, b"Content-Length: +2", body=b"{}"),
    "a length in hexadecimal": raw(POST, HOST, b"Content-Length: 0x2", body=b"{}"),
    "a length of 400 digits": raw(POST, HOST, b"Content-Length: " + b"9" * 400, body=b"{}"),
    "chunks of chunks": raw(POST, HOST, b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "nearly chunks": raw(POST, HOST, b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunks, twice": raw(POST, HOST, CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "another coding": raw(POST, HOST, b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "chunks after a tab": raw(POST, HOST, b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "a chunk of no size": raw(POST, HOST, CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of 2^80 bytes": raw(POST, HOST, CHUNKED, body=b"f" * 21 + b"\r\n{}\r\n"),
    "a chunk extension of 1 MB": raw(POST, HOST, CHUNKED, body=b"2;" + b"a" * 1_000_000 + b"\r\n{}\r\n0\r\n\r\n"),
    "a trailer of 1 MB": raw(POST, HOST, CHUNKED, body=b"2\r\n{}\r\n0\r\nA: " + b"b" * 1_000_000 + b"\r\n\r\n"),
    "a chunk that is longer than it says": raw(POST, HOST, CHUNKED, body=b"2\r\n{}{}{}\r\n0\r\n\r\n"),
    "11 MB in chunks": raw(POST, HOST, CHUNKED, body=(b"10000\r\n" + b"a" * 65_536 + b"\r\n") * 170 + b"0\r\n\r\n"),
    "a URI of a file": raw(b"GET file:///etc/passwd HTTP/1.1", HOST, b"Connection: close"),
    "a tunnel": raw(b"CONNECT 127.0.0.1:22 HTTP/1.1", HOST, b"Connection: close"),
    "an expectation": raw(POST, HOST, b"Content-Length: 99999999999", b"Expect: 100-continue"),
    "a host that is a URL": raw(b"GET /v1/videos HTTP/1.1", b"Host: http://127.0.0.1/", b"Connection: close"),
    "a host with a user": raw(b"GET /v1/videos HTTP/1.1", b"Host: 127.0.0.1:80@evil.example", b"Connection: close"),
    "a host that is nearly an address": raw(b"GET /v1/videos HTTP/1.1", b"Host: [1::2::3]", b"Connection: close"),
    "a host with an open bracket": raw(b"GET /v1/videos HTTP/1.1", b"Host: [::1", b"Connection: close"),
    "a host with a wild port": raw(b"GET /v1/videos HTTP/1.1", b"Host: 127.0.0.1:99999999", b"Connection: close"),
    "a host with a path": raw(b"GET /v1/videos HTTP/1.1", b"Host: 127.0.0.1/a?b#c", b"Connection: close"),
    "a host above ASCII": raw(b"GET /v1/videos HTTP/1.1", b"Host: \xff\xfe", b"Connection: close"),
    "an empty host": raw(b"GET /v1/videos HTTP/1.1", b"Host: ", b"Connection: close"),
}


@pytest.mark.parametrize("name", RAW)
def test_broken_http_is_refused_and_never_two_requests(target: Target, name: str) -> None:
    with target.wire.open() as connection:
        with suppress(ConnectionError):
            connection.sendall(RAW[name])
        answer = read_answer(connection)
        assert 400 <= answer.status < 500, answer
        if "x-request-id" in answer.headers:
            check_refusal(answer)
        with suppress(OSError):  # hung up already
            connection.shutdown(socket.SHUT_WR)
        rest = read_answer(connection)
        assert rest.status == 0, f"what was inside was answered as a request of its own: {rest}"


@pytest.mark.parametrize("uri", ["http://evil.example/v1/videos", "http://127.0.0.1/v1/videos", "http://evil.example"])
def test_an_absolute_uri_leads_nowhere_else(target: Target, uri: str) -> None:
    answer = target.wire.say(raw(b"GET " + uri.encode() + b" HTTP/1.1", HOST))
    assert 200 <= answer.status < 500, answer
    assert b"evil" not in answer.body
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:1@evil.example",
        "127.0.0.1:@evil.example",
        "evil.example:127.0.0.1",
        "[::1]",
        "",
    ],
)
def test_a_host_that_is_not_ours_is_not_served(choosy: Wire, host: str) -> None:
    check_refusal(choosy.ask("GET", "/v1/models", host=host), {400})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "Clips.Example:443", "clips.example"])
def test_a_host_of_ours_is_served_in_any_spelling(choosy: Wire, host: str) -> None:
    assert choosy.ask("GET", "/v1/models", host=host).status == 200


@pytest.fixture(scope="module")
def choosy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """A service that goes by two names only."""
    with running_service(tmp_path_factory.mktemp("choosy"), allowed_hosts='["127.0.0.1", "clips.example"]') as service:
        yield Wire(service.url)


def test_a_thousand_requests_in_one_breath_are_answered_one_by_one(target: Target) -> None:
    one = raw(b"GET /livez HTTP/1.1", HOST)
    last = raw(b"GET /livez HTTP/1.1", HOST, b"Connection: close")
    with target.wire.open() as connection:
        connection.sendall(one * 999 + last)
        data = bytearray()
        while piece := connection.recv(1 << 16):
            data += piece
    assert data.count(b"HTTP/1.1 200") == 1000


def test_clients_that_hang_up_in_the_middle_leave_nothing(target: Target) -> None:
    for cut in (b"", b"PO", b"POST /v1/videos HTTP/1.1\r\nHo", raw(POST, HOST, b"Content-Length: 100", body=b'{"pro')):
        for _ in range(50):
            with target.wire.open() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset
                connection.sendall(cut)
    assert target.wire.ask("GET", "/livez").status == 200


def test_slow_clients_do_not_stop_a_good_one(target: Target) -> None:
    starts = [
        b"POST /v1/vid",
        b"POST /v1/videos HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
        raw(POST, HOST, b"Content-Type: application/json", b"Content-Length: 1000", body=b'{"prompt": "'),
        raw(POST, HOST, b"Content-Type: multipart/form-data; boundary=b", CHUNKED, body=b"5\r\n--b\r\n\r\n"),
        raw(b"GET /v1/videos/events HTTP/1.1", HOST),
    ]
    with ExitStack() as stack:
        for i in range(NUM_SLOW):
            connection = stack.enter_context(target.wire.open())
            connection.sendall(starts[i % len(starts)])
        answer = target.wire.ask("POST", "/v1/videos", b'{"prompt": "a dog", "num_frames": 1}', prefer="wait=20", **JSON)
        assert json.loads(answer.body)["status"] == "completed", answer


def test_a_body_that_dribbles_is_read_all_the_same(target: Target) -> None:
    body = b'{"prompt": "a dog", "num_frames": 1}'
    with target.wire.open() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw(POST, HOST, b"Content-Length: %d" % len(body), body=body):
            connection.send(bytes([byte]))
        assert read_answer(connection).status == 200


def test_postgresql_hears_of_no_hostile_id_either(target: Target, tmp_path: Path, postgres_url: str) -> None:
    with running_service(tmp_path, store=postgres_url) as service:
        there = Target(service=service, wire=Wire(service.url), paths=target.paths, video="", endpoint="", warm_bytes=0)
        for bad in IDS.values():
            check_ids(there, bad)
        for query in QUERIES:
            check_refusal(there.wire.ask("GET", query))
        for headers in HEADERS.values():
            check_harmless(there.wire.ask("POST", "/v1/videos", b'{"prompt": "a cat", "num_frames": 1}', **JSON, **headers))


def test_after_all_that_the_server_is_well_and_hardly_larger(target: Target) -> None:
    assert target.service.is_alive
    assert target.wire.ask("GET", "/readyz").status == 200
    assert rss_bytes(target.service.pid) - target.warm_bytes <= MAX_GROWTH_BYTES
