"""A table of wishes: CSV or JSON lines, read whole and checked cell by cell. Nothing of clips, services or folders.

Every fault names file, row and column; all of them are told at once, before anything is made.
"""

from __future__ import annotations

import csv
import io
import json
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cinelet.errors import InvalidValueError, RequestError, show
from cinelet.sdk import Wish, make_wish

MAX_FILE_BYTES = 64 << 20
MAX_ROWS = 10_000
"""A day of work for one GPU at a few seconds a clip; more belongs into several files."""
MAX_VARIANTS = 64
MAX_FAULTS_SHOWN = 20
MAX_CELL_CHARS = 1 << 20
SEPARATORS = (",", ";", "\t")
"""A spreadsheet writes the one of its language; the first line shows which."""
SIZE = re.compile(r"(\d{1,6})[x*×](\d{1,6})")
NAME = re.compile(r"[^/\\\0]{1,120}")

TEXTS = ("prompt", "negative_prompt", "model", "preset", "sampler", "resolution", "name", "size")
INTEGERS = ("seed", "steps", "num_frames", "fps", "variants", "variation_seed")
NUMBERS = ("guidance_scale", "guidance_scale_2", "flow_shift", "length_sec", "variation_strength")
FIELDS = TEXTS + INTEGERS + NUMBERS
FIELD_OF = {"num_inference_steps": "steps", "width": "size", "height": "size"}
"""Where the request calls a field otherwise than the table."""


@dataclass(frozen=True)
class Row:
    """One row as it stands. `number` counts rows of data from 1, `line` lines of the file."""

    number: int
    line: int
    cells: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class RowWish:
    """What one row asks for: a wish, in so many variants, under a name (None: named by number and sentence)."""

    row: Row
    wish: Wish
    num_variants: int
    name: str | None


