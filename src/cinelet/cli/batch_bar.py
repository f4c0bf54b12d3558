"""How far a batch is, on stderr: clips done of all, and those under way. Nothing of calls."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cinelet.sdk import RemoteJob


class BatchBar:
    """Clips done of all, and how many are under way, on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("clips"), TimeElapsedColumn())
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, disable=quiet or not console.is_terminal)
        self._row = self._bar.add_task("starting", total=None)
        self._num_done = 0
        self._under_way: dict[str, int] = {}

    def __enter__(self) -> BatchBar:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the finished bar standing."""
        self._bar.stop()

    def start(self, num_clips: int, num_done: int) -> None:
        """Say how much there is, and how much was there already."""
        self._num_done = num_done
        self._bar.update(self._row, total=num_clips)
        self._refresh()

    def show(self, job: RemoteJob) -> None:
        """News of one job."""
        self._under_way[job.id] = job.progress
        self._refresh()

    def settle(self, job_id: str | None) -> None:
        """One clip is done or has failed."""
        self._under_way.pop(job_id or "", None)
        self._num_done += 1
        self._refresh()

    def _refresh(self) -> None:
        percent = ", ".join(f"{progress} %" for progress in self._under_way.values())
        self._bar.update(self._row, completed=self._num_done, description=f"under way: {percent}" if percent else "making clips")
