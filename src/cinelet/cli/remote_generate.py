"""`cinelet generate --url`: the same clip, made by a service. Nothing of engines; a codec only for what is no MP4."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cinelet.cli.connection import detachable, service_errors
from cinelet.cli.news_bar import NewsBar
from cinelet.draft import check_place
from cinelet.errors import InvalidValueError
from cinelet.extras import extra
from cinelet.local import MediaCodec
from cinelet.sdk import Client, RemoteJob, RemoteResult, Wish
from cinelet.sdk.job import PLAN_FIELDS
from cinelet.video import VideoRequest

MAX_DRAWN_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class RemoteClips:
    """Several clips of one request with seeds counting up. `path_of` names the file of a clip once its job, and so its seed, is known."""

    url: str
    api_key: str | None
    path_of: Callable[[RemoteJob, int], Path]
    sheet: bool
    quiet: bool
    image: bytes | None = None

    def make(self, request: VideoRequest, num_clips: int) -> list[dict[str, Any]]:
        """Hand in, wait, fetch, write. Gives what `cinelet generate` prints; leaves by the exit codes of `connection`."""
        with service_errors(), Client(self.url, self.api_key) as client:
            wishes = [Wish(one, image=self.image) for one in with_seeds(request, num_clips)]
            submitted = [client.submit(wish.request, extra=wish.extra) for wish in wishes]
            waits = [(job.id, self.path_of(job, i)) for i, job in enumerate(submitted)]
            with detachable(client, waits), NewsBar(quiet=self.quiet) as bar:
                return [self._fetch(client, job_id, path, bar) for job_id, path in waits]

    def _fetch(self, client: Client, job_id: str, path: Path, bar: NewsBar) -> dict[str, Any]:
        job = client.wait(job_id, bar)
        job.raise_for_failure()
        result = RemoteResult(job, client.content(job_id), MediaCodec())
        result.save(path)
        return facts(job, path, write_sheet(result, path) if self.sheet else None)


def with_seeds(request: VideoRequest, num_clips: int) -> Sequence[VideoRequest]:
    """One request a clip. The seed of a single clip may be the service's choice; several count up from one that is drawn here."""
    if num_clips == 1:
        return [request]
    first = random.randrange(MAX_DRAWN_SEED) if request.seed is None else request.seed
    return [replace(request, seed=first + i) for i in range(num_clips)]


def check_files(paths: Sequence[Path], *, sheet: bool) -> None:
    """Raise before anything is submitted what writing would raise afterwards: a wrong suffix, no room, no codec."""
    for path in paths:
        if sheet or path.suffix.lower() != ".mp4":
            with extra("engine"):
                from cinelet.media import check_output  # noqa: PLC0415 - loads the codec, which an MP4 does not need
            check_output(path)
        else:
            check_place(path)


def check_is_left_out(**options: object) -> None:
    """Raise `InvalidValueError` for an option that has no meaning on a service."""
    for name, value in options.items():
        if value is not None:
            raise InvalidValueError(name, str(value), "is for clips made in this process; leave it out, or leave out url")


def write_sheet(result: RemoteResult, path: Path) -> Path:
    """A contact sheet beside the clip."""
    from cinelet.media import contact_sheet  # noqa: PLC0415 - needs the codec; `check_files` has seen to it

    sheet = path.with_suffix(".png")
    contact_sheet(result["tensor"], sheet)
    return sheet


def facts(job: RemoteJob, path: Path, sheet: Path | None) -> dict[str, Any]:
    """The result in the shape that `cinelet generate` prints; what the service does not say is left out."""
    width, height = job.size or (None, None)
    plan = {"width": width, "height": height} | {name: job.raw.get(name) for name in PLAN_FIELDS}
    return {
        "id": job.id,
        "path": str(path),
        "sheet": str(sheet) if sheet else None,
        "plan": {name: value for name, value in plan.items() if value is not None},
        "stage_durations_s": job.stage_durations_s,
        "peak_memory_bytes": None,
        "decode": None,
        "warnings": list(job.warnings),
    }
