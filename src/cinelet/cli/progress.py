"""A progress bar with phases and remaining time on stderr, fed with `Progress`. Silent where stderr is no terminal and asked to be."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from cinelet.video import Progress

PHASES = {"encode": "reading the sentence", "denoise": "drawing", "decode": "developing", "mux": "writing the file"}


class ProgressBar:
    """`with ProgressBar(quiet) as show:` then `show(progress)`."""

    def __init__(self, *, quiet: bool) -> None:
        self._bar = Bar(
            TextColumn("{task.description:<20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            disable=quiet,
        )
        self._row = self._bar.add_task("loading the model", total=None, left="")

    def __enter__(self) -> ProgressBar:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the finished bar standing."""
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show one report."""
        left = "" if progress.remaining_s is None else f"about {progress.remaining_s:.0f} s left"
        self._bar.update(self._row, description=PHASES[progress.stage], completed=progress.step, total=progress.num_steps, left=left)
