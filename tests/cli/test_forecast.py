"""`cinelet forecast`: a table or JSON on stdout, what to know on stderr, a page with a picture, and one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cinelet.capacity import write_trace
from cinelet.capacity.arrivals import daily
from cinelet.capacity.mix import REFERENCE_MIX, mixed


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Ten days with nights."""
    rng = np.random.default_rng(1)
    write_trace(tmp_path / "trace.csv", mixed(daily(0.02, 10 * 86_400, rng, swing=0.9), REFERENCE_MIX, rng))
    return tmp_path / "trace.csv"


def test_a_trace_becomes_the_next_hours(cinelet, trace: Path) -> None:
    done = cinelet("forecast", str(trace), "--bucket", "1h", "--horizon", "6h")
    assert done.code == 0
    lines = [line.split("\t") for line in done.out.splitlines()]
    assert lines[0][:2] == ["method", "wape"]
    hours = [line for line in lines if line[0].startswith("+")]
    assert [line[0] for line in hours] == [f"+{hour}:00" for hour in range(1, 7)]
    assert all(float(line[2]) >= float(line[1]) >= 0 for line in hours)
    assert "History: 239 buckets of 1 hour" in done.err


def test_json_has_the_documented_shape(cinelet, trace: Path) -> None:
    told = json.loads(cinelet("forecast", str(trace), "--bucket", "3600", "--horizon", "1d", "--json").out)
    assert {"method", "measure", "bucket_s", "quantile", "coverage", "history", "backtest", "forecast"} == set(told)
    assert told["history"]["num_buckets"] == 239
    assert told["forecast"][0].keys() == {"start_s", "end_s", "mean", "upper"}
    assert [bucket["start_s"] for bucket in told["forecast"]] == [239 * 3600.0 + hour * 3600 for hour in range(24)]
    wapes = {score["method"]: score["wape"] for score in told["backtest"]}
    assert wapes[told["method"]] == min(wapes.values())
    assert told["method"] not in ("last", "ewma", "holt"), "a day ahead, a method that knows of days wins"


def test_work_is_forecast_in_seconds(cinelet, trace: Path) -> None:
    told = json.loads(cinelet("forecast", str(trace), "--bucket", "1h", "--work", "--json", "--method", "seasonal").out)
    assert (told["measure"], told["method"]) == ("work", "seasonal")
    assert 40 < told["history"]["total"] / (0.02 * 10 * 86_400) < 110


def test_a_report_is_a_page_a_picture_and_the_numbers(cinelet, trace: Path, tmp_path: Path) -> None:
    done = cinelet("forecast", str(trace), "--bucket", "1h", "--report", "out", "--json")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"forecast.html", "forecast.json", "forecast.png"}
    assert json.loads((tmp_path / "out" / "forecast.json").read_text()) == json.loads(done.out)
    assert (tmp_path / "out" / "forecast.png").read_bytes().startswith(b"\x89PNG")
    assert "out/forecast.html" in done.err


def test_gaps_count_as_zeros_and_are_told(cinelet, tmp_path: Path) -> None:
    rows = "".join(f"{1_790_000_000 + 600 * row},{row % 7}\n" for row in range(300) if row % 50)
    (tmp_path / "series.csv").write_text("at_s,count\n" + rows)
    done = cinelet("forecast", "series.csv", "--horizon", "1h")
    assert "5 buckets had no row and count as 0" in done.err
    assert "2026-09-23 " in done.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--bucket", "0"], "bucket: '0'"),
        (["--bucket", "ten"], "bucket: 'ten'"),
        (["--bucket", "2d", "--horizon", "4d"], "bucket: 172800.0"),
        (["--horizon", "5m"], "horizon: '5m'"),
        (["--horizon", "40d"], "horizon: '40d'"),
        (["--bucket", "1h", "--horizon", "9d"], "history: has 239 buckets; a horizon of 216 needs at least 446"),
        (["--method", "prophet"], "method: 'prophet'"),
        (["--quantile", "1.5"], "quantile: 1.5"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(cinelet, trace: Path, options: list[str], told: str) -> None:
    done = cinelet("forecast", str(trace), *options)
    assert done.code == 2
    assert told in done.err
    assert done.out == ""
    assert done.err.count("\n") == 1
