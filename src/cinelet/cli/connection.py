"""What the verbs that talk to a service share: its address, the exit codes, and Ctrl-C, which leaves jobs running."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cinelet.errors import (
    AuthenticationError,
    CineletError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RequestError,
    TimedOutError,
)
from cinelet.sdk import Client

Url = Annotated[str | None, typer.Option("--url", envvar="CINELET_URL", help="Address of a service, such as http://127.0.0.1:8000.")]
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="CINELET_API_KEY", help="Key for the service.")]

EXIT_CODES: tuple[tuple[type[CineletError], int], ...] = (
    (NotFoundError, 3),
    (AuthenticationError, 4),
    (PermissionDeniedError, 4),
    (RateLimitedError, 5),
    (TimedOutError, 6),
    (RequestError, 2),
    (ConflictError, 2),
)
"""By what the caller can do; any other error is 1."""

GRACE_S = 2.0
"""How long after the first Ctrl-C a second one cancels the jobs. Long enough for a hand, short enough to wait for."""


def say(line: str) -> None:
    """One line on stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(escape(line))


def exit_code(error: CineletError) -> int:
    """The exit code of a verb that talked to a service."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


@contextmanager
def service_errors() -> Iterator[None]:
    """Errors become one line and the exit code of `EXIT_CODES`; an interrupted call ends with 130."""
    try:
        yield
    except CineletError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]error[/] {escape(error.message)}")
        raise typer.Exit(exit_code(error)) from error
    except KeyboardInterrupt as error:
        say("interrupted; what the service accepted goes on: `cinelet jobs list` shows it")
        raise typer.Exit(130) from error


@contextmanager
def detachable(client: Client, waits: Sequence[tuple[str, Path | None]]) -> Iterator[None]:
    """A wait for jobs and the files they go to: the first Ctrl-C leaves it and says how to come back, a second cancels the jobs."""
    try:
        yield
    except KeyboardInterrupt as error:
        try:
            say("detached; the service goes on. Come back with")
            for job_id, path in waits:
                say(f"  {resume_command(job_id, path)}")
            say(f"Ctrl-C again within {GRACE_S:g} s cancels {'it' if len(waits) == 1 else 'them'}")
            time.sleep(GRACE_S)
        except KeyboardInterrupt:
            for job_id, _ in waits:
                client.cancel(job_id)
            say("cancelled")
        raise typer.Exit(130) from error


def resume_command(job_id: str, path: Path | None) -> str:
    """What to type to wait for a job again. The address comes from CINELET_URL or --url, as before."""
    return shlex.join(["cinelet", "jobs", "wait", job_id, *([] if path is None else ["-o", str(path)])])
