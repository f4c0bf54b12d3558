"""How well a model does what prompts say: clips are generated, the classifier reads them, and each label is right or wrong.

    python -m training.pocket.evaluate --prompts FILE.jsonl --steps 16 --json
    python -m training.pocket.evaluate --sweep
    python -m training.pocket.evaluate --sheet OUT.png --limit 24

A line of the prompts file is a JSON object: `prompt`, any of `subject`, `colour`, `motion` and `scene` as world.py names
them, and perhaps `language`. A line's number is its seed. A label that a line leaves out is not judged.

The classifier is taken at its word, and its own accuracy on drawn clips stands beside every result. How good a clip looks is
not measured here: `--sheet` is for eyes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

import cinelet
from cinelet.engine import Engine, load_model
from cinelet.errors import CineletError, InvalidValueError
from cinelet.video import MAX_GUIDANCE, MAX_STEPS, SAMPLERS, Plan, SamplerName, check_choice, check_text
from training.pocket.classifier import WEIGHTS, Classifier, load_classifier, recorded_accuracy
from training.pocket.world import FPS, HEIGHT, LABELS, NUM_FRAMES, WIDTH

ROOT = Path(__file__).parents[2]
HELD_OUT = Path(__file__).with_name("held_out_prompts.jsonl")
PACKAGED_MODELS = Path(cinelet.__file__).parent / "models"
RESULTS = ROOT / "benchmarks" / "results"
LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}

BATCH = 8
"""Clips that are generated together."""
SWEEP_STEPS = (4, 8, 12, 16, 25)
SWEEP_SAMPLERS: tuple[SamplerName, ...] = ("unipc", "dpm++", "euler")
SWEEP_PROMPTS = 200
SHEET_PROMPTS = 24
SHEET_FRAMES = 5

Accuracies = dict[str, float | None]


class PromptsError(ValueError):
    """The prompts file cannot be judged as it stands; the message names file, row and field."""


# --------------------------------------------------------------------------------------------------------------- prompts


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a prompts file; `number` counts from 1."""

    number: int
    prompt: str
    labels: Mapping[str, str]
    language: str


def read_rows(path: Path) -> list[Row]:
    """Every line of a prompts file, blank ones aside. Raises `PromptsError`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise PromptsError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PromptsError(f"{path}: not UTF-8 text") from error
    rows = [_parse(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise PromptsError(f"{path}: holds no prompts")
    return rows


def _parse(path: Path, number: int, line: str) -> Row:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise PromptsError(f"{path}: row {number}: not JSON: {error}") from error
    if not isinstance(entry, dict):
        raise PromptsError(f"{path}: row {number}: not a JSON object")
    if "prompt" not in entry:
        raise PromptsError(f"{path}: row {number}: prompt: missing")
    labels = {label: entry[label] for label in LABELS if entry.get(label) is not None}
    try:
        check_text("prompt", entry["prompt"], allow_empty=False)
        for label, name in labels.items():
            check_choice(label, name, LABELS[label])
        language = _language(entry)
    except InvalidValueError as error:
        raise PromptsError(f"{path}: row {number}: {error.message}") from error
    return Row(number=number, prompt=entry["prompt"], labels=labels, language=language)


def _language(entry: Mapping[str, Any]) -> str:
    """The language that a line states, or else the one that its letters betray."""
    stated = entry.get("language")
    if stated is None:
        return "zh" if has_chinese(entry["prompt"]) else "en"
    check_text("language", stated, allow_empty=False)
    return str(stated)


def has_chinese(text: str) -> bool:
    """Whether any letter is a Chinese character."""
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def spread(rows: Sequence[Row], limit: int | None) -> list[Row]:
    """At most `limit` rows, evenly spaced, so that each kind of prompt in the file keeps its share."""
    if limit is None or limit >= len(rows):
        return list(rows)
    return [rows[i * len(rows) // limit] for i in range(limit)]


# --------------------------------------------------------------------------------------------------------------- judging


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How clips are generated, beside their prompts and seeds."""

    steps: int = 16
    sampler: SamplerName = "unipc"
    guidance_scale: float = 4.0
    flow_shift: float = 3.0
    negative_prompt: str = ""


