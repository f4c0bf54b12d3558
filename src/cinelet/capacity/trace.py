"""Load as a list of arrivals, and the CSV file it is kept in. Nothing of services, schedulers or plots.

A trace is what `cinelet load` sends and what the simulator plays. Only the column `arrival_s` must be there; columns stand in any
order, and an empty cell leaves the choice to whoever plays the trace. A bad file is refused with one line: file, row, column, what
came and what is allowed.
"""

from __future__ import annotations

import csv
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal, TextIO

from cinelet.draft import Draft
from cinelet.errors import InvalidValueError, RequestError, show
from cinelet.video import MAX_STEPS, check_text

Tier = Literal["free", "standard", "vip"]
TIERS: tuple[Tier, ...] = ("free", "standard", "vip")

DAY_S = 86_400.0
MAX_ARRIVAL_S = 3650 * DAY_S
"""Ten years. An instant counts from the start of the trace; a unix time would be beyond it."""
MAX_DEADLINE_S = 30 * DAY_S
MAX_SERVICE_S = 7 * DAY_S
"""Bounds against slips (milliseconds for seconds), far above any clip."""
MAX_DECODE_SHARE = 0.99
MAX_PIXELS_A_SIDE = 16_384
MAX_FRAMES = 100_000
MAX_MODEL_CHARS = 200
MAX_ROWS = 10_000_000
"""About 2 GB in memory; more belongs into several traces."""
MAX_CELL_CHARS = 1 << 17
SEPARATORS = (",", ";", "\t")
"""A spreadsheet writes the one of its language; the first line shows which."""
MAX_REMEMBERED = 4096
"""How many different cells of a column are read once and looked up afterwards: shapes and tiers repeat, instants do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request of a load: when it comes and what it asks for; None is "as the service likes it".

    `arrival_s` counts from the start of the trace, `deadline_s` from the arrival; `service_s` are the seconds it takes alone on a free
    device, where that is known, `predicted_s` those that the scheduler expects, where it is wrong; `decode_share` of its work comes
    after the last step. `read_trace` checks the values.
    """

    arrival_s: float
    tier: Tier = "standard"
    model: str | None = None
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    num_inference_steps: int | None = None
    deadline_s: float | None = None
    service_s: float | None = None
    predicted_s: float | None = None
    decode_share: float | None = None
    prompt: str | None = None


Reader = Callable[[str], Any]
COLUMNS = tuple(Arrival.__dataclass_fields__)


def read_trace(path: Path) -> list[Arrival]:
    """The arrivals of a CSV file, in its order. Raises `RequestError` with one line about the first fault."""
    with _text_of(path) as file, _without_collector():
        try:
            arrivals = list(_arrivals(path.name, file))
        except UnicodeDecodeError as error:
            raise InvalidValueError("trace", path, f"must be UTF-8 text; {error.reason} in it") from error
    if not arrivals:
        raise RequestError(f"{path.name}: has a header and no rows; a trace has one row an arrival")
    return arrivals


def write_trace(path: Path, arrivals: Iterable[Arrival]) -> None:
    """Write a trace that `read_trace` reads back equal. The file appears whole or not at all; raises what `Draft` raises."""
    with Draft(path) as draft, draft.path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(getattr(arrival, name)) for name in COLUMNS] for arrival in arrivals)


def _arrivals(name: str, file: TextIO) -> Iterator[Arrival]:
    header = file.readline(MAX_CELL_CHARS)
    separator = max(SEPARATORS, key=header.count)
    csv.field_size_limit(MAX_CELL_CHARS)
    rows = csv.reader(file, delimiter=separator, strict=True)
    columns = _columns(name, header, separator)
    readers = [READERS[column] for column in columns]
    where_arrival = columns.index("arrival_s")
    remembered: list[dict[str, Any]] = [{} for _ in columns]
    number, line, last_s = 0, 1, 0.0
    try:
        for cells in rows:
            line = 1 + rows.line_num
            if not any(map(str.strip, cells)):
                continue
            number += 1
            if len(cells) != len(columns):
                raise RequestError(f"{_place(name, number, line)}: has {len(cells)} cells for {len(columns)} columns")
            if number > MAX_ROWS:
                raise RequestError(f"{name}: has more than {MAX_ROWS:,} rows; split it")
            values: dict[str, Any] = {}
            for column, cell, read, known in zip(columns, cells, readers, remembered, strict=True):
                try:
                    values[column] = known[cell] if cell in known else _remember(known, cell, read)
                except ValueError as error:
                    raise InvalidValueError(f"{_place(name, number, line)}, column {column}", cell, str(error)) from error
            if values["arrival_s"] < last_s:
                limit = f"must not be before the row above, {last_s:.12g}; sort the rows by arrival_s"
                raise InvalidValueError(f"{_place(name, number, line)}, column arrival_s", cells[where_arrival], limit)
            last_s = values["arrival_s"]
            yield Arrival(**values)
    except csv.Error as error:
        raise RequestError(f"{name}, line {1 + rows.line_num}: cannot be read as CSV; {error}") from error


