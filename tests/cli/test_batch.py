"""`cinelet batch`: every row once, through kills, full queues and failures; bad rows are told before anything is made."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from cinelet.cli.batch_manifest import NAME
from cinelet.media import read_clip
from tests.support.checkpoints import make_checkpoint
from tests.support.fake_service import CLIP

TABLE = "prompt,seed\na red car,1\na blue car,2\na green car,3\n"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def clips_in(folder: Path) -> list[str]:
    """A killed transfer may leave its hidden part file, which is no clip."""
    return sorted(path.name for path in folder.iterdir() if path.name != NAME and path.suffix != ".part")


def states_in(folder: Path) -> list[tuple[int, str]]:
    lines = [json.loads(line) for line in (folder / NAME).read_text().splitlines()[1:]]
    return [(line["row"], line["state"]) for line in lines]


def submissions(service) -> list[dict]:
    return [call.body for call in service.calls("POST", "/videos$")]


def test_each_row_becomes_a_clip(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    done = cinelet("batch", "cars.csv", "-o", "out")
    assert done.code == 0
    assert clips_in(tmp_path / "out") == ["0001-a-red-car.mp4", "0002-a-blue-car.mp4", "0003-a-green-car.mp4"]
    assert (tmp_path / "out" / "0001-a-red-car.mp4").read_bytes() == CLIP
    assert [line.split("\t")[:4] for line in done.out.splitlines()[1:]] == [[str(n), "1", "completed", str(n)] for n in (1, 2, 3)]
    assert "3 completed" in done.err


def test_a_second_run_makes_nothing_again(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    first = cinelet("batch", "cars.csv", "-o", "out")
    second = cinelet("batch", "cars.csv", "-o", "out")
    assert (second.code, second.out) == (0, first.out)
    assert len(submissions(service)) == 3


def test_another_folder_is_another_batch(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    cinelet("batch", "cars.csv", "-o", "one")
    cinelet("batch", "cars.csv", "-o", "two")
    assert len(service.jobs) == 6


def test_a_changed_row_is_made_anew_and_the_others_are_not(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    cinelet("batch", "cars.csv", "-o", "out")
    write(tmp_path, "cars.csv", TABLE.replace("blue", "black"))
    cinelet("batch", "cars.csv", "-o", "out")
    assert [job["prompt"] for job in service.jobs.values()][3:] == ["a black car"]


def test_a_lost_file_is_fetched_again_without_a_new_job(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    cinelet("batch", "cars.csv", "-o", "out")
    (tmp_path / "out" / "0002-a-blue-car.mp4").unlink()
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert (tmp_path / "out" / "0002-a-blue-car.mp4").read_bytes() == CLIP
    assert len(submissions(service)) == 3


@pytest.mark.parametrize("moment", ["jobs accepted", "one clip fetched"])
def test_a_killed_run_started_again_makes_each_clip_once(moment: str, cinelet, started, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    service.hold_all = True
    process = started("batch", "cars.csv", "-o", "out", "-q")
    with service.lock:
        assert service.lock.wait_for(lambda: len(service.calls("GET", "/events$")) >= 3, timeout=60)
    if moment == "one clip fetched":
        service.release(next(iter(service.jobs)))
        with service.lock:
            assert service.lock.wait_for(lambda: service.calls("GET", "/content$"), timeout=60)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    service.hold_all = False
    service.held.clear()
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert len(service.jobs) == 3
    assert len(clips_in(tmp_path / "out")) == 3


def test_a_kill_between_answer_and_manifest_finds_the_same_jobs(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    cinelet("batch", "cars.csv", "-o", "out")
    manifest = tmp_path / "out" / NAME
    manifest.write_text(manifest.read_text().splitlines()[0] + '\n{"row": 1, "cl')
    for name in clips_in(tmp_path / "out"):
        (tmp_path / "out" / name).unlink()
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert len(submissions(service)) == 6
    assert len(service.jobs) == 3
    assert len(clips_in(tmp_path / "out")) == 3
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert len(submissions(service)) == 6


def test_ctrl_c_leaves_a_run_that_goes_on(cinelet, started, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    service.hold_all = True
    process = started("batch", "cars.csv", "-o", "out", "-q")
    with service.lock:
        assert service.lock.wait_for(lambda: len(service.calls("GET", "/events$")) >= 3, timeout=60)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "Run the same command again" in err
    assert len(err.splitlines()) == 1
    service.hold_all = False
    service.held.clear()
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert len(service.jobs) == 3


def test_two_runs_in_one_folder_do_not_mix(cinelet, started, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    service.hold_all = True
    started("batch", "cars.csv", "-o", "out", "-q")
    with service.lock:
        assert service.lock.wait_for(lambda: len(service.calls("GET", "/events$")) >= 1, timeout=60)
    done = cinelet("batch", "cars.csv", "-o", "out")
    assert done.code == 2
    assert "another run is at work" in done.err


def test_no_more_than_asked_are_under_way_at_once(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", "prompt\n" + "\n".join(f"car {n}" for n in range(12)))
    open_jobs, most = set(), 0
    tick, new_job = service.tick, service.new_job

    def counted_job(body):
        nonlocal most
        job = new_job(body)
        open_jobs.add(job["id"])
        most = max(most, len(open_jobs))
        return job

    def counted_tick(job):
        tick(job)
        if job["status"] == "completed":
            open_jobs.discard(job["id"])

    service.new_job, service.tick = counted_job, counted_tick
    assert cinelet("batch", "cars.csv", "-o", "out", "--concurrency", "3").code == 0
    assert 1 <= most <= 3


def test_a_failed_row_is_listed_and_the_others_are_made(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    service.outcome = lambda job: ("moderation_blocked", "not this one") if "blue" in job["prompt"] else None
    done = cinelet("batch", "cars.csv", "-o", "out")
    assert done.code == 1
    assert "row 2, clip 1: failed; not this one" in done.err
    assert "2 completed, 1 failed" in done.err
    again = cinelet("batch", "cars.csv", "-o", "out")
    assert again.code == 1
    assert len(service.jobs) == 3
    service.outcome = lambda job: None
    assert cinelet("batch", "cars.csv", "-o", "out", "--retry-failed").code == 0
    assert len(service.jobs) == 4
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert len(service.jobs) == 4


def test_a_full_queue_is_waited_for(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    service.trouble("POST", "/videos$", times=2, status=429, headers={"retry-after-ms": "1", "x-should-retry": "false"})
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert len(service.jobs) == 3


STOPPING = {401: 4, 403: 4, 503: 1}


@pytest.mark.parametrize("status", STOPPING)
def test_what_meets_every_row_stops_the_batch_and_loses_nothing(status: int, cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    trouble = service.trouble("POST", "/videos$", times=99, status=status, headers={"x-should-retry": "false"})
    done = cinelet("batch", "cars.csv", "-o", "out")
    assert done.code == STOPPING[status]
    assert done.err == "error trouble\n"
    assert "failed" not in (tmp_path / "out" / NAME).read_text()
    trouble.times = 0
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0


def test_a_used_up_quota_stops_the_batch(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    error = {"error": {"message": "the day's share is used up", "type": "rate_limit_error", "param": None, "code": "insufficient_quota"}}
    service.trouble("POST", "/videos$", times=99, status=429, body=error, headers={"x-should-retry": "false"})
    assert cinelet("batch", "cars.csv", "-o", "out").code == 5


def test_columns_become_fields(cinelet, service, tmp_path: Path) -> None:
    write(
        tmp_path,
        "all.csv",
        "prompt,negative_prompt,seed,size,steps,preset,name,num_frames,fps,guidance_scale,sampler,model\n"
        "a red car,people,7,320x192,12,draft,hero,9,10,4.5,euler,pocket\n",
    )
    assert cinelet("batch", "all.csv", "-o", "out").code == 0
    (body,) = submissions(service)
    assert body == {
        "prompt": "a red car", "negative_prompt": "people", "seed": 7, "width": 320, "height": 192, "num_inference_steps": 12,
        "preset": "draft", "num_frames": 9, "fps": 10, "guidance_scale": 4.5, "sampler": "euler", "model": "pocket",
    }  # fmt: skip
    assert clips_in(tmp_path / "out") == ["hero.mp4"]


def test_json_lines_are_tables_too(cinelet, service, tmp_path: Path) -> None:
    rows = [{"prompt": "一辆红色的汽车", "seed": 7}, {"prompt": "a blue car", "length_sec": 2, "steps": 4.0}]
    write(tmp_path, "cars.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    assert cinelet("batch", "cars.jsonl", "-o", "out", "--preset", "final").code == 0
    first, second = sorted(submissions(service), key=lambda body: body["prompt"], reverse=True)
    assert first == {"prompt": "一辆红色的汽车", "seed": 7, "preset": "final"}
    assert (second["seconds"], second["num_inference_steps"]) == (2, 4)


def test_a_product_table_becomes_sentences_by_a_template(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "shop.csv", "\ufeffSKU;product;colour;title\nA1;shoe;red;first\nA2;hat;blue;second\n")
    done = cinelet("batch", "shop.csv", "-o", "out", "--template", "A {colour} {product} {{on}} a table", "--column", "title=name")
    assert done.code == 0
    assert sorted(body["prompt"] for body in submissions(service)) == ["A blue hat {on} a table", "A red shoe {on} a table"]
    assert clips_in(tmp_path / "out") == ["first.mp4", "second.mp4"]
    assert "not used: the columns SKU" in done.err


def test_variants_are_seeds_that_count_up(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", "prompt,seed,variants,name\na red car,5,3,red\na blue car,,2,blue\n")
    assert cinelet("batch", "cars.csv", "-o", "out").code == 0
    assert clips_in(tmp_path / "out") == ["blue-1.mp4", "blue-2.mp4", "red-1.mp4", "red-2.mp4", "red-3.mp4"]
    seeds = {
        body["prompt"]: sorted(b["seed"] for b in submissions(service) if b["prompt"] == body["prompt"]) for body in submissions(service)
    }
    assert seeds["a red car"] == [5, 6, 7]
    assert seeds["a blue car"][1] == seeds["a blue car"][0] + 1


BAD = {
    "no number": ("prompt,seed\na,1\nb,x\n", "bad.csv, row 2 (line 3), column seed: 'x' is not allowed; must be a whole number"),
    "negative seed": ("prompt,seed\na,-1\n", "bad.csv, row 1 (line 2), column seed: -1 is not allowed"),
    "half a step": ("prompt,steps\na,1.5\n", "bad.csv, row 1 (line 2), column steps"),
    "too many steps": ("prompt,steps\na,5000\n", "bad.csv, row 1 (line 2), column steps: 5000 is not allowed"),
    "size": ("prompt,size\na,big\n", "bad.csv, row 1 (line 2), column size: 'big'"),
    "zero size": ("prompt,size\na,0x32\n", "bad.csv, row 1 (line 2), column size"),
    "preset": ("prompt,preset\na,fast\n", "bad.csv, row 1 (line 2), column preset: 'fast'"),
    "empty prompt": ("prompt,seed\n,1\n", "bad.csv, row 1 (line 2), column prompt"),
    "empty prompt after a line break": ('prompt,seed\n"a\nb",1\n,2\n', "bad.csv, row 2 (line 4), column prompt"),
    "variants": ("prompt,variants\na,0\n", "bad.csv, row 1 (line 2), column variants"),
    "endless variants": ("prompt,variants\na,1000000\n", "bad.csv, row 1 (line 2), column variants"),
    "name with a folder": ("prompt,name\na,../x\n", "bad.csv, row 1 (line 2), column name: '../x'"),
    "hidden name": ("prompt,name\na,.x\n", "bad.csv, row 1 (line 2), column name"),
    "one name twice": ("prompt,name\na,x\nb,X\n", "row 2, column name: X.mp4 is taken by row 1"),
    "infinite guidance": ("prompt,guidance_scale\na,inf\n", "bad.csv, row 1 (line 2), column guidance_scale"),
    "no prompt": ("text,seed\na,1\n", "has no column prompt"),
    "almost a field": ("prompt,sede\na,1\n", "--column sede=seed"),
    "two columns of one name": ("prompt,prompt\na,b\n", "two columns"),
    "too many cells": ("prompt,seed\na,1,2\n", "bad.csv, row 1 (line 2): has 3 cells for 2 columns"),
    "open quote": ('prompt\n"a\n', "cannot be read as CSV"),
    "no rows": ("prompt\n", "has no rows"),
    "nothing": ("", "has no rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_one_clear_line_before_anything_is_made(case: str, cinelet, service, tmp_path: Path) -> None:
    text, message = BAD[case]
    write(tmp_path, "bad.csv", text)
    done = cinelet("batch", "bad.csv", "-o", "out")
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert message in done.err
    assert submissions(service) == []


BAD_LINES = {
    "no json": ("{", "bad.jsonl, row 1 (line 1): cannot be read as JSON"),
    "a list": ("[1]", "bad.jsonl, row 1 (line 1): must be an object"),
    "a nested value": ('{"prompt": ["a"]}', "column prompt"),
    "a boolean seed": ('{"prompt": "a", "seed": true}', "column seed"),
    "too deep": ("[" * 100_000, "cannot be read as JSON"),
    "half a surrogate": ('{"prompt": "\\ud800"}', "column prompt"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_of_json_is_told_the_same_way(case: str, cinelet, service, tmp_path: Path) -> None:
    text, message = BAD_LINES[case]
    write(tmp_path, "bad.jsonl", text)
    done = cinelet("batch", "bad.jsonl", "-o", "out")
    assert done.code == 2
    assert message in done.err
    assert submissions(service) == []


def test_all_bad_rows_are_told_at_once(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "bad.csv", "prompt,seed\n" + "a,x\n" * 30)
    lines = cinelet("batch", "bad.csv", "-o", "out").err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 10 more"


TEMPLATES = ["{nothing}", "{product.real}", "{product[0]}", "{product!r}", "{product:>9999999999}", "{}", "{", "}"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_reads_columns_and_nothing_else(template: str, cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "shop.csv", "product\nshoe\n")
    done = cinelet("batch", "shop.csv", "-o", "out", "--template", template)
    assert done.code == 2
    assert done.err.startswith("error template")
    assert submissions(service) == []


def test_an_empty_cell_that_the_template_needs_is_a_bad_row(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "shop.csv", "product,colour\nshoe,\n")
    done = cinelet("batch", "shop.csv", "-o", "out", "--template", "a {colour} {product}")
    assert "row 1 (line 2), column colour" in done.err


def test_what_only_the_service_can_refuse_is_asked_before_anything_is_made(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", "prompt,size\na,160x96\nb,33x32\nc,160x96\n")
    error = {"error": {"message": "size: '33x32' is not allowed", "type": "invalid_request_error", "param": "size", "code": None}}
    real = service.take_trouble
    service.take_trouble = lambda method, path: (
        Refusal(error) if path.endswith("/estimate") and service.seen[-1].body.get("width") == 33 else real(method, path)
    )
    done = cinelet("batch", "cars.csv", "-o", "out")
    assert done.code == 2
    assert done.err == "error cars.csv, row 2 (line 3): size: '33x32' is not allowed\n"
    assert len(service.calls("POST", "/estimate$")) == 2
    assert submissions(service) == []


class Refusal:
    """A 400 for one call."""

    status, stall, drop, cut = 400, None, None, None

    def __init__(self, body: dict) -> None:
        self.body, self.headers = body, {}


@pytest.mark.parametrize("args", [["nowhere.csv"], ["cars.xlsx"], ["cars.csv", "--column", "seed"], ["cars.csv", "--column", "seed=magic"],
    ["cars.csv", "--column", "none=seed"], ["cars.csv", "--concurrency", "0"]])  # fmt: skip
def test_arguments_that_cannot_be_meant_are_refused(args: list[str], cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    write(tmp_path, "cars.xlsx", "PK")
    done = cinelet("batch", *args, "-o", "out")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert submissions(service) == []


def test_a_file_that_is_no_manifest_is_left_alone(cinelet, service, tmp_path: Path) -> None:
    write(tmp_path, "cars.csv", TABLE)
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", NAME, "my own notes\n")
    done = cinelet("batch", "cars.csv", "-o", "out")
    assert done.code == 2
    assert "is no manifest" in done.err
    assert (tmp_path / "out" / NAME).read_text() == "my own notes\n"


def test_without_a_service_the_clips_are_made_here(cinelet, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    checkpoint = make_checkpoint(tmp_path_factory.mktemp("tiny"))
    write(tmp_path, "cars.csv", "prompt,size,num_frames,steps,variants\na red car,32x32,5,2,2\na blue car,33x32,5,2,1\n")
    bad = cinelet("batch", "cars.csv", "-o", "out", "--model", str(checkpoint))
    assert bad.code == 2
    assert "cars.csv, row 2 (line 3), column size: 33 is not allowed" in bad.err
    write(tmp_path, "cars.csv", "prompt,size,num_frames,steps,variants\na red car,32x32,5,2,2\na blue car,32x32,5,2,1\n")
    done = cinelet("batch", "cars.csv", "-o", "out", "--model", str(checkpoint), "--json")
    assert done.code == 0
    assert [one["state"] for one in json.loads(done.out)] == ["completed"] * 3
    clip = tmp_path / "out" / "0001-a-red-car-2.mp4"
    assert read_clip(clip)[0].shape == (5, 32, 32, 3)
    before = clip.stat().st_mtime_ns
    (tmp_path / "out" / "0002-a-blue-car.mp4").unlink()
    assert cinelet("batch", "cars.csv", "-o", "out", "--model", str(checkpoint), "--json").out == done.out
    assert clip.stat().st_mtime_ns == before
    assert states_in(tmp_path / "out") == [(1, "completed"), (1, "completed"), (2, "completed"), (2, "completed")]
