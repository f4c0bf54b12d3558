"""`cinelet jobs list|show|wait|cancel|retry|delete`: the jobs of a service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cinelet.cli.connection import ApiKey, Url, detachable, say, service_errors
from cinelet.cli.listing import print_rows
from cinelet.cli.news_bar import NewsBar
from cinelet.draft import check_place
from cinelet.sdk import Client, RemoteJob

jobs = typer.Typer(help="Jobs of a service: list, show, wait, cancel, retry, delete.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, such as video_local_01J9….")]
JobIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SHOWN = ("id", "status", "state", "progress", "stage", "queue_position", "eta_s", "model", "seed", "prompt", "error_code", "error_message")
MAX_PROMPT_SHOWN = 60


@jobs.command("list")
def list_jobs(
    *,
    limit: Annotated[int, typer.Option(help="How many, newest first (1 to 100).")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on after this job.")] = None,
    as_json: AsJson = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Your jobs, newest first."""
    with connected(url, api_key) as client:
        page = client.list(after=after, limit=limit)
    if as_json:
        print(json.dumps([job.raw for job in page.jobs], ensure_ascii=False))  # noqa: T201
        return
    print_rows(
        ("id", "state", "%", "model", "seed", "created", "prompt"),
        [
            (job.id, job.state, job.progress, job.model, job.seed, _moment(job.created_at), (job.prompt or "")[:MAX_PROMPT_SHOWN])
            for job in page.jobs
        ],
    )
    if page.has_more:
        say(f"more: cinelet jobs list --after {page.last_id}")


@jobs.command()
def show(job_id: JobId, *, as_json: AsJson = False, url: Url = None, api_key: ApiKey = None) -> None:
    """One job as it stands."""
    with connected(url, api_key) as client:
        job = client.get(job_id)
    _print_job(job, as_json=as_json)


@jobs.command()
def wait(
    job_id: JobId,
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the finished clip (MP4) to this file.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Give up after so many seconds; the job goes on.")] = None,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Wait for a job, and fetch its clip. Ctrl-C leaves the job running."""
    with connected(url, api_key) as client:
        if output is not None:
            check_place(output)
        with detachable(client, [(job_id, output)]), NewsBar(quiet=quiet) as bar:
            job = client.wait(job_id, bar, timeout_s=timeout)
            if output is not None and job.status == "completed":
                client.download(job_id, output)
    _print_job(job, as_json=as_json)
    if job.status == "failed":
        raise typer.Exit(1)


@jobs.command()
def cancel(job_ids: JobIds, *, as_json: AsJson = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Stop jobs and keep their records."""
    with connected(url, api_key) as client:
        _print_outcomes([client.cancel(job_id) for job_id in job_ids], as_json=as_json)


@jobs.command()
def retry(job_ids: JobIds, *, as_json: AsJson = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Do failed jobs again, with the same settings."""
    with connected(url, api_key) as client:
        _print_outcomes([client.retry(job_id) for job_id in job_ids], as_json=as_json)


@jobs.command()
def delete(job_ids: JobIds, *, url: Url = None, api_key: ApiKey = None) -> None:
    """Remove jobs and their clips; work under way is stopped."""
    with connected(url, api_key) as client:
        for job_id in job_ids:
            client.delete(job_id)
            print(f"{job_id}\tdeleted")  # noqa: T201 - a result


@contextmanager
def connected(url: str | None, api_key: str | None) -> Iterator[Client]:
    """A client, and errors as exit codes."""
    with service_errors(), Client(url, api_key) as client:
        yield client


def _print_job(job: RemoteJob, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(job.raw, ensure_ascii=False))  # noqa: T201
        return
    facts = ((name, getattr(job, name)) for name in SHOWN)
    print_rows(None, [(name, value) for name, value in facts if value is not None])


def _print_outcomes(outcomes: list[RemoteJob], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([job.raw for job in outcomes], ensure_ascii=False))  # noqa: T201
        return
    for job in outcomes:
        print(f"{job.id}\t{job.state}")  # noqa: T201


def _moment(created_at: float | None) -> str | None:
    return None if created_at is None else datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%d %H:%M:%S")
