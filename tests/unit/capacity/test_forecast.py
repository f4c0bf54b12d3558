"""Every method keeps one contract; the backtest ranks them as it should; a history is read, or refused with one clear line."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cinelet.capacity import Arrival, write_trace
from cinelet.capacity.forecast import AUTO, METHODS, Series, backtest, foresee, make, read_series, series_of
from cinelet.capacity.forecast.backtest import wape
from cinelet.capacity.forecast.forecaster import Values
from cinelet.capacity.forecast.methods import num_needed
from cinelet.errors import InvalidValueError, RequestError

DAY = 24
every_method = pytest.mark.parametrize("name", METHODS)
every_quick_method = pytest.mark.parametrize("name", AUTO)


@pytest.fixture
def _short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract holds for a network that learnt little, too."""
    monkeypatch.setattr("cinelet.capacity.forecast.lstm.NUM_UPDATES", 10)


short_training = pytest.mark.usefixtures("_short_training")


def fitted(name: str, history: Values, num_ahead: int, period: int = DAY):
    forecaster = make(name, period)
    forecaster.fit(history, num_ahead)
    return forecaster


def bursty_days(seed: int, num_days: int = 21) -> Values:
    """Days with one peak, and bursts: counts an hour with an index of dispersion of about 8 and a little memory from hour to hour."""
    rng = np.random.default_rng(seed)
    hours = np.arange(num_days * DAY)
    rate = 40 * (1 - 0.8 * np.cos(2 * np.pi * hours / DAY))
    noise = np.convolve(rng.normal(size=len(hours) + 1), [0.9, 0.3], "valid")
    return rng.poisson(rate * np.exp(0.45 * noise - 0.1)).astype(float)


@short_training
@every_method
def test_a_constant_load_stays_what_it_is(name: str) -> None:
    history = np.full(5 * DAY, 7.0)
    assert fitted(name, history, 30).forecast(history, 30) == pytest.approx(np.full(30, 7.0))


@short_training
@every_method
def test_no_load_stays_no_load(name: str) -> None:
    history = np.zeros(5 * DAY)
    assert fitted(name, history, 8).forecast(history, 8) == pytest.approx(np.zeros(8))


@short_training
@every_method
def test_equal_histories_give_equal_forecasts(name: str) -> None:
    history = bursty_days(1, 5)
    first, second = (fitted(name, history, 12).forecast(history, 12) for _ in range(2))
    assert (first == second).all()


@short_training
@every_method
def test_one_fit_forecasts_from_later_histories_and_changes_nothing(name: str) -> None:
    history = bursty_days(2, 6)
    before = history.copy()
    forecaster = fitted(name, history[: 5 * DAY], 6)
    early = forecaster.forecast(history[: 5 * DAY], 6)
    for end in range(5 * DAY, 6 * DAY, 7):
        assert forecaster.forecast(history[:end], 6).shape == (6,)
    assert (forecaster.forecast(history[: 5 * DAY], 6) == early).all()
    assert (history == before).all()


@every_quick_method
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_forecasts_are_finite_never_negative_and_as_long_as_asked(name: str, data: st.DataObject) -> None:
    period, num_ahead = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 30))
    least = num_needed(name, period, num_ahead)
    values = data.draw(st.lists(st.floats(0, 1e9) | st.just(0.0), min_size=least, max_size=least + 20))
    history = np.array(values)
    forecast = fitted(name, history, num_ahead, period).forecast(history, num_ahead)
    assert forecast.shape == (num_ahead,)
    assert np.isfinite(forecast).all()
    assert (forecast >= 0).all()


@short_training
def test_the_network_keeps_that_too() -> None:
    for history in (bursty_days(3, 4), np.r_[np.zeros(4 * DAY), 1e6, np.zeros(DAY)]):
        forecast = fitted("lstm", history, 30).forecast(history, 30)
        assert forecast.shape == (30,)
        assert np.isfinite(forecast).all()
        assert (forecast >= 0).all()


@pytest.mark.parametrize(("name", "most"), [("seasonal", 0.01), ("holt-winters", 0.01), ("ridge", 0.03), ("lstm", 0.15)])
def test_a_daily_wave_is_learnt_by_those_that_know_of_days(name: str, most: float) -> None:
    hours = np.arange(15 * DAY)
    wave = 50 + 40 * np.sin(2 * np.pi * hours / DAY)
    history, came = wave[: 14 * DAY], wave[14 * DAY :]
    forecast = fitted(name, history, DAY).forecast(history, DAY)
    assert wape(came - forecast, came) < most
    last = make("last", DAY).forecast(history, DAY)
    assert wape(came - last, came) > 0.4


