"""Rows for people or for programs: a table on a terminal, tab-separated lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_rows(columns: Sequence[str] | None, rows: Iterable[Sequence[object]]) -> None:
    """Print on stdout, headed by `columns` where there are any; None is an empty cell. Lines have their cells' tabs and line ends
    turned into spaces."""
    if not sys.stdout.isatty():
        for row in rows if columns is None else (columns, *rows):
            print("\t".join(" ".join(_text(cell).split()) for cell in row))  # noqa: T201 - a result
        return
    table = Table(*(columns or ()), box=None, show_header=columns is not None)
    for row in rows:
        table.add_row(*(escape(_text(cell)) for cell in row))
    Console().print(table)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)
