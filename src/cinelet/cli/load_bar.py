"""How far a load is, on stderr: sent of all, under way, and how they ended. Nothing of calls."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cinelet.capacity.load import Probe

REFRESH_S = 0.2


class LoadBar:
    """Ended of all requests, and how many are under way, on stderr. `watch` keeps it fresh until it is cancelled."""

    def __init__(self, probe: Probe, num_planned: int, *, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("requests"), TimeElapsedColumn())
        console = Console(stderr=True)
        self._probe = probe
        self._bar = Progress(*columns, console=console, disable=quiet or not console.is_terminal, auto_refresh=False)
        self._row = self._bar.add_task("starting", total=num_planned)

    def __enter__(self) -> LoadBar:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the finished bar standing."""
        self._refresh()
        self._bar.stop()

    async def watch(self) -> None:
        """Look at the probe now and then."""
        while True:
            self._refresh()
            await asyncio.sleep(REFRESH_S)

    def _refresh(self) -> None:
        counts = self._probe.counts
        words = {"under way": counts["open"], "refused": counts["refused"], "failed": counts["failed"] + counts["unreachable"]}
        words["timed out"] = counts["timed_out"]
        told = ", ".join(f"{count} {word}" for word, count in words.items() if count)
        num_ended = counts.total() - counts["open"]
        self._bar.update(self._row, completed=num_ended, description=told or "waiting")
        self._bar.refresh()