def test_yesterdays_peak_is_expected_at_its_hour_today() -> None:
    """A spike at nine is no wave: only what came at that hour yesterday tells of it."""
    spikes = np.where(np.arange(15 * DAY) % DAY == 9, 100.0, 1.0)
    history, came = spikes[: 14 * DAY], spikes[14 * DAY :]
    assert np.argmax(fitted("ridge", history, DAY).forecast(history, DAY)) == 9
    assert wape(came - fitted("ridge", history, DAY).forecast(history, DAY), came) < 0.2


@short_training
def test_the_networks_chance_is_its_own() -> None:
    torch = pytest.importorskip("torch")
    history = bursty_days(1, 5)
    forecasts = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        drawn = torch.random.get_rng_state()
        forecasts.append(fitted("lstm", history, 3).forecast(history, 3))
        assert (torch.random.get_rng_state() == drawn).all()
    assert (forecasts[0] == forecasts[1]).all()


def test_a_trend_is_followed_by_holt_and_fades() -> None:
    history = np.arange(60.0)
    forecast = fitted("holt", history, 200).forecast(history, 200)
    assert forecast[0] > 59
    assert (np.diff(forecast) >= 0).all()
    assert forecast[-1] < 80


def test_an_hour_ahead_ridge_and_holt_winters_beat_the_last_value_on_bursty_days() -> None:
    """As on a real bursty trace (last value .58, Holt-Winters .52, ridge .49): over four seeds, and ridge on each of them."""
    tables = [{score.method: score.wape for score in backtest(bursty_days(seed), AUTO, period=DAY, num_ahead=1)} for seed in range(4)]
    mean = {name: np.mean([table[name] for table in tables]) for name in AUTO}
    assert all(table["ridge"] < table["last"] for table in tables)
    assert mean["ridge"] < 0.9 * mean["last"]
    assert mean["holt-winters"] < mean["last"]
    assert mean["ridge"] < mean["seasonal"]


