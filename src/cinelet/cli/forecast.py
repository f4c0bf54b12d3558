"""`cinelet forecast`: the load of the next hours, from a trace or a series of the past."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from cinelet.capacity.charts import check_charts
from cinelet.capacity.forecast import METHODS, Foresight, foresee, read_series
from cinelet.capacity.forecast.report import as_json, backtest_table, forecast_table, told_of, write_forecast_report
from cinelet.capacity.report import ReportTable, cell_text
from cinelet.cli.connection import say
from cinelet.cli.listing import print_rows
from cinelet.errors import InvalidValueError

UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)")
MAX_HORIZON_S = 31 * 86_400.0


def forecast(
    history: Annotated[Path, typer.Argument(help="A load trace (CSV with arrival_s), or a series (CSV with at_s, count[, work_s]).")],
    *,
    bucket: Annotated[str, typer.Option(help="Length of a bucket: seconds, or such as 10m, 1h.")] = "600",
    horizon: Annotated[str, typer.Option(help="How far to look: seconds, or such as 6h, 1d.")] = "6h",
    quantile: Annotated[float, typer.Option(help="Share of outcomes that should stay below the upper line, 0.5 to 0.999.")] = 0.9,
    method: Annotated[str, typer.Option(help=f"auto (the best in the backtest) or {', '.join(METHODS)}.")] = "auto",
    work: Annotated[bool, typer.Option("--work", help="Forecast seconds of work instead of jobs.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a page with plot and tables, PNG and JSON here.")] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how much will come in the next hours, and how sure that is."""
    if report is not None:
        check_charts()
    bucket_s = read_duration("bucket", bucket)
    horizon_s = read_duration("horizon", horizon)
    if not bucket_s <= horizon_s <= MAX_HORIZON_S:
        raise InvalidValueError("horizon", horizon, f"must be one bucket ({bucket_s:g} seconds) to {MAX_HORIZON_S / 86_400:g} days")
    series = read_series(history, bucket_s=bucket_s, measure="work" if work else "count")
    foresight = foresee(series, num_ahead=round(horizon_s / bucket_s), quantile=quantile, method=method)
    say(told_of(foresight))
    if report is not None:
        say(f"report: {write_forecast_report(report, foresight)}")
    _print(foresight, as_json_=as_json_)


def read_duration(what: str, text: str) -> float:
    """Seconds from `600`, `90s`, `10m`, `6h`, `1d`. Raises `InvalidValueError` about `what`."""
    found = DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise InvalidValueError(what, text, "must be seconds above 0, or a number with s, m, h or d, such as 10m")
    return float(found[1]) * UNITS_S[found[2]]


def _print(foresight: Foresight, *, as_json_: bool) -> None:
    if as_json_:
        print(json.dumps(as_json(foresight)))  # noqa: T201 - a result
        return
    for table in (backtest_table(foresight), forecast_table(foresight)):
        _print_table(table)


def _print_table(table: ReportTable) -> None:
    say(f"\n{table.title}")
    print_rows(table.columns, [[cell_text(cell) if isinstance(cell, float) else cell for cell in row] for row in table.rows])
