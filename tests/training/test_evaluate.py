"""The judge of generated clips: the classifier's weights, and the command that counts what prompts got right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.support.checkpoints import make_checkpoint
from training.pocket import evaluate, sweep
from training.pocket.classifier import accuracy_on_rendered, load_classifier, recorded_accuracy, turn, view
from training.pocket.judge import Settings
from training.pocket.prompts import read_rows, spread
from training.pocket.world import LABELS

ROWS = [
    {"prompt": "a red ball bouncing in the park", "subject": "ball", "colour": "red", "motion": "bouncing", "language": "en"},
    {"prompt": "一只跳舞的熊猫", "subject": "panda", "motion": "dancing"},
    {"prompt": "a blue car", "subject": "car", "colour": "blue", "motion": None},
    {"prompt": "a green boat rising", "subject": "boat", "colour": "green", "motion": "rising"},
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    return path


def size_of(path):
    """Width and height of a picture."""
    with Image.open(path) as picture:
        return picture.size


def refusal_of(path, capsys, *arguments):
    """The one line on stderr with which the command refuses a file."""
    with pytest.raises(SystemExit) as stop:
        evaluate.main(["--prompts", str(path), "--json", *arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_the_classifier_reads_drawn_clips_that_it_never_saw():
    assert min(accuracy_on_rendered(100).values()) >= 0.96


def test_the_weights_remember_how_good_they_are():
    assert set(recorded_accuracy()) == set(LABELS)
    assert min(recorded_accuracy().values()) >= 0.98


def test_clips_of_any_length_and_size_are_read():
    clips = [np.full(shape, 90, np.uint8) for shape in ((1, 96, 160, 3), (5, 33, 47, 3), (81, 120, 200, 3))]
    for answer in load_classifier().predict(clips):
        assert all(answer[label] in names for label, names in LABELS.items())


def test_something_that_is_no_clip_is_refused():
    with pytest.raises(ValueError, match=r"\(96, 160, 3\) is not frames"):
        view(np.zeros((96, 160, 3), np.uint8))


def test_a_mirrored_or_reversed_clip_changes_its_direction_and_nothing_else():
    class Always:
        def random(self):
            return 0.0

    clip = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    for motion, turned in {"left": "left", "rising": "falling", "spinning": "spinning", "growing": "growing"}.items():
        assert turn(clip, motion, Always())[1] == turned
    assert (turn(clip, "rising", Always())[0] == clip[::-1, :, :, ::-1]).all()


def test_the_command_prints_one_object_with_an_accuracy_for_each_label_asked_for(checkpoint, prompts, capsys):
    evaluate.main(["--prompts", str(prompts), "--steps", "2", "--json", "--model", str(checkpoint)])
    result = json.loads(capsys.readouterr().out)
    assert result["num_prompts"] == 4
    assert all(0 <= result[label] <= 1 for label in ("subject", "colour", "motion"))
    assert result["scene"] is None
    assert {language: part["num_prompts"] for language, part in result["by_language"].items()} == {"en": 3, "zh": 1}
    assert result["by_language"]["zh"]["colour"] is None
    assert set(result["classifier"]) == set(LABELS)
    assert (result["steps"], result["sampler"]) == (2, "unipc")


def test_the_sheet_shows_a_row_for_each_prompt(checkpoint, prompts, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    evaluate.main(["--prompts", str(prompts), "--steps", "1", "--model", str(checkpoint), "--sheet", str(sheet), "--limit", "2"])
    assert "2 prompts, unipc, 1 steps" in capsys.readouterr().out
    assert size_of(sheet)[1] > 2 * 96


def test_a_sweep_goes_on_where_it_stopped_and_reports_in_three_forms(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "SWEEP_STEPS", (1, 2))
    monkeypatch.setattr(sweep, "SWEEP_SAMPLERS", ("unipc", "euler"))
    judge = evaluate.make_judge(str(checkpoint))
    rows = spread(read_rows(evaluate.HELD_OUT), 2)
    report = sweep.sweep(judge, rows, Settings(), tmp_path)
    assert [(result["sampler"], result["steps"]) for result in report["results"]] == [
        ("unipc", 1),
        ("unipc", 2),
        ("euler", 1),
        ("euler", 2),
    ]
    monkeypatch.setattr(judge, "judge", lambda *_: pytest.fail("nothing was left to do"))
    assert sweep.sweep(judge, rows, Settings(), tmp_path)["results"] == report["results"]
    assert "| euler | 2 |" in (tmp_path / "pocket_accuracy.md").read_text()
    assert size_of(tmp_path / "pocket_accuracy.png")[0] > 1000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "row 2: not JSON"),
        ("[]", "row 2: not a JSON object"),
        ('{"subject": "cat"}', "row 2: prompt: missing"),
        ('{"prompt": " "}', "row 2: prompt: ' ' is not allowed"),
        ('{"prompt": 7}', "row 2: prompt: 7 is not allowed"),
        ('{"prompt": "a cat", "colour": "teal"}', "row 2: colour: 'teal' is not allowed; must be one of red, green"),
        ('{"prompt": "a cat", "motion": ["left"]}', "row 2: motion: ['left'] is not allowed"),
        ('{"prompt": "a cat", "language": 1}', "row 2: language: 1 is not allowed"),
    ],
)
def test_a_bad_row_is_named_with_its_file_and_field(line, message, tmp_path, capsys):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"prompt": "a cat"}\n' + line + "\n")
    refusal = refusal_of(path, capsys)
    assert f"{path}: {message}" in refusal


def test_a_missing_or_empty_file_is_refused(tmp_path, capsys):
    assert f"{tmp_path / 'none.jsonl'}: No such file" in refusal_of(tmp_path / "none.jsonl", capsys)
    (tmp_path / "empty.jsonl").write_text("\n")
    assert "holds no prompts" in refusal_of(tmp_path / "empty.jsonl", capsys)


def test_a_missing_model_is_refused_in_one_line(prompts, tmp_path, capsys):
    assert "no model_index.json" in refusal_of(prompts, capsys, "--model", str(tmp_path / "nothing"))
