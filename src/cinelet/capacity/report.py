"""A report as files: the numbers as JSON, each figure as a PNG, and one HTML page that holds all of it. Nothing of what it tells.

The page needs no other file and no network: figures are embedded, and it follows the reader's light or dark setting.
"""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinelet.draft import Draft, explained


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """Rows under columns. Cells are text, numbers, or None for "nothing to tell"."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportFigure:
    """One picture, kept as `name`.png; `note` says in a sentence what to see in it, also for those who cannot see it."""

    name: str
    title: str
    png: bytes
    note: str = ""


def write_report(
    folder: Path,
    name: str,
    *,
    title: str,
    data: Mapping[str, Any],
    tables: Sequence[ReportTable] = (),
    figures: Sequence[ReportFigure] = (),
    notes: Sequence[str] = (),
) -> Path:
    """Write `name`.json, the figures and `name`.html into `folder`, made where it is missing; gives the page's path.

    Each file appears whole or not at all, the page last. Raises what `Draft` raises.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _write(folder / f"{name}.json", (json.dumps(finite(data), ensure_ascii=False, indent=2) + "\n").encode())
    for figure in figures:
        _write(folder / f"{figure.name}.png", figure.png)
    page = folder / f"{name}.html"
    _write(page, _page(title, tables, figures, notes).encode())
    return page


def finite(value: Any) -> Any:
    """The same data as JSON can carry it: what is no finite number is null."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cell_text(cell: object) -> str:
    """A cell for people: three significant digits, or whole numbers with separators."""
    if cell is None:
        return "–"
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        return str(cell)
    if not math.isfinite(cell):
        return "∞" if cell > 0 else "–"
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{cell:,.0f}"
    return f"{cell:.3g}"


def _write(path: Path, content: bytes) -> None:
    with Draft(path) as draft:
        draft.path.write_bytes(content)


def _page(title: str, tables: Sequence[ReportTable], figures: Sequence[ReportFigure], notes: Sequence[str]) -> str:
    parts = [f"<h1>{html.escape(title)}</h1>"]
    parts += [f'<p class="note">{html.escape(note)}</p>' for note in notes]
    parts += [_table(table) for table in tables]
    parts += [_figure(figure) for figure in figures]
    body = "\n".join(parts)
    return PAGE.format(title=html.escape(title), style=STYLE, body=body)


def _table(table: ReportTable) -> str:
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in table.columns)
    rows = "\n".join("<tr>" + "".join(f"<td>{html.escape(cell_text(cell))}</td>" for cell in row) + "</tr>" for row in table.rows)
    note = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ""
    content = f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'
    return f"<h2>{html.escape(table.title)}</h2>\n{content}{note}"


def _figure(figure: ReportFigure) -> str:
    source = base64.b64encode(figure.png).decode()
    words = html.escape(f"{figure.title}. {figure.note}".strip(), quote=True)
    note = f"<figcaption>{html.escape(figure.note)}</figcaption>" if figure.note else ""
    return f'<figure><img alt="{words}" src="data:image/png;base64,{source}">{note}</figure>'


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
STYLE = """
:root { color-scheme: light dark; --ink: #24292e; --paper: #fff; --faint: #e3e6e8; --quiet: #59636e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --paper: #16191c; --faint: #33393f; --quiet: #a2abb4 } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
.note, figcaption { color: var(--quiet); margin: .4rem 0; max-width: 46rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; border-bottom: 1px solid var(--faint); white-space: nowrap }
th { font-weight: 600; color: var(--quiet) } :is(th, td):not(:first-child) { text-align: right }
figure { margin: 1.8rem 0 } img { max-width: 100%; height: auto; border-radius: 6px }
"""
