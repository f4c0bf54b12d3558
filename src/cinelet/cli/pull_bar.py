"""A row of a progress bar for each folder that is pulled, fed by the puller's threads."""

from __future__ import annotations

from rich.progress import Progress as Bar
from rich.progress import TaskID

from cinelet.models.puller import Watcher


class PullBar(Watcher):
    """Shows bytes that are there against bytes that are due."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._row: TaskID | None = None

    def began(self, title: str, total_bytes: int) -> None:
        """Begin a row."""
        self._row = self._bar.add_task(title, total=total_bytes)

    def advanced(self, num_bytes: int) -> None:
        """Move the row's end."""
        if self._row is not None:
            self._bar.advance(self._row, num_bytes)
