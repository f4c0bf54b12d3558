"""What a forecast looks like: as JSON, as tables, and as a page with its picture. Nothing of how it was made."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from cinelet.capacity.charts import BLUE, GREY, ORANGE, Chart
from cinelet.capacity.forecast.backtest import Score
from cinelet.capacity.forecast.foresight import Foresight
from cinelet.capacity.report import ReportFigure, ReportTable, write_report

NAME = "forecast"
SHOWN_BEFORE = 3
"""The picture shows three horizons of history, and two days at least: enough to see the shape that goes on."""
UNIX_FROM_S = 1e8
"""Instants from here on are dates (1973), below they count from the start of a trace."""
BACKTEST_COLUMNS = ("method", "wape", "first bucket", "last bucket", "below what came", "note")


def as_json(foresight: Foresight) -> dict[str, Any]:
    """Everything, documented in docs/guides/forecasting.md."""
    series = foresight.series
    return {
        "method": foresight.method,
        "measure": series.measure,
        "bucket_s": series.bucket_s,
        "quantile": foresight.quantile,
        "coverage": round(foresight.coverage, 4),
        "history": {
            "start_s": series.start_s,
            "end_s": series.end_s,
            "num_buckets": len(series.values),
            "num_missing": series.num_missing,
            "total": round(float(series.values.sum()), 3),
        },
        "backtest": [_score_json(score) for score in foresight.scores],
        "forecast": [_bucket_json(foresight, place) for place in range(len(foresight.mean))],
    }


def backtest_table(foresight: Foresight) -> ReportTable:
    """Which method would have been how good, the best first."""
    scores = sorted(foresight.scores, key=lambda score: (score.wape is None, score.wape))
    rows = [
        (score.method, score.wape, score.wape_first, score.wape_last, score.under_share, score.note or _chosen(score, foresight))
        for score in scores
    ]
    note = "WAPE: absolute errors over what came, 0 is exact; over the whole horizon, and for its first and last bucket."
    return ReportTable(title="Backtest on held-out days", columns=BACKTEST_COLUMNS, rows=rows, note=note)


def forecast_table(foresight: Foresight) -> ReportTable:
    """The next buckets: when each ends, the mean, and the upper quantile."""
    what = "jobs" if foresight.series.measure == "count" else "seconds of work"
    columns = ("until", f"{what}, mean", f"{what}, {foresight.quantile:.0%} stay below")
    rows = [
        (moment(foresight.series.end_s, end_s), mean, upper)
        for end_s, mean, upper in zip(foresight.ends_s.tolist(), foresight.mean.tolist(), foresight.upper.tolist(), strict=True)
    ]
    return ReportTable(title=f"The next {_span(float(foresight.ends_s[-1]))}, by {foresight.method}", columns=columns, rows=rows)


def write_forecast_report(folder: Path, foresight: Foresight) -> Path:
    """`forecast.json`, `.png` and `.html` in `folder`; gives the page's path."""
    note = "The past as steps, what is forecast as a line, and up to the upper quantile as a band."
    figure = ReportFigure(name=NAME, title="History and forecast", png=picture(foresight), note=note)
    return write_report(
        folder,
        NAME,
        title="Load forecast",
        data=as_json(foresight),
        tables=(backtest_table(foresight), forecast_table(foresight)),
        figures=(figure,),
        notes=(told_of(foresight),),
    )


def picture(foresight: Foresight) -> bytes:
    """History, mean and band, as a PNG."""
    series = foresight.series
    what = "jobs" if series.measure == "count" else "device-seconds"
    chart = Chart("History and forecast", x="hours from now", y=f"{what} in {_span(series.bucket_s)}")
    num_shown = max(SHOWN_BEFORE * len(foresight.mean), round(2 * 86_400 / series.bucket_s))
    shown = series.values[-num_shown:]
    past_h = (np.arange(len(shown) + 1) - len(shown)) * series.bucket_s / 3600
    ahead_h = np.concatenate([[0.0], foresight.ends_s]) / 3600
    chart.steps(past_h, np.append(shown, shown[-1]), "came", GREY, filled=True)
    steps_h = np.repeat(ahead_h, 2)[1:-1]  # a bucket's mean holds for the whole bucket
    mean, upper = np.repeat(foresight.mean, 2), np.repeat(foresight.upper, 2)
    chart.band(steps_h, mean, upper, f"{foresight.quantile:.0%} stay below", ORANGE)
    chart.line(steps_h, mean, f"forecast ({foresight.method})", BLUE)
    chart.moment(0.0)
    return chart.png()


def told_of(foresight: Foresight) -> str:
    """What to know of the history and of the band, in a sentence or two."""
    series = foresight.series
    span = _span(len(series.values) * series.bucket_s)
    text = f"History: {len(series.values):,} buckets of {_span(series.bucket_s)}, {span} in all."
    if series.num_missing:
        text += f" {series.num_missing:,} buckets had no row and count as 0."
    return f"{text} Of held-out buckets {foresight.coverage:.0%} stayed below such a band (meant: {foresight.quantile:.0%})."


def moment(end_s: float, ahead_s: float) -> str:
    """An instant of the future: a date where the history has dates, else the time from the end of the history."""
    if end_s >= UNIX_FROM_S:
        return datetime.fromtimestamp(end_s + ahead_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    minutes, seconds = divmod(round(ahead_s), 60)
    return f"+{minutes // 60}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")


def _score_json(score: Score) -> dict[str, Any]:
    numbers = {"wape": score.wape, "wape_first": score.wape_first, "wape_last": score.wape_last, "under_share": score.under_share}
    told = {name: None if value is None or not isfinite(value) else round(value, 4) for name, value in numbers.items()}
    return {"method": score.method, **told, "num_forecasts": 0 if score.misses is None else len(score.misses), "note": score.note}


def _bucket_json(foresight: Foresight, place: int) -> dict[str, float]:
    start_s = foresight.series.end_s + place * foresight.series.bucket_s
    mean, upper = float(foresight.mean[place]), float(foresight.upper[place])
    return {"start_s": start_s, "end_s": start_s + foresight.series.bucket_s, "mean": round(mean, 4), "upper": round(upper, 4)}


def _chosen(score: Score, foresight: Foresight) -> str:
    return "chosen" if score.method == foresight.method else ""


def _span(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit or seconds == unit:
            return f"{seconds / unit:.3g} {name if seconds != unit else name[:-1]}"
    return f"{seconds:g} seconds"
