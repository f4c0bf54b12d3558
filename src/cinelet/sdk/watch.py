"""One job followed to its end: by the event stream, and by polling where there is none. Nothing of connections.

The stream is opened again after the last event that was heard. A service that is away for a while ends nothing: the job goes on
without us.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cinelet.errors import RateLimitedError, TimedOutError, UnavailableError
from cinelet.sdk.event_reader import EventReader, Message
from cinelet.sdk.exchange import Answer, Call, Open, Pause, Read, Script, Tell
from cinelet.sdk.job import JobEvent, RemoteJob
from cinelet.sdk.protocol import Protocol, parse, path_of

SILENCE_S = 45.0
"""Three of the service's heartbeats: a stream that is quiet for longer is dead."""
STREAM_MARGIN_S = 30.0
"""Nearer than this to the time limit we poll: between two heartbeats nothing could end a stream on time."""
MAX_STREAM_FAILURES = 3
"""Streams in a row that brought no news before polling takes over: some proxies hold events back for good."""
MAX_OUTAGE_S = 300.0
"""How long the service may be away before the watcher gives up; a restart or a failover takes less."""
POLL_S = 1.0
MAX_POLL_S = 10.0
FINAL_EVENTS = ("video.completed", "video.failed")
EVENTS = {"queued": "video.queued", "in_progress": "video.progress", "completed": "video.completed", "failed": "video.failed"}


class Watch:
    """Tells every change of a job until it is final. `timeout_s` bounds the whole watch, None leaves it to the job."""

    def __init__(self, protocol: Protocol, job_id: str, timeout_s: float | None = None) -> None:
        self._protocol = protocol
        self._id = job_id
        self._path = path_of(job_id)
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else protocol.clock() + timeout_s
        self._last_event_id: str | None = None
        self._num_stream_failures = 0
        self._poll_s = POLL_S
        self._job: RemoteJob | None = None

    def script(self) -> Script[None]:
        """Poll, listen, poll again: what the stream missed, the poll after it finds."""
        while True:
            yield from self._poll()
            if self._job is not None and self._job.is_final:
                return
            if self._num_stream_failures < MAX_STREAM_FAILURES and self._remaining_s() > STREAM_MARGIN_S:
                yield from self._listen()
            else:
                yield Pause(min(self._poll_s, self._remaining_s()))
            if self._remaining_s() <= 0:
                raise TimedOutError(f"timeout_s: {self._id} is not done after {self._timeout_s:g} s; it goes on, wait for it again")

    def _poll(self) -> Script[None]:
        """Ask once, patiently: only an outage longer than `MAX_OUTAGE_S`, or than the time left, ends the watch."""
        give_up_at = self._protocol.clock() + min(MAX_OUTAGE_S, self._remaining_s())
        while True:
            try:
                answer = yield from self._protocol.answer(Call(method="GET", path=self._path))
                break
            except (UnavailableError, RateLimitedError) as error:
                wait_s = min(error.retry_after_s or self._poll_s, MAX_POLL_S)
                if self._protocol.clock() + wait_s >= give_up_at:
                    raise
                yield Pause(wait_s)
        self._poll_s = poll_after_s(answer)
        job = RemoteJob.from_json(parse(answer.body))
        if job != self._job:
            self._job = job
            yield Tell(JobEvent(type=EVENTS.get(job.status, "video.progress"), job=job))

    def _listen(self) -> Script[None]:
        """Hear the stream until it ends, breaks, tells the end of the job, or the time limit is near."""
        headers = {"accept": "text/event-stream"}
        if self._last_event_id is not None:
            headers["last-event-id"] = self._last_event_id
        answer = yield Open(Call(method="GET", path=self._path + "/events", headers=headers, read_timeout_s=SILENCE_S))
        self._num_stream_failures += 1
        if not isinstance(answer, Answer) or answer.status != 200 or "text/event-stream" not in answer.headers.get("content-type", ""):
            yield Pause(self._poll_s)
            return
        reader = EventReader()
        while self._remaining_s() > STREAM_MARGIN_S:
            received = yield Read()
            if not isinstance(received, bytes):
                yield Pause(self._protocol.retry.backoff_s(self._num_stream_failures))
                return
            for message in reader.feed(received):
                if message.type in FINAL_EVENTS:
                    return
                event = self._event(message)
                if event is not None:
                    self._num_stream_failures = 0
                    yield Tell(event)

    def _event(self, message: Message) -> JobEvent | None:
        """What a message says on top of what is known; None where it is not about this job."""
        self._last_event_id = message.id or self._last_event_id
        try:
            news: Any = json.loads(message.data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(news, Mapping) or self._job is None or news.get("id", self._id) != self._id:
            return None
        self._job = RemoteJob.from_json({**self._job.raw, **news})
        return JobEvent(type=message.type, job=self._job, id=message.id)

    def _remaining_s(self) -> float:
        return float("inf") if self._deadline is None else self._deadline - self._protocol.clock()


def poll_after_s(answer: Answer) -> float:
    """When to ask again, as the service says it, within `POLL_S` / 10 and `MAX_POLL_S`."""
    told = answer.headers.get("openai-poll-after-ms", "")
    return min(max(int(told) / 1000, POLL_S / 10), MAX_POLL_S) if told.isdecimal() and len(told) < 10 else POLL_S
