"""The bytes of a finished clip, whole: resumed where the connection broke, compared with what the service announced.

A broken transfer goes on with a `Range` only under the same strong `ETag`; otherwise it starts anew. An `ETag` of 64
hexadecimal digits is the SHA-256 of the bytes, as our service sends it, and is checked.
"""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO

from cinelet.errors import TooLargeError, UnavailableError
from cinelet.sdk.exchange import Answer, Call, Lost, Open, Pause, Read, Script
from cinelet.sdk.protocol import Protocol, path_of

MAX_ATTEMPTS = 50
"""Bounds a transfer that breaks again and again; each new attempt goes on from where the last one stopped."""
STRONG_ETAG = re.compile(r'"[^"]*"')
SHA256_ETAG = re.compile(r'"([0-9a-f]{64})"')
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})")
CHUNK_BYTES = 1 << 20


class Download:
    """Fills `sink`, an empty file open for reading and writing, with one asset of a job.

    `variant` is video, thumbnail, spritesheet or preview. More than `max_bytes` raise `TooLargeError`.
    """

    def __init__(self, protocol: Protocol, job_id: str, variant: str, sink: BinaryIO, max_bytes: int | None = None) -> None:
        self._protocol = protocol
        self._path = path_of(job_id) + "/content"
        self._variant = variant
        self._sink = sink
        self._max_bytes = max_bytes
        self._size_bytes: int | None = None
        self._etag: str | None = None

    def script(self) -> Script[None]:
        """Attempts until one reaches the end; those that brought bytes do not count as failures in a row."""
        num_failures = 0
        for _ in range(MAX_ATTEMPTS):
            begun_at = self._sink.tell()
            outcome = yield from self._attempt()
            if outcome is None:
                self._check()
                return
            num_failures = 0 if self._sink.tell() > begun_at else num_failures
            delay_s = self._protocol.retry.delay_s(outcome, num_failures)
            if delay_s is None:
                raise self._protocol.error(outcome)
            num_failures += 1
            yield Pause(delay_s)
        raise UnavailableError(f"{self._variant}: the transfer broke {MAX_ATTEMPTS} times")

    def _attempt(self) -> Script[Answer | Lost | None]:
        """One transfer. Gives None where it is whole, else what went wrong."""
        answer = yield Open(Call(method="GET", path=self._path, params={"variant": self._variant}, headers=self._headers()))
        if not isinstance(answer, Answer):
            return Lost(answer.reason)
        if answer.status not in (200, 206, 416):
            return answer
        if not self._begin(answer):
            self._restart()
            return Lost("the file changed during the transfer")
        return (yield from self._receive())

    def _receive(self) -> Script[Lost | None]:
        while received := (yield Read()):
            if isinstance(received, Lost):
                return received
            self._write(received)
        if self._size_bytes is not None and self._sink.tell() != self._size_bytes:
            return Lost(f"{self._sink.tell():,} of {self._size_bytes:,} bytes came")
        return None

    def _headers(self) -> dict[str, str]:
        """Plain bytes, so that lengths agree; the rest only, where a part is here."""
        headers = {"accept": "*/*", "accept-encoding": "identity"}
        if self._sink.tell() and self._etag is None:
            self._restart()
        if self._sink.tell() and self._etag is not None:
            headers |= {"range": f"bytes={self._sink.tell()}-", "if-range": self._etag}
        return headers

    def _begin(self, answer: Answer) -> bool:
        """Note size and version, and whether these bytes continue the ones that are here."""
        etag = answer.headers.get("etag", "")
        if answer.status == 200:
            self._restart()
            self._etag = etag if STRONG_ETAG.fullmatch(etag) else None
            length = answer.headers.get("content-length", "")
            self._size_bytes = int(length) if length.isdecimal() and "content-encoding" not in answer.headers else None
            return True
        told = CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        return told is not None and int(told[1]) == self._sink.tell() and etag == self._etag and int(told[2]) == self._size_bytes

    def _write(self, received: bytes) -> None:
        total = self._sink.tell() + len(received)
        if self._max_bytes is not None and total > self._max_bytes:
            raise TooLargeError(self._variant, f"{total:,} bytes", f"must be at most {self._max_bytes:,} bytes; download it to a file")
        self._sink.write(received)

    def _restart(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._etag = self._size_bytes = None

    def _check(self) -> None:
        told = SHA256_ETAG.fullmatch(self._etag or "")
        if told is None:
            return
        self._sink.seek(0)
        digest = hashlib.sha256()
        while chunk := self._sink.read(CHUNK_BYTES):
            digest.update(chunk)
        if digest.hexdigest() != told[1]:
            raise UnavailableError(f"{self._variant}: the bytes that came are not the ones the service announced; download it again")
