"""`cinelet load` on real servers: what it says of a service that stalls, refuses, breaks or works, and a real `cinelet serve`."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cinelet.capacity import Arrival, even, mixed, write_trace
from cinelet.capacity.load import Endpoint, Probe, Wishes, summarise
from cinelet.capacity.mix import Mix
from tests.support.service import running_service
from tests.support.stub_videos import StubVideos, stub_videos

STALL_S = 2.0
SETTINGS = {"url": "", "arrivals": "", "started_at": ""}
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs are born deaf to it
    "from cinelet.cli import main; main()"
)


@pytest.fixture
def stub() -> Iterator[StubVideos]:
    with stub_videos() as stub:
        yield stub


def start(*args: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", START, "load", *map(str, args)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CINELET_")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def load(*args: str | Path, code: int = 0) -> tuple[str, str]:
    with start(*args) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    return out, err


async def probed(stub: StubVideos, rate: float, seconds: float, *, max_in_flight: int = 1000, **options: Any) -> Probe:
    arrivals = mixed(even(rate, seconds), Mix(), np.random.default_rng(1))
    async with Endpoint(f"{stub.url}/v1", lambda _: None, max_submissions=512) as endpoint:
        probe = Probe(endpoint, Wishes(), max_in_flight=max_in_flight, **{"timeout_s": 30.0, **options})
        await probe.run(arrivals)
    return probe


def summed(probe: Probe) -> dict[str, Any]:
    return summarise(probe.samples, num_planned=len(probe.samples), duration_s=probe.now_s, settings=SETTINGS)


def test_a_stall_is_seen_by_all_who_came_during_it_and_a_sender_that_waits_its_turn_hides_it(stub: StubVideos) -> None:
    async def both() -> tuple[Probe, Probe]:
        stub.stall(0.5, STALL_S)
        return await asyncio.gather(probed(stub, 20.0, 3.0), probed(stub, 20.0, 3.0, max_in_flight=1))

    sound, waiting = map(summed, asyncio.run(both()))
    # Of 60 requests, 40 come into the stall: they wait 2 s down to nothing, whether or not the sender could send them.
    for summary in (sound, waiting):
        assert summary["num_completed"] == 60
        assert summary["p50_s"] > 0.25
        assert summary["p95_s"] > 0.75 * STALL_S
    assert sound["naive_latency"]["p95_s"] > 0.7 * STALL_S
    assert sound["lag"]["p50_s"] < 0.1
    assert waiting["naive_latency"]["p95_s"] < 0.4 * STALL_S  # what a closed loop would report
    assert waiting["lag"]["p99_s"] > 1.5
    assert "the sender lagged" in waiting["warnings"][0]


def test_requests_that_are_not_done_in_time_count_with_the_time_they_were_waited_for(stub: StubVideos) -> None:
    stub.service_s = 60.0
    probe = asyncio.run(probed(stub, 20.0, 0.5, timeout_s=0.5))
    summary = summed(probe)
    assert summary["num_timed_out"] == 10
    assert summary["p50_s"] == pytest.approx(0.5, abs=0.2)
    assert "lower bounds" in summary["warnings"][0]


def test_refusals_are_counted_and_an_obedient_client_gets_in(stub: StubVideos) -> None:
    stub.num_refusals = 5
    refused = summed(asyncio.run(probed(stub, 50.0, 0.2)))
    assert (refused["num_refused"], refused["num_completed"], refused["refused_share"]) == (5, 5, 0.5)
    assert refused["retry_after"]["max_s"] == 0.2
    stub.num_refusals = 5
    obeyed = summed(asyncio.run(probed(stub, 50.0, 0.2, obeys=True)))
    assert (obeyed["num_refused"], obeyed["num_completed"], obeyed["num_refusals"]) == (0, 10, 5)
    assert obeyed["max_s"] > 0.2


def test_bad_looks_are_no_end_and_other_words_for_failure_are_understood(stub: StubVideos) -> None:
    stub.service_s, stub.num_bad_looks = 0.2, 3
    assert summed(asyncio.run(probed(stub, 50.0, 0.1)))["num_completed"] == 5
    stub.service_s, stub.ends_as = 0.0, "cancelled"
    summary = summed(asyncio.run(probed(stub, 50.0, 0.1)))
    assert summary["num_failed"] == 5
    assert summary["reasons"] == {"cancelled": 5}


def test_a_trace_is_sent_as_it_stands_with_the_key_of_each_tier(stub: StubVideos, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    shape = {"width": 832, "height": 480, "num_frames": 81, "num_inference_steps": 8, "model": "wan"}
    write_trace(trace, [Arrival(arrival_s=0.0, tier="vip", deadline_s=5.0, prompt="a fox", **shape), Arrival(arrival_s=0.1)])
    out, _ = load(trace, "--url", stub.url, "--api-key", "k", "--tier-key", "vip=v", "--prompt", "红色的车", "--no-seeds", "--json")
    result = json.loads(out)
    assert stub.keys == ["Bearer v", "Bearer k"]
    assert stub.fields[0] == {
        "prompt": "a fox", "model": "wan", "size": "832x480", "num_frames": "81", "num_inference_steps": "8", "deadline_s": "5.0"
    }  # fmt: skip
    assert list(stub.fields[1]) == ["prompt"]
    assert result["by_tier"]["vip"]["slo_attainment"] == 1.0
    assert result["by_tier"]["standard"]["slo_attainment"] is None


def test_an_interrupt_ends_with_a_report_of_what_was_done(stub: StubVideos, tmp_path: Path) -> None:
    stub.service_s = 0.05
    with start("--url", stub.url, "--arrivals", "even:rate=20", "--duration", "300", "--json", "--report", tmp_path / "r") as process:
        stub.wait_for(10)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    result = json.loads(out)
    assert result["num_completed"] >= 5
    assert result["num_jobs"] < result["num_planned"] == 6000
    assert any("stopped early" in warning for warning in result["warnings"])
    assert json.loads((tmp_path / "r" / "load.json").read_text()) == result


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--arrivals", "even:rate=1", "--duration", "5", "--url", "http://127.0.0.1:9"], 1, "cannot be reached"),
        (["--arrivals", "poisson:rate=1", "--url", "http://127.0.0.1:9"], 2, "say how many seconds"),
        (["--url", "http://127.0.0.1:9"], 2, "give one of a trace, --arrivals and --ramp"),
        (["missing.csv", "--url", "http://127.0.0.1:9"], 2, "no such file"),
        (["--ramp", "1:5", "--tier-key", "gold=secret", "--url", "http://127.0.0.1:9"], 2, "must be TIER=KEY"),
        (["--ramp", "1:5", "--size", "big", "--url", "http://127.0.0.1:9"], 2, "must be WIDTHxHEIGHT"),
        (["--ramp", "1:5", "--report", "/dev/null/x", "--url", "http://127.0.0.1:9"], 2, "directory"),
    ],
)
def test_what_cannot_start_is_one_clear_line(args: list[str], code: int, said: str) -> None:
    out, err = load(*args, code=code)
    assert out == ""
    assert said in err
    assert len(err.splitlines()) == 1
    assert "secret" not in err


def test_a_real_service_under_load_gives_numbers_plots_and_a_page(tmp_path: Path) -> None:
    with running_service(tmp_path, fake_step_s=0.01) as service:
        report = tmp_path / "report"
        mix = "share=0.5,service=0.1,deadline=900,steps=5;share=0.5,service=0.2,deadline=900,steps=10"
        arrivals = ["--arrivals", "even:rate=10", "--duration", "2", "--mix", mix, "--tiers", "free=1,vip=1"]
        out, err = load("--url", service.url, *arrivals, "--seed", "1", "--report", report, "--json")
    result = json.loads(out)
    assert result["num_completed"] == result["num_jobs"] == 20, result["reasons"]
    assert sum(part["num_jobs"] for part in result["by_tier"].values()) == 20
    assert result["slo_attainment"] == 1.0
    assert result["num_cached"] == 0
    assert 0 < result["p50_s"] <= result["p95_s"] <= result["p99_s"] <= result["max_s"] < 10
    assert result["eta"]["num_quotes"] == 20
    assert "the service cannot tell them apart" in err
    assert {path.name for path in report.iterdir()} == {
        "load.json", "load.html", "requests.csv", "latency.png", "distribution.png", "flow.png"
    }  # fmt: skip
    assert (report / "load.html").read_text().count("data:image/png;base64,") == 3
    with (report / "requests.csv").open() as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["completed"] * 20
