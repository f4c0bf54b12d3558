"""`cinelet simulate` and `cinelet cost`: the contract of their JSON, tables, reports, and one clear line for bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

LOAD = ("--arrivals", "bursty:rate=0.1,dispersion=20", "--duration", "5000", "--seed", "1")
TRACE = "arrival_s,tier,service_s,deadline_s\n0,vip,10,15\n1,free,10,\n2,standard,10,30\n"


def test_one_policy_gives_the_contract(cinelet) -> None:
    done = cinelet("simulate", *LOAD, "--gpus", "8", "--json")
    assert done.code == 0
    result = json.loads(done.out)
    contract = {"slo_attainment", "by_tier", "full_quality_share", "refused_share", "gpu_seconds", "gpu_utilization"}
    assert contract <= set(result)
    assert set(result["by_tier"]) == {"vip", "standard", "free"}
    for tier in result["by_tier"].values():
        assert set(tier) == {"slo_attainment", "p50_s", "p95_s", "p99_s", "num_jobs"}
    assert result["settings"] == {"load": LOAD[1], "gpus": 8, "seed": 1, "num_jobs": result["num_jobs"], "policy": "cinelet"}
    assert cinelet("simulate", *LOAD, "--gpus", "8", "--json").out == done.out


def test_several_policies_stand_under_their_names_and_in_one_table(cinelet) -> None:
    names = ["fifo", "edf+preempt", "cinelet+degrade"]
    done = cinelet("simulate", *LOAD, "--gpus", "8", "--policy", ",".join(names), "--json")
    result = json.loads(done.out)
    assert list(result["policies"]) == names
    assert result["policies"]["cinelet+degrade"]["slo_attainment"] > result["policies"]["fifo"]["slo_attainment"]
    lines = cinelet("simulate", *LOAD, "--gpus", "8", "--policy", ",".join(names)).out.splitlines()
    assert lines[0].split("\t")[:2] == ["policy", "in time %"]
    assert [line.split("\t")[0] for line in lines[1:]] == names


def test_switches_are_for_all_policies(cinelet) -> None:
    result = json.loads(cinelet("simulate", *LOAD, "--gpus", "2", "--no-preempt", "--degrade", "--refuse", "--json").out)
    assert result["num_parks"] == 0
    assert result["full_quality_share"] < 1


def test_a_trace_is_played_as_it_stands(cinelet, tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text(TRACE)
    result = json.loads(cinelet("simulate", "trace.csv", "--gpus", "1", "--park", "0", "--json").out)
    assert result["num_jobs"] == 3
    assert result["gpu_seconds"] == 30.0
    assert result["by_tier"]["vip"]["p50_s"] == 10.0
    assert result["duration_s"] == 30.0


def test_batches_failures_and_hits_are_asked_for(cinelet) -> None:
    settings = ("--slots", "4", "--batch-line", "0.2,0.8", "--mtbf", "500", "--repair", "10", "--hit-share", "0.2", "--cold-start", "20")
    result = json.loads(cinelet("simulate", *LOAD, "--gpus", "3", *settings, "--json").out)
    assert result["num_deaths"] > 0
    assert result["num_hits"] > 0


def test_a_profile_prices_shapes(cinelet, tmp_path: Path) -> None:
    shape = {"step_flops": 1e10, "num_steps": 16, "num_pixels": 260_000}
    sample = {"shape": shape, "encode_s": 0.1, "step_s": 0.2, "decode_s": 0.5}
    profile = {"format": 1, "device": "cpu", "model": "pocket", "revision": "r", "cold_start_s": 1.0, "samples": [sample]}
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    (tmp_path / "trace.csv").write_text("arrival_s,num_inference_steps\n0,4\n1000,8\n2000,16\n")
    result = json.loads(cinelet("simulate", "trace.csv", "--gpus", "1", "--profile", "profile.json", "--json").out)
    latencies = [result["by_tier"]["standard"][key] for key in ("p50_s", "p99_s")]
    assert latencies[1] > latencies[0] > 1.0
    (tmp_path / "trace.csv").write_text("arrival_s,model\n0,another\n")
    refused = cinelet("simulate", "trace.csv", "--gpus", "1", "--profile", "profile.json")
    assert refused.code == 2
    assert "the profile is of pocket" in refused.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((*LOAD, "--gpus", "0"), r"gpus: 0 is not allowed; must be a whole number from 1 to 100,000"),
        ((*LOAD, "--gpus", "1", "--policy", "lifo"), r"policy: 'lifo' is not allowed; must be NAME"),
        ((*LOAD, "--gpus", "1", "--slots", "2"), r"batch-line: .* more than one slot needs the line"),
        ((*LOAD, "--gpus", "1", "--batch-line", "1;2"), r"batch-line: '1;2' is not allowed; must be A,B"),
        ((*LOAD, "--gpus", "1", "--hit-share", "2"), r"hit share: 2\.0 is not allowed"),
        ((*LOAD, "--gpus", "1", "--mtbf", "nan"), r"mtbf: nan is not allowed"),
        ((*LOAD, "--gpus", "1", "--seed", "-1"), r"seed: -1 is not allowed"),
        (("--gpus", "1"), r"arrivals: '' is not allowed; give a trace or --arrivals"),
        (("--gpus", "1", "--arrivals", "poisson:rate=1"), r"duration: "),
        (("--gpus", "1", "--arrivals", "poisson:rate=1e-9", "--duration", "1"), r"duration: 1\.0 is not allowed; nothing arrives in it"),
        (("missing.csv", "--gpus", "1"), r"trace: 'missing\.csv' is not allowed; .*no such file"),
        (("bare.csv", "--gpus", "1"), r"service: arrival 1 does not say how long it takes alone"),
        (("bare.csv", "--gpus", "1", "--service", "0"), r"service: 0\.0 is not allowed"),
        (("back.csv", "--gpus", "1", "--service", "1"), r"back\.csv, row 2 \(line 3\), column arrival_s: '1' is not allowed"),
        (("bare.csv", "--gpus", "1", "--profile", "bare.csv"), r"profile: 'bare\.csv' is not allowed; must be JSON"),
    ],
)
def test_bad_input_is_told_in_one_line(args: tuple[str, ...], said: str, cinelet, tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("arrival_s\n0\n")
    (tmp_path / "back.csv").write_text("arrival_s\n5\n1\n")
    done = cinelet("simulate", *args)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(rf"error .*{said}.*\n", done.err), done.err


def test_reports_are_one_page_with_its_pictures(cinelet, tmp_path: Path) -> None:
    done = cinelet("simulate", *LOAD, "--gpus", "8", "--policy", "fifo,cinelet", "--report", "sim")
    assert done.code == 0
    names = {path.name for path in (tmp_path / "sim").iterdir()}
    pictures = {"attainment.png", "latency-1.png", "latency-2.png", "queue.png", "utilization.png"}
    assert names == pictures | {"simulation.html", "simulation.json"}
    page = (tmp_path / "sim" / "simulation.html").read_text()
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "http" not in page


def test_the_fewest_gpus_for_a_goal_and_what_they_cost(cinelet, tmp_path: Path) -> None:
    done = cinelet("cost", *LOAD, "--gpu-price", "2", "--slo", "0.9", "--json", "--report", "cost")
    assert done.code == 0
    result = json.loads(done.out)
    assert result["slo_attainment"] >= 0.9
    assert result["money_per_hour"] == 2.0 * result["gpus"]
    fewer = [bill for bill in result["curve"] if bill["gpus"] < result["gpus"]]
    assert fewer
    assert all(bill["slo_attainment"] < 0.9 for bill in fewer)
    assert {path.name for path in (tmp_path / "cost").iterdir()} == {"cost.json", "cost.html", "cost-and-waiting.png"}
    table = cinelet("cost", *LOAD, "--gpu-price", "2", "--slo", "0.9").out.splitlines()
    assert [line.split("\t")[0] for line in table[1:] if "*" in line] == [f"{result['gpus']} *"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--gpus", "2", "--slo", "0.9"), "give a number of GPUs or a goal"),
        (("--slo", "0.9", "--p95", "3"), "give --slo or --p95"),
        (("--p95", "10", "--max-gpus", "20"), "max-gpus: 20 is not allowed; so many do not meet the goal"),
        (("--policy", "fifo,edf"), "policy: .* must be one"),
        (("--slo", "1.1"), "slo: 1.1 is not allowed"),
    ],
)
def test_a_goal_that_cannot_be_is_told_in_one_line(args: tuple[str, ...], said: str, cinelet) -> None:
    done = cinelet("cost", *LOAD, "--gpu-price", "2", *args)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(rf"error .*{said}.*\n", done.err), done.err