def _columns(name: str, header: str, separator: str) -> Sequence[str]:
    if not header.strip():
        raise RequestError(f"{name}: is empty; a trace has a header with arrival_s and one row an arrival")
    try:
        columns = [column.strip() for column in next(csv.reader([header], delimiter=separator, strict=True))]
    except csv.Error as error:
        raise RequestError(f"{name}, line 1: cannot be read as CSV; {error}") from error
    for column in columns:
        if column not in READERS:
            raise InvalidValueError(f"{name}, line 1, column", column, f"the columns are {', '.join(COLUMNS)}")
        if columns.count(column) > 1:
            raise InvalidValueError(f"{name}, line 1, column", column, "must be there once")
    if "arrival_s" not in columns:
        raise RequestError(f"{name}, line 1: has no column arrival_s; it has {', '.join(map(show, columns))}")
    return columns


@contextmanager
def _text_of(path: Path) -> Iterator[TextIO]:
    try:
        with path.open("rb") as file:
            if b"\0" in file.peek(1 << 12):
                raise InvalidValueError("trace", path, "must be a CSV file; this is no text")
            with TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                yield text
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise InvalidValueError("trace", path, f"must be a CSV file that can be read; {reason}") from error


@contextmanager
def _without_collector() -> Iterator[None]:
    """Building a million objects that hold no cycle: the collector would look through them again and again, and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _remember(known: dict[str, Any], cell: str, read: Reader) -> Any:
    value = read(cell.strip())
    if len(known) < MAX_REMEMBERED:
        known[cell] = value
    return value


def _number(low: float, high: float, *, unit: str = " seconds", is_optional: bool = True, is_low_allowed: bool = False) -> Reader:
    limit = f"must be a number {'from' if is_low_allowed else 'above'} {low:g} to {high:,.12g}{unit}"

    def read(text: str) -> float | None:
        if not text and is_optional:
            return None
        try:
            number = float(text) if text.isascii() and "_" not in text else None
        except ValueError:
            number = None
        # the comparison is false for nan and, by `high`, for infinity
        if number is None or not (low < number <= high or (is_low_allowed and number == low)):
            raise ValueError(limit)
        return number + 0.0  # -0.0 becomes 0.0

    return read


def _whole(high: int) -> Reader:
    limit = f"must be a whole number from 1 to {high:,}"

    def read(text: str) -> int | None:
        if not text:
            return None
        digits = text.removesuffix(".0")  # a table program writes a column with gaps so
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and 1 <= int(digits) <= high):
            raise ValueError(limit)
        return int(digits)

    return read


def _tier(text: str) -> str:
    if text and text not in TIERS:
        raise ValueError(f"must be one of {', '.join(TIERS)}")
    return text or "standard"


def _model(text: str) -> str | None:
    if len(text) > MAX_MODEL_CHARS or not text.isprintable():
        raise ValueError(f"must be a name of at most {MAX_MODEL_CHARS} printable characters")
    return text or None


def _prompt(text: str) -> str | None:
    if not text:
        return None
    try:
        check_text("prompt", text, allow_empty=False)
    except InvalidValueError as error:
        raise ValueError(error.limit) from error
    return text


READERS: dict[str, Reader] = {
    "arrival_s": _number(0.0, MAX_ARRIVAL_S, is_optional=False, is_low_allowed=True),
    "tier": _tier,
    "model": _model,
    "width": _whole(MAX_PIXELS_A_SIDE),
    "height": _whole(MAX_PIXELS_A_SIDE),
    "num_frames": _whole(MAX_FRAMES),
    "num_inference_steps": _whole(MAX_STEPS),
    "deadline_s": _number(0.0, MAX_DEADLINE_S),
    "service_s": _number(0.0, MAX_SERVICE_S),
    "predicted_s": _number(0.0, MAX_SERVICE_S),
    "decode_share": _number(0.0, MAX_DECODE_SHARE, unit="", is_low_allowed=True),
    "prompt": _prompt,
}
"""Column → what reads a cell of it; a `ValueError` says what is allowed."""


def _cell(value: object) -> object:
    return "" if value is None else repr(float(value)) if isinstance(value, float) else value


def _place(name: str, number: int, line: int) -> str:
    return f"{name}, row {number} (line {line})"
