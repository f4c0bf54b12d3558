"""A load as what came a bucket, and the files it is read from: a load trace, or a CSV series of `at_s,count[,work_s]`.

Nothing of methods or plots. A bucket for which the file has no row counts as 0, and how many there were is told. A bad file is refused
with one line: file, row, column, what came and what is allowed.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cinelet.capacity.forecast.forecaster import Values
from cinelet.capacity.trace import Arrival, read_trace
from cinelet.errors import InvalidValueError, RequestError, show
from cinelet.video import check_number

Measure = Literal["count", "work"]

DAY_S = 86_400.0
MIN_BUCKET_S, MAX_BUCKET_S = 1.0, DAY_S / 2
"""A day must have at least two buckets to have a shape."""
MAX_BUCKETS = 20_000
"""Twenty weeks of ten minutes; older days tell nothing about tomorrow. A method reads them all a hundred times."""
MAX_AT_S = 1e11
"""Unix seconds fit, milliseconds do not."""
MAX_VALUE = 1e12
COLUMNS = ("at_s", "count", "work_s")


@dataclass(frozen=True, kw_only=True)
class Series:
    """What came in each `bucket_s` seconds from `start_s` on: jobs (`count`) or seconds of work. `num_missing` buckets had no row."""

    start_s: float
    bucket_s: float
    values: Values
    measure: Measure = "count"
    num_missing: int = 0

    @property
    def end_s(self) -> float:
        """Where the last bucket ends."""
        return self.start_s + len(self.values) * self.bucket_s


def read_series(path: Path, *, bucket_s: float, measure: Measure = "count") -> Series:
    """The series of a file: a trace where its header has `arrival_s`, else a CSV series. Raises `RequestError`."""
    check_number("bucket", bucket_s, MIN_BUCKET_S, MAX_BUCKET_S)
    if "at_s" in (columns := _header(path)):
        at_s, values = _read_rows(path, columns, measure)
        return _of_rows(path.name, at_s, values, bucket_s, measure)
    return series_of(read_trace(path), bucket_s=bucket_s, measure=measure)


def series_of(arrivals: Sequence[Arrival], *, bucket_s: float, measure: Measure = "count") -> Series:
    """A trace's arrivals a bucket. The last bucket, where the trace breaks off, is left out. Raises `RequestError`."""
    at_s = np.array([arrival.arrival_s for arrival in arrivals])
    if measure == "work" and any(arrival.service_s is None for arrival in arrivals):
        raise RequestError("work: needs service_s in every row of the trace; without --work, arrivals are counted")
    weights = np.array([arrival.service_s or 0.0 for arrival in arrivals]) if measure == "work" else np.ones(len(at_s))
    num = int(at_s[-1] // bucket_s) if len(at_s) else 0
    _check_size("the trace", num, bucket_s)
    return Series(start_s=0.0, bucket_s=bucket_s, values=_binned(at_s, weights, 0.0, bucket_s, num), measure=measure)


def _of_rows(name: str, at_s: Values, values: Values, bucket_s: float, measure: Measure) -> Series:
    """Rows summed into buckets; each row stands for the time up to the next step."""
    step_s = float(np.diff(at_s).min()) if len(at_s) > 1 else bucket_s
    per_bucket = bucket_s / step_s
    if per_bucket < 0.999 or abs(per_bucket - round(per_bucket)) > 1e-6 * per_bucket:
        raise InvalidValueError("bucket", bucket_s, f"must be a multiple of the {step_s:g} seconds between the rows of {name}")
    num = int((at_s[-1] + step_s - at_s[0]) / bucket_s + 1e-9)
    _check_size(name, num, bucket_s)
    start_s = float(at_s[0])
    present = _binned(at_s, np.ones(len(at_s)), start_s, bucket_s, num)
    binned = _binned(at_s, values, start_s, bucket_s, num)
    return Series(start_s=start_s, bucket_s=bucket_s, values=binned, measure=measure, num_missing=int((present == 0).sum()))


def _binned(at_s: Values, weights: Values, start_s: float, bucket_s: float, num: int) -> Values:
    places = ((at_s - start_s) / bucket_s + 1e-9).astype(np.int64)
    is_in = places < num
    return np.bincount(places[is_in], weights=weights[is_in], minlength=num).astype(np.float64)


def _check_size(name: str, num: int, bucket_s: float) -> None:
    if num > MAX_BUCKETS:
        least_s = num * bucket_s / MAX_BUCKETS
        raise InvalidValueError(
            "bucket", bucket_s, f"makes {num:,} buckets of {name}; {MAX_BUCKETS:,} at most, so at least {least_s:.0f} s"
        )
    if num < 1:
        raise RequestError(f"history: {name} is shorter than one bucket of {bucket_s:g} seconds")


def _header(path: Path) -> list[str]:
    """The names in the first line, or none where there is no such file: reading it as a trace tells what is wrong."""
    try:
        with path.open("rb") as file:
            line = file.readline(1 << 16)
        return [name.strip() for name in line.decode("utf-8-sig").split(",")]
    except (OSError, UnicodeDecodeError):
        return []


def _read_rows(path: Path, columns: list[str], measure: Measure) -> tuple[Values, Values]:
    """Instants and values, ascending."""
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise InvalidValueError(f"{path.name}, line 1, column", unknown[0], f"the columns of a series are {', '.join(COLUMNS)}")
    wanted = "work_s" if measure == "work" else "count"
    if wanted not in columns or len(set(columns)) < len(columns):
        raise RequestError(f"{path.name}, line 1: must have at_s and {wanted}, each once; it has {', '.join(map(show, columns))}")
    at, value = columns.index("at_s"), columns.index(wanted)
    rows: list[tuple[float, float]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            next(lines)
            for cells in lines:
                if not any(map(str.strip, cells)):
                    continue
                place = f"{path.name}, row {len(rows) + 1} (line {lines.line_num})"
                if len(cells) != len(columns):
                    raise RequestError(f"{place}: has {len(cells)} cells for {len(columns)} columns")
                row = (_number(f"{place}, column at_s", cells[at], MAX_AT_S), _number(f"{place}, column {wanted}", cells[value], MAX_VALUE))
                if rows and row[0] <= rows[-1][0]:
                    raise InvalidValueError(f"{place}, column at_s", cells[at], f"must be after the row above, {rows[-1][0]:.12g}")
                rows.append(row)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise RequestError(f"{path.name}: cannot be read as CSV in UTF-8; {error}") from error
    if not rows:
        raise RequestError(f"{path.name}: has a header and no rows")
    table: NDArray[np.float64] = np.array(rows)
    return table[:, 0], table[:, 1]


def _number(place: str, text: str, high: float) -> float:
    """A number from 0 to `high`."""
    try:
        value = float(text)
    except ValueError as error:
        raise InvalidValueError(place, text, f"must be a number from 0 to {high:g}") from error
    if not 0 <= value <= high:
        raise InvalidValueError(place, text, f"must be a number from 0 to {high:g}")
    return value