def plan_of(row: Row, settings: Settings) -> Plan:
    """The plan of one row's clip: the pocket model's own size and length, seeded by the row's number."""
    return Plan(
        prompt=row.prompt,
        negative_prompt=settings.negative_prompt,
        model="pocket",
        width=WIDTH,
        height=HEIGHT,
        num_frames=NUM_FRAMES,
        fps=FPS,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance_scale,
        guidance_scale_2=settings.guidance_scale,
        sampler=settings.sampler,
        flow_shift=settings.flow_shift,
        seed=row.number,
    )


@dataclass(frozen=True)
class Judged:
    """A row, the clip that came of it (uint8 `[T, H, W, C]`) and the names that the classifier read."""

    row: Row
    frames: NDArray[np.uint8]
    answer: Mapping[str, str]

    def is_right(self, label: str) -> bool | None:
        """Whether the clip shows what was asked; None where the row asks for nothing."""
        return self.answer[label] == self.row.labels[label] if label in self.row.labels else None


class Judge:
    """A model and the classifier that reads its clips."""

    def __init__(self, engine: Engine, classifier: Classifier) -> None:
        self.engine = engine
        self.classifier = classifier

    def judge(self, rows: Sequence[Row], settings: Settings) -> Iterator[Judged]:
        """Generate and read every row's clip, `BATCH` at a time, with a bar on stderr."""
        with tqdm(total=len(rows), unit="clip", desc=f"{settings.sampler}, {settings.steps} steps", file=sys.stderr) as bar:
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                clips = self.generate([plan_of(row, settings) for row in batch])
                for row, frames, answer in zip(batch, clips, self.classifier.predict(clips), strict=True):
                    yield Judged(row, frames, answer)
                bar.update(len(batch))

    def generate(self, plans: Sequence[Plan]) -> list[NDArray[np.uint8]]:
        """The plans' clips, denoised together."""
        running = [self.engine.admit(plan) for plan in plans]
        while groups := self.engine.groups(running):
            for group in groups:
                self.engine.step(group)
        return [self.engine.finish(trajectory).frames for trajectory in running]


def accuracies(judged: Sequence[Judged]) -> Accuracies:
    """Share of right clips by label, over the rows that have the label; None where none has."""
    verdicts = {label: [clip.is_right(label) for clip in judged] for label in LABELS}
    counted = {label: [verdict for verdict in found if verdict is not None] for label, found in verdicts.items()}
    return {label: sum(found) / len(found) if found else None for label, found in counted.items()}


def summarise(judged: Sequence[Judged], settings: Settings, seconds: float) -> dict[str, Any]:
    """The accuracies over all rows and by language, and how they came about."""
    by_language: dict[str, list[Judged]] = {}
    for clip in judged:
        by_language.setdefault(clip.row.language, []).append(clip)
    return {
        **accuracies(judged),
        "num_prompts": len(judged),
        "by_language": {name: {**accuracies(some), "num_prompts": len(some)} for name, some in sorted(by_language.items())},
        "classifier": recorded_accuracy(),
        **asdict(settings),
        "seconds": round(seconds, 2),
    }


def evaluate(judge: Judge, rows: Sequence[Row], settings: Settings, sheet: Path | None = None) -> dict[str, Any]:
    """Judge every row; write a picture of them where `sheet` says."""
    began = time.monotonic()
    judged = list(judge.judge(rows, settings))
    if sheet is not None:
        draw_sheet(judged, sheet)
    return {**summarise(judged, settings, time.monotonic() - began), "model_digest": judge.engine.model.digest}


# ----------------------------------------------------------------------------------------------------------------- sweep