@dataclass(frozen=True, kw_only=True)
class TableReader:
    """Reads one table. `columns` maps a column of the file to a field, `template` makes prompts from columns, `defaults` are fields
    for rows that do not say them."""

    path: Path
    columns: Mapping[str, str]
    template: str | None
    defaults: Mapping[str, Any]

    def read(self) -> list[RowWish]:
        """All rows. Raises `RequestError` with one line a fault."""
        rows = list(read_rows(self.path))
        if not rows:
            raise RequestError(f"{self.path.name}: has no rows")
        names = list(dict.fromkeys(name for row in rows for name in row.cells))
        self._check_columns(names)
        wishes, faults = [], []
        for row in rows:
            try:
                wishes.append(self._wish(row))
            except InvalidValueError as error:
                faults.append(self.fault(row, error))
        raise_faults(faults)
        return wishes

    def fault(self, row: Row, error: InvalidValueError) -> str:
        """One line about one cell."""
        field = FIELD_OF.get(error.field, error.field)
        column = next((name for name, mapped in self.columns.items() if mapped == field and name in row.cells), field)
        return f"{self.place(row)}, column {column}: {show(error.value)} is not allowed; {error.limit}"

    def place(self, row: Row) -> str:
        """Where a row is, for messages."""
        return f"{self.path.name}, row {row.number} (line {row.line})"

    def unused(self, names: Sequence[str]) -> list[str]:
        """Columns of the file that nothing reads."""
        return [name for name in names if self._field(name) is None and name not in self._placeholders()]

    def _check_columns(self, names: Sequence[str]) -> None:
        for column, field in self.columns.items():
            if column not in names:
                raise InvalidValueError("column", column, f"{self.path.name} has the columns {', '.join(names)}")
            if field not in FIELDS:
                raise InvalidValueError("column", f"{column}={field}", f"the fields are {', '.join(FIELDS)}")
        for name in self._placeholders():
            if name not in names:
                raise InvalidValueError("template", "{" + name + "}", f"{self.path.name} has the columns {', '.join(names)}")
        for name in self.unused(names):
            meant = get_close_matches(name.lower(), FIELDS, n=1, cutoff=0.75)
            if meant:
                raise RequestError(
                    f"{self.path.name}, column {show(name)}: is unknown; did you mean {meant[0]}? (--column {name}={meant[0]})"
                )
        if self.template is None and "prompt" not in map(self._field, names):
            raise RequestError(f"{self.path.name}: has no column prompt; say which one is it (--column NAME=prompt) or give --template")

    def _field(self, column: str) -> str | None:
        return self.columns.get(column, column if column in FIELDS and column not in self.columns.values() else None)

    def _wish(self, row: Row) -> RowWish:
        said = {field: cell for name, cell in row.cells.items() if (field := self._field(name)) is not None and not is_empty(cell)}
        options = {**self.defaults, **{field: read_cell(field, cell) for field, cell in said.items()}}
        if self.template is not None:
            options["prompt"] = self._filled(row)
        num_variants, name = options.pop("variants", 1), options.pop("name", None)
        if not 1 <= num_variants <= MAX_VARIANTS:
            raise InvalidValueError("variants", num_variants, f"must be a whole number from 1 to {MAX_VARIANTS}")
        if name is not None and (not NAME.fullmatch(name) or name.startswith(".") or not name.isprintable()):
            raise InvalidValueError("name", name, "must be a plain file name of at most 120 characters, without folders")
        return RowWish(row=row, wish=make_wish(options.pop("prompt", ""), **options), num_variants=num_variants, name=name)

    def _filled(self, row: Row) -> str:
        """The template with this row's cells. Nothing but names of columns is read from the braces."""
        parts = []
        for text, name, _, _ in string.Formatter().parse(self.template or ""):
            parts.append(text)
            if name is not None:
                if is_empty(row.cells.get(name)):
                    raise InvalidValueError(name, row.cells.get(name, ""), "must not be empty; the template uses it")
                parts.append(str(row.cells[name]))
        return "".join(parts)

    def _placeholders(self) -> list[str]:
        try:
            parts = list(string.Formatter().parse(self.template or ""))
        except ValueError as error:
            raise InvalidValueError("template", self.template, f"{error}; write {{{{ for a brace") from error
        if any(spec or conversion or name == "" for _, name, spec, conversion in parts):
            raise InvalidValueError("template", self.template, "braces hold the name of a column and nothing else")
        return [name for _, name, _, _ in parts if name is not None]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV (`.csv`, `.tsv`) or JSON lines file (`.jsonl`, `.ndjson`). Raises `RequestError`."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".jsonl", ".ndjson"):
        raise InvalidValueError("file", path, "must end in .csv, .tsv, .jsonl or .ndjson")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InvalidValueError("file", path, f"must be at most {MAX_FILE_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidValueError("file", path, error.strerror or "must be a file that can be read") from error
    except UnicodeDecodeError as error:
        raise InvalidValueError("file", path, f"must be UTF-8 text; byte {error.start} is not") from error
    rows = _csv_rows(path.name, text) if kind in (".csv", ".tsv") else _json_rows(path.name, text)
    for row in rows:
        if row.number > MAX_ROWS:
            raise RequestError(f"{path.name}: has more than {MAX_ROWS:,} rows; split it")
        yield row


def _csv_rows(name: str, text: str) -> Iterator[Row]:
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=header.count), strict=True)
    csv.field_size_limit(MAX_CELL_CHARS)
    try:
        columns = [column.strip() for column in next(reader, [])]
        if len(set(columns)) < len(columns):
            raise RequestError(f"{name}: two columns have one name in {', '.join(columns)}")
        number = 0
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            number += 1
            if len(cells) > len(columns):
                raise RequestError(f"{name}, row {number} (line {reader.line_num}): has {len(cells)} cells for {len(columns)} columns")
            yield Row(number, reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=False)))
    except csv.Error as error:
        raise RequestError(f"{name}, line {reader.line_num}: cannot be read as CSV; {error}") from error


def _json_rows(name: str, text: str) -> Iterator[Row]:
    number = 0
    for line_number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        number += 1
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"{name}, row {number} (line {line_number}): cannot be read as JSON") from error
        if not isinstance(cells, dict):
            raise RequestError(f'{name}, row {number} (line {line_number}): must be an object, such as {{"prompt": "…"}}')
        yield Row(number, line_number, cells)


def read_cell(field: str, cell: Any) -> Any:
    """The value of one cell for `field`. Raises `InvalidValueError`."""
    if isinstance(cell, (dict, list, bool)):
        raise InvalidValueError(field, cell, "must be a text or a number")
    if field == "size":
        match = SIZE.fullmatch(str(cell))
        if match is None:
            raise InvalidValueError(field, cell, "must be WIDTHxHEIGHT in pixels, such as 160x96")
        return int(match[1]), int(match[2])
    try:
        if field in INTEGERS:
            return int(cell) if isinstance(cell, str) else _whole(cell)
        return float(cell) if field in NUMBERS else str(cell)
    except ValueError as error:
        raise InvalidValueError(field, cell, f"must be a {'whole ' if field in INTEGERS else ''}number") from error


def is_empty(cell: Any) -> bool:
    """Whether a cell says nothing."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def raise_faults(faults: Sequence[str]) -> None:
    """Raise `RequestError` with a line for each fault, the first `MAX_FAULTS_SHOWN` of them."""
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS_SHOWN} more"] if len(faults) > MAX_FAULTS_SHOWN else []
        raise RequestError("\n".join([*faults[:MAX_FAULTS_SHOWN], *more]))


def _whole(number: float) -> int:
    if number != int(number):
        raise ValueError("not whole")
    return int(number)
