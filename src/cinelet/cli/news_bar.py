"""A progress bar on stderr for jobs of a service, fed with what it tells. Nothing of calls."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cinelet.sdk import RemoteJob

PHASES = {
    "text_encode": "reading the sentence",
    "denoise_high": "drawing, high noise",
    "denoise_low": "drawing, low noise",
    "vae_decode": "developing",
    "video_encode": "writing the file",
    "upload": "storing",
    "safety": "looking it over",
}


class NewsBar:
    """`with NewsBar(quiet) as show:` then `show(job)`; one row a job. Silent where stderr is no terminal."""

    def __init__(self, *, quiet: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> NewsBar:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the finished bar standing."""
        self._bar.stop()

    def __call__(self, job: RemoteJob) -> None:
        """Show one report."""
        if job.id not in self._rows:
            self._rows[job.id] = self._bar.add_task("", total=100, left="")
        left = "" if job.eta_s is None else f"about {job.eta_s:.0f} s left"
        self._bar.update(self._rows[job.id], description=phase(job), completed=job.progress, left=left)


def phase(job: RemoteJob) -> str:
    """What happens to the job now, in a few words."""
    if job.status == "queued":
        return "queued" if job.queue_position is None else f"queued #{job.queue_position + 1}"
    if job.status == "in_progress":
        steps = f" {job.step}/{job.num_steps}" if job.step is not None and job.num_steps is not None else ""
        return PHASES.get(job.stage or "", "working") + steps
    return {"completed": "done"}.get(job.status, job.state)