def sweep(judge: Judge, rows: Sequence[Row], settings: Settings, folder: Path = RESULTS) -> dict[str, Any]:
    """Every sampler at every number of steps; what `folder` already holds of the same sweep is kept."""
    path = folder / "pocket_accuracy.json"
    conditions = _conditions(judge, rows, settings)
    report = {**_circumstances(), "conditions": conditions, "classifier": recorded_accuracy(), "results": _finished(path, conditions)}
    for sampler in SWEEP_SAMPLERS:
        for steps in SWEEP_STEPS:
            if any((result["sampler"], result["steps"]) == (sampler, steps) for result in report["results"]):
                continue
            result = evaluate(judge, rows, replace(settings, steps=steps, sampler=sampler))
            report["results"].append({key: result[key] for key in ("sampler", "steps", *LABELS, "num_prompts", "by_language", "seconds")})
            _write(path, json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    _write(path.with_suffix(".md"), as_markdown(report))
    plot(report, path.with_suffix(".png"))
    return report


def _conditions(judge: Judge, rows: Sequence[Row], settings: Settings) -> dict[str, Any]:
    """What makes two sweeps comparable."""
    prompts = json.dumps([asdict(row) for row in rows], ensure_ascii=False)
    return {
        "model_digest": judge.engine.model.digest,
        "prompts": HELD_OUT.relative_to(ROOT).as_posix(),
        "num_prompts": len(rows),
        "prompts_digest": _digest(prompts.encode()),
        "classifier_digest": _digest(WEIGHTS.read_bytes()),
        "guidance_scale": settings.guidance_scale,
        "flow_shift": settings.flow_shift,
        "negative_prompt": settings.negative_prompt,
    }


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _finished(path: Path, conditions: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    report = json.loads(path.read_text(encoding="utf-8"))
    return list(report["results"]) if report["conditions"] == conditions else []


def _circumstances() -> dict[str, Any]:
    """Where and when: the command, the commit, the machine."""
    return {
        "command": "python -m training.pocket.evaluate " + " ".join(sys.argv[1:]),
        "git_commit": _git_commit(),
        "machine": {"cpu": _cpu(), "num_cpus": os.cpu_count(), "torch_threads": torch.get_num_threads()},
        "torch": torch.__version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def _git_commit() -> str | None:
    """The commit of the working tree, marked where files differ from it; None outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
    return done.stdout.strip() or None


def _cpu() -> str:
    """The processor's name, as far as the system tells it."""
    about = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", about.read_text()) if about.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def _write(path: Path, text: str) -> None:
    """Replace a file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def as_markdown(report: Mapping[str, Any]) -> str:
    """The sweep as tables, one a language."""
    machine, conditions = report["machine"], report["conditions"]
    lines = [
        "# Accuracy of the pocket model",
        "",
        f"Share of {conditions['num_prompts']} held-out prompts (`{conditions['prompts']}`) whose clip shows what they say, as the",
        f"classifier reads it (itself right on {_share(min(report['classifier'].values()))} or more of held-out drawn clips, by label).",
        "",
        f"`{report['command']}` at commit `{report['git_commit']}`, model `{conditions['model_digest']}`, guidance scale"
        f" {conditions['guidance_scale']:g}; {machine['cpu']}, {machine['torch_threads']} of {machine['num_cpus']} CPUs, torch"
        f" {report['torch']}, {report['date']}.",
    ]
    for language in _languages(report):
        lines += ["", f"## {LANGUAGE_NAMES.get(language, language)}", "", *_table(report["results"], language)]
    return "\n".join(lines) + "\n"


def _languages(report: Mapping[str, Any]) -> list[str]:
    return sorted({language for result in report["results"] for language in result["by_language"]})


def _table(results: Iterable[Mapping[str, Any]], language: str) -> list[str]:
    lines = [f"| sampler | steps | {' | '.join(LABELS)} | s a clip |", "| --- |" + " ---: |" * (len(LABELS) + 2)]
    for result in results:
        shares = " | ".join(_share(result["by_language"][language][label]) for label in LABELS)
        lines.append(f"| {result['sampler']} | {result['steps']} | {shares} | {result['seconds'] / result['num_prompts']:.2f} |")
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


LINES = {"unipc": ("#0b6e99", "o"), "dpm++": ("#d9730d", "s"), "euler": ("#6940a5", "^")}


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Accuracy against steps: a row of small pictures a language, a column a label, a line a sampler. All share both axes."""
    languages = _languages(report)
    figure = Figure(figsize=(11, 0.9 + 2.5 * len(languages)), layout="constrained")
    grid = figure.subplots(len(languages), len(LABELS), sharex=True, sharey=True, squeeze=False)
    for row, language in zip(grid, languages, strict=True):
        for axes, label in zip(row, LABELS, strict=True):
            _plot_one(axes, report["results"], language, label)
        row[0].set_ylabel(f"{LANGUAGE_NAMES.get(language, language)} prompts\nright, %")
    lowest = min(axes.dataLim.ymin for axes in grid.flat)
    grid[0, 0].set_ylim(max(0, lowest // 10 * 10 - 10), 102)
    for axes, label in zip(grid[0], LABELS, strict=True):
        axes.set_title(label, fontsize=11)
    for axes in grid[-1]:
        axes.set_xlabel("denoising steps")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _plot_one(axes: Axes, results: Sequence[Mapping[str, Any]], language: str, label: str) -> None:
    for sampler, (colour, marker) in LINES.items():
        found = sorted((r["steps"], r["by_language"][language][label]) for r in results if r["sampler"] == sampler)
        points = [(steps, 100 * value) for steps, value in found if value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=4, linewidth=1.5, label=sampler)
    axes.set_xticks(SWEEP_STEPS)
    axes.grid(color="#e4e4e7", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


# ----------------------------------------------------------------------------------------------------------------- sheet

PAPER, INK, FAINT, RIGHT, WRONG = (255, 255, 255), (32, 32, 36), (120, 120, 128), (22, 130, 62), (200, 30, 40)
TEXT_WIDTH, GAP, LINE_HEIGHT, MAX_PROMPT_LINES = 330, 6, 15, 2
CHINESE_FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "PingFang.ttc", "STHeiti Light.ttc", "msyh.ttc", "simhei.ttf",
)  # fmt: skip

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_sheet(judged: Sequence[Judged], path: Path) -> None:
    """A picture of the clips: a row each, with its prompt, five frames, and every label in green or red."""
    height, width = judged[0].frames.shape[1:3]
    row_height = max(height, LINE_HEIGHT * (MAX_PROMPT_LINES + len(LABELS))) + GAP
    sheet = Image.new("RGB", (GAP + TEXT_WIDTH + SHEET_FRAMES * (width + GAP), GAP + len(judged) * row_height), PAPER)
    draw = ImageDraw.Draw(sheet)
    chinese = find_chinese_font()
    for i, clip in enumerate(judged):
        top = GAP + i * row_height
        _draw_text(draw, clip, top, chinese)
        for k, frame in enumerate(np.linspace(0, len(clip.frames) - 1, SHEET_FRAMES).round().astype(int)):
            sheet.paste(Image.fromarray(clip.frames[frame]), (GAP + TEXT_WIDTH + k * (width + GAP), top))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _draw_text(draw: ImageDraw.ImageDraw, clip: Judged, top: int, chinese: Font | None) -> None:
    latin = ImageFont.load_default(12)
    is_chinese = has_chinese(clip.row.prompt)
    font = chinese if is_chinese and chinese else latin
    prompt = "(a Chinese prompt; no font for it here)" if is_chinese and not chinese else clip.row.prompt
    for i, line in enumerate(_wrap(draw, f"{clip.row.number}  {prompt}", font)):
        draw.text((GAP, top + i * LINE_HEIGHT), line, INK, font)
    for i, label in enumerate(LABELS):
        text, colour = _verdict(clip, label)
        draw.text((GAP, top + (MAX_PROMPT_LINES + i) * LINE_HEIGHT), text, colour, latin)


def _verdict(clip: Judged, label: str) -> tuple[str, tuple[int, int, int]]:
    seen = f"{label}: {clip.answer[label]}"
    match clip.is_right(label):
        case True:
            return seen, RIGHT
        case False:
            return f"{seen}, not {clip.row.labels[label]}", WRONG
        case None:
            return f"{seen} (not asked)", FAINT


def _wrap(draw: ImageDraw.ImageDraw, text: str, font: Font) -> list[str]:
    """Lines that fit the text column; Chinese breaks anywhere, English between words. What does not fit is cut off."""
    lines = [""]
    for piece in re.findall(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]+|\s+", text):
        if draw.textlength(lines[-1] + piece, font) > TEXT_WIDTH - 2 * GAP:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return lines if len(lines) <= MAX_PROMPT_LINES else [*lines[: MAX_PROMPT_LINES - 1], lines[MAX_PROMPT_LINES - 1].rstrip() + " …"]


def find_chinese_font(size: int = 13) -> Font | None:
    """The first font of this system that is known to have Chinese characters."""
    for name in CHINESE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


# ------------------------------------------------------------------------------------------------------------------- cli


def _between(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """An argparse type: a number within bounds."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed; must be from {low:g} to {high:g}")
        return value

    return parse


def make_parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="evaluate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--prompts", type=Path, help="JSON lines; default: the held-out prompts")
    parser.add_argument("--model", default="pocket", help="a packaged model's name or a checkpoint folder")
    parser.add_argument("--steps", type=_between(int, 1, MAX_STEPS), default=defaults.steps, help="denoising steps")
    parser.add_argument("--sampler", choices=SAMPLERS, default=defaults.sampler)
    parser.add_argument("--guidance-scale", type=_between(float, 0.0, MAX_GUIDANCE), default=defaults.guidance_scale)
    parser.add_argument("--limit", type=_between(int, 1, 10**6), help="judge only so many prompts, evenly spaced over the file")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines for people")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sheet", type=Path, metavar="PNG", help=f"also write a picture of the clips (of {SHEET_PROMPTS} by default)")
    what.add_argument("--sweep", action="store_true", help=f"held-out prompts against steps and samplers, into {RESULTS}")
    return parser


def find_folder(model: str) -> Path:
    """The checkpoint folder of a packaged model's name, or the folder that `model` itself names."""
    packaged = PACKAGED_MODELS / model
    return packaged if re.fullmatch(r"[\w-]+", model) and packaged.is_dir() else Path(model)


def make_judge(model: str) -> Judge:
    """The model on the CPU, and the shipped classifier."""
    return Judge(Engine(load_model(find_folder(model), torch.device("cpu")), max_group=BATCH), load_classifier())


def as_lines(result: Mapping[str, Any]) -> str:
    """A result for people."""
    lines = [f"{label:8} {_share(result[label]):>8}" for label in LABELS]
    return "\n".join([*lines, f"{result['num_prompts']} prompts, {result['sampler']}, {result['steps']} steps, {result['seconds']} s"])


def run(args: argparse.Namespace) -> str:
    """What goes to stdout."""
    settings = Settings(steps=args.steps, sampler=args.sampler, guidance_scale=args.guidance_scale)
    default_limit = SWEEP_PROMPTS if args.sweep else SHEET_PROMPTS if args.sheet else None
    rows = spread(read_rows(args.prompts or HELD_OUT), args.limit or default_limit)
    judge = make_judge(args.model)
    if args.sweep:
        report = sweep(judge, rows, settings)
        return json.dumps(report, ensure_ascii=False) if args.json else as_markdown(report)
    result = evaluate(judge, rows, settings, args.sheet)
    return json.dumps(result, ensure_ascii=False) if args.json else as_lines(result)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser()
    args = parser.parse_args(arguments)
    if args.sweep and args.prompts:
        parser.error("--sweep reads the held-out prompts; leave --prompts out")
    try:
        print(run(args))
    except PromptsError as error:
        parser.exit(2, f"evaluate: {error}\n")
    except CineletError as error:
        parser.exit(2, f"evaluate: {error.message}\n")


if __name__ == "__main__":
    main()