def test_the_backtest_never_looks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that notes what it is shown: fitted before the held-out days, and each forecast from what had come by then."""
    values = np.arange(1.0, 10 * DAY + 1)
    shown: list[tuple[str, int]] = []

    class Noting:
        def fit(self, history: Values, num_ahead: int) -> None:
            shown.append(("fit", len(history)))

        def forecast(self, history: Values, num_ahead: int) -> Values:
            shown.append(("forecast", len(history)))
            return values[len(history) : len(history) + num_ahead]

    monkeypatch.setitem(METHODS, "last", lambda _: Noting())
    (score,) = backtest(values, ("last",), period=DAY, num_ahead=5)
    assert score.wape == 0.0
    assert shown[0] == ("fit", 7 * DAY)
    assert min(length for verb, length in shown if verb == "forecast") >= 7 * DAY
    assert max(length for _, length in shown) <= len(values) - 5
    assert score.misses is not None
    assert score.misses.shape == (sum(verb == "forecast" for verb, _ in shown), 5)


def test_methods_that_need_more_days_say_so_and_the_others_are_scored() -> None:
    scores = {score.method: score for score in backtest(bursty_days(1, 2), AUTO, period=DAY, num_ahead=3)}
    assert scores["ridge"].wape is None
    assert scores["ridge"].note == "needs 72 buckets before the held-out ones; there are 34"
    assert scores["ewma"].wape is not None


def test_auto_takes_the_best_of_the_backtest_and_a_name_is_obeyed() -> None:
    series = Series(start_s=0.0, bucket_s=3600.0, values=bursty_days(4))
    foresight = foresee(series, num_ahead=6)
    best = min((score for score in foresight.scores if score.wape is not None), key=lambda score: score.wape)
    assert foresight.method == best.method != "last"
    assert foresee(series, num_ahead=6, method="last").method == "last"


def test_the_band_is_above_the_mean_and_holds_about_as_often_as_meant() -> None:
    shares = []
    for seed in range(2):
        foresight = foresee(Series(start_s=0.0, bucket_s=3600.0, values=bursty_days(seed)), num_ahead=2, quantile=0.9)
        assert (foresight.upper >= foresight.mean).all()
        shares.append(foresight.coverage)
    assert 0.82 < np.mean(shares) < 0.97


def test_a_higher_quantile_is_never_a_lower_line() -> None:
    series = Series(start_s=0.0, bucket_s=3600.0, values=bursty_days(5, 8))
    low, high = (foresee(series, num_ahead=3, quantile=quantile, method="ewma").upper for quantile in (0.6, 0.95))
    assert (high >= low).all()


def test_too_short_a_history_says_how_much_is_needed() -> None:
    with pytest.raises(RequestError, match="has 20 buckets; a horizon of 6 needs at least 26"):
        foresee(Series(start_s=0.0, bucket_s=3600.0, values=np.ones(20)), num_ahead=6)
    foresee(Series(start_s=0.0, bucket_s=3600.0, values=np.ones(26)), num_ahead=6)
    with pytest.raises(InvalidValueError, match="needs 72 buckets before the held-out ones"):
        foresee(Series(start_s=0.0, bucket_s=3600.0, values=np.ones(40)), num_ahead=3, method="ridge")


@pytest.mark.parametrize(
    "change", [{"method": "prophet"}, {"quantile": 0.2}, {"quantile": math.nan}, {"num_ahead": 0}, {"num_ahead": 10_000}]
)
def test_what_cannot_be_forecast_is_refused(change: dict) -> None:
    with pytest.raises(InvalidValueError):
        foresee(Series(start_s=0.0, bucket_s=3600.0, values=np.ones(100)), **{"num_ahead": 3, **change})


def test_the_network_is_left_out_of_auto_and_names_its_extra_where_torch_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "lstm" not in AUTO
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RequestError, match=r"cinelet\[lstm\]"):
        make("lstm", DAY)
    make("ridge", DAY)


def test_wape_of_nothing_is_exact_or_infinite() -> None:
    nothing = np.zeros((1, 2))
    assert wape(nothing, nothing) == 0.0
    assert wape(nothing + 1, nothing) == math.inf
    assert wape(np.array([[1.0, -1.0]]), np.array([[2.0, 2.0]])) == 0.5


def trace(*instants: float, service_s: float | None = None) -> list[Arrival]:
    return [Arrival(arrival_s=at, service_s=service_s) for at in instants]


def test_a_trace_is_counted_in_whole_buckets() -> None:
    series = series_of(trace(0, 1, 9.99, 10, 35, 42), bucket_s=10)
    assert series.values.tolist() == [3, 1, 0, 1]
    assert (series.end_s, series.num_missing) == (40.0, 0)


def test_work_is_summed_where_every_row_has_it() -> None:
    arrivals = trace(0, 5, 21, service_s=2.5)
    assert series_of(arrivals, bucket_s=10, measure="work").values.tolist() == [5.0, 0.0]
    with pytest.raises(RequestError, match="service_s in every row"):
        series_of([*arrivals, replace(arrivals[-1], service_s=None)], bucket_s=10, measure="work")


def test_a_trace_file_is_known_by_its_header(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.csv", trace(0, 700, 1300))
    assert read_series(tmp_path / "trace.csv", bucket_s=600).values.tolist() == [1, 1]


def test_a_series_is_summed_into_buckets_and_gaps_are_told(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("at_s,count,work_s\n1000,1,10\n1300,2,20\n1600,3,30\n2800,4,40\n3100,5,50\n")
    series = read_series(path, bucket_s=600)
    assert series.values.tolist() == [3, 3, 0, 9]
    assert (series.start_s, series.num_missing) == (1000.0, 1)
    assert read_series(path, bucket_s=300, measure="work").values.tolist() == [10, 20, 30, 0, 0, 0, 40, 50]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("at_s,count\n0,1\n600,x\n", "row 2 (line 3), column count: 'x'"),
        ("at_s,count\n0,1\n600,-1\n", "column count: '-1'"),
        ("at_s,count\n0,1\n600,nan\n", "column count: 'nan'"),
        ("at_s,count\n0,1\n600,1e300\n", "column count: '1e300'"),
        ("at_s,count\n600,1\n600,1\n", "must be after the row above, 600"),
        ("at_s,count\n0,1\n600\n", "has 1 cells for 2 columns"),
        ("at_s,amount\n0,1\n", "the columns of a series are at_s, count, work_s"),
        ("at_s,work_s\n0,1\n", "must have at_s and count"),
        ("at_s,count,count\n0,1,1\n", "each once"),
        ("at_s,count\n", "has a header and no rows"),
        ("at_s,count\n0,1\n900,1\n1800,1\n", "must be a multiple of the 900 seconds"),
        ("at_s,count\n0,1\n600,1\n90000000000,1\n", "20,000 at most"),
        ("", "is empty"),
        ("when,what\n1,2\n", "'when'"),
        ("at_s,count\n0,\xff\n", "column count"),
    ],
)
def test_a_bad_series_is_refused_with_one_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError) as refused:
        read_series(path, bucket_s=600)
    assert told in refused.value.message
    assert "series.csv" in refused.value.message
    assert "\n" not in refused.value.message


def test_what_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half.csv").write_bytes(b"at_s,count\n0,1\n\xff\xfe,2\n")
    for name in ("half.csv", "missing.csv", "."):
        with pytest.raises(RequestError):
            read_series(tmp_path / name, bucket_s=600)


@pytest.mark.parametrize("bucket_s", [0.0, -1.0, math.nan, 90_000.0])
def test_a_bucket_that_makes_no_day_is_refused(bucket_s: float, tmp_path: Path) -> None:
    write_trace(tmp_path / "trace.csv", trace(0, 700))
    with pytest.raises(InvalidValueError):
        read_series(tmp_path / "trace.csv", bucket_s=bucket_s)
