"""What a script of the protocol asks its client to do, and what it gets back: values only.

A script is a generator: it yields steps, receives what came of each, and returns its result. It never opens a connection
and never sleeps, so the same script serves the synchronous and the asynchronous client.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from cinelet.sdk.job import JobEvent

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP request. `path` follows the `/v1` of the service; `read_timeout_s` replaces the client's own."""

    method: str
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    read_timeout_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP response; the names of `headers` are lower case. `body` is empty where the response is still being read."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Lost:
    """No answer, or none that ended: the connection failed. Whether the service heard the request is unknown."""

    reason: str


@dataclass(frozen=True)
class Send:
    """Do the call, read the body. Gives `Answer` or `Lost`."""

    call: Call


@dataclass(frozen=True)
class Open:
    """Do the call and leave a good answer's body to `Read`; an error's body is read at once. Gives `Answer` or `Lost`.

    One answer is open at a time: the next `Open` and the end of the script close it.
    """

    call: Call


@dataclass(frozen=True)
class Read:
    """The next bytes of the open answer: `bytes`, None at its end, or `Lost`."""


@dataclass(frozen=True)
class Pause:
    """Wait. Gives None."""

    seconds: float


@dataclass(frozen=True)
class Tell:
    """Hand an event to the caller. Gives None."""

    event: JobEvent


Step: TypeAlias = Send | Open | Read | Pause | Tell
Script: TypeAlias = Generator[Step, Any, T]
