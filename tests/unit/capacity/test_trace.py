"""Traces: what is written is read back, and every fault is one line with file, row and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinelet.capacity.trace import (
    MAX_ARRIVAL_S,
    MAX_DEADLINE_S,
    MAX_DECODE_SHARE,
    MAX_FRAMES,
    MAX_PIXELS_A_SIDE,
    MAX_SERVICE_S,
    TIERS,
    Arrival,
    read_trace,
    write_trace,
)
from cinelet.errors import RequestError
from cinelet.jobs.job import TIERS as JOB_TIERS
from cinelet.video import MAX_STEPS

HEADER = "arrival_s,tier,model,width,height,num_frames,num_inference_steps,deadline_s,service_s,predicted_s,decode_share,prompt"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.csv"


def fault_in(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(RequestError) as caught:
        read_trace(path)
    assert "\n" not in caught.value.message
    assert path.name in caught.value.message
    return caught.value.message


def seconds(high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(0, high, exclude_min=True)


words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
arrivals = st.builds(
    Arrival,
    arrival_s=st.floats(0, MAX_ARRIVAL_S).map(abs),
    tier=st.sampled_from(TIERS),
    model=st.none() | words,
    width=st.none() | st.integers(1, MAX_PIXELS_A_SIDE),
    height=st.none() | st.integers(1, MAX_PIXELS_A_SIDE),
    num_frames=st.none() | st.integers(1, MAX_FRAMES),
    num_inference_steps=st.none() | st.integers(1, MAX_STEPS),
    deadline_s=seconds(MAX_DEADLINE_S),
    service_s=seconds(MAX_SERVICE_S),
    predicted_s=seconds(MAX_SERVICE_S),
    decode_share=st.none() | st.floats(0, MAX_DECODE_SHARE).map(abs),
    prompt=st.none() | st.lists(words, min_size=1, max_size=4).map('" ,;\n'.join),
)


@given(st.lists(arrivals, min_size=1, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_written_is_read_back_equal(path: Path, trace: list[Arrival]) -> None:
    trace.sort(key=lambda one: one.arrival_s)
    write_trace(path, trace)
    assert read_trace(path) == trace


def test_only_the_arrival_must_be_there_and_columns_stand_in_any_order(path: Path) -> None:
    path.write_text('tier , service_s, arrival_s\n,8.5,0\nvip,,0\n\n ,,\n"free",1e1,2.5\n')
    assert read_trace(path) == [
        Arrival(arrival_s=0.0, service_s=8.5),
        Arrival(arrival_s=0.0, tier="vip"),
        Arrival(arrival_s=2.5, tier="free", service_s=10.0),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_files_of_spreadsheets_are_read(path: Path, separator: str, line_end: str) -> None:
    rows = ["arrival_s,tier,width", "1,vip,832.0"]
    path.write_bytes(b"\xef\xbb\xbf" + line_end.join(rows).replace(",", separator).encode())
    assert read_trace(path) == [Arrival(arrival_s=1.0, tier="vip", width=832)]


def test_tiers_are_those_of_jobs() -> None:
    assert TIERS == JOB_TIERS


@pytest.mark.parametrize("text", ["x", "nan", "inf", "-inf", "-1", "1e12", "1_0", "٣", "1,5", "0x10", "", "--1", "1e400"])
def test_an_arrival_that_is_no_instant_is_told_with_row_and_column(path: Path, text: str) -> None:
    message = fault_in(path, f'tier;arrival_s\nvip;1\nvip;"{text}"\n')
    assert "row 2 (line 3), column arrival_s" in message
    assert "must be a number from 0 to 315,360,000 seconds" in message


@pytest.mark.parametrize(
    ("column", "text", "limit"),
    [
        ("tier", "gold", "must be one of free, standard, vip"),
        ("width", "0", "must be a whole number from 1 to 16,384"),
        ("height", "-480", "must be a whole number from 1 to 16,384"),
        ("width", "8.5", "must be a whole number from 1 to 16,384"),
        ("num_frames", "1e3", "must be a whole number from 1 to 100,000"),
        ("num_frames", "9" * 5000, "must be a whole number from 1 to 100,000"),
        ("num_inference_steps", "1001", "must be a whole number from 1 to 1,000"),
        ("deadline_s", "0", "must be a number above 0 to 2,592,000 seconds"),
        ("deadline_s", "-3", "must be a number above 0 to 2,592,000 seconds"),
        ("service_s", "nan", "must be a number above 0 to 604,800 seconds"),
        ("service_s", "1e9", "must be a number above 0 to 604,800 seconds"),
        ("predicted_s", "-1", "must be a number above 0 to 604,800 seconds"),
        ("decode_share", "1", "must be a number from 0 to 0.99"),
        ("decode_share", "-0.1", "must be a number from 0 to 0.99"),
        ("prompt", "a\0b", "must not contain the NUL character"),
        ("model", "m" * 201, "must be a name of at most 200 printable characters"),
    ],
)
def test_a_bad_cell_is_told_with_its_value_and_what_is_allowed(path: Path, column: str, text: str, limit: str) -> None:
    start = f"arrival_s,{column},prompt\n1,,{'long ' * 1000}\n" if column != "prompt" else f"arrival_s,prompt\n1,{'long ' * 1000}\n"
    message = fault_in(path, start + f"2,{text}" + (",\n" if column != "prompt" else "\n"))
    assert f"row 2 (line 3), column {column}" in message
    assert limit in message


def test_time_never_goes_back(path: Path) -> None:
    message = fault_in(path, "arrival_s\n1\n5.5\n5.25\n")
    assert "row 3 (line 4), column arrival_s: '5.25'" in message
    assert "must not be before the row above, 5.5" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("arrival_s,tier\n", "has a header and no rows"),
        ("arrival_s\n\n  \n", "has a header and no rows"),
        ("tier,model\nvip,a\n", "has no column arrival_s; it has 'tier', 'model'"),
        ("arrival_s,prioritty\n1,2\n", "column: 'prioritty' is not allowed; the columns are arrival_s, tier"),
        ("arrival_s,tier,arrival_s\n1,vip,1\n", "column: 'arrival_s' is not allowed; must be there once"),
        ("arrival_s,tier\n1,vip\n2\n", "row 2 (line 3): has 1 cells for 2 columns"),
        ("arrival_s,tier\n1,vip,3\n", "row 1 (line 2): has 3 cells for 2 columns"),
        ('arrival_s,prompt\n1,"never closed\n', "cannot be read as CSV"),
        ('arrival_s,prompt\n1,"a"b\n', "line 2: cannot be read as CSV"),
        ("arrival_s,prompt\n1," + "a" * 2_000_000 + "\n", "line 2: cannot be read as CSV; field larger"),
        (b"\x00\x01\x02\xff", "must be a CSV file; this is no text"),
        (b"arrival_s\n1\n\xff\xfe\n", "must be UTF-8 text"),
        ("arrival_s\n1\n".encode("utf-16"), "must be"),
    ],
)
def test_a_file_that_is_no_trace_is_one_clear_line(path: Path, content: str | bytes, said: str) -> None:
    assert said in fault_in(path, content)


def test_a_folder_and_a_missing_file_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is a directory"):
        read_trace(tmp_path)
    with pytest.raises(RequestError, match="no such file"):
        read_trace(tmp_path / "missing.csv")


def test_many_identical_arrivals_are_a_trace(path: Path) -> None:
    path.write_text(f"{HEADER}\n" + "7,vip,wan,832,480,81,40,180,60,50,0.1,a red car\n" * 20_000)
    trace = read_trace(path)
    assert len(trace) == 20_000
    assert set(trace) == {trace[0]}


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_bytes_are_read_or_refused_in_one_line(path: Path, content: bytes) -> None:
    path.write_bytes(b"arrival_s,prompt\n" + content)
    try:
        trace = read_trace(path)
    except RequestError as error:
        assert "\n" not in error.message
    else:
        assert trace == sorted(trace, key=lambda one: one.arrival_s)
