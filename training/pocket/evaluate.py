"""How well a model does what prompts say: clips are generated, the classifier reads them, and each label is right or wrong.

    python -m training.pocket.evaluate --prompts FILE.jsonl --steps 16 --json
    python -m training.pocket.evaluate --sweep
    python -m training.pocket.evaluate --sheet OUT.png --limit 24

The prompts file is described in prompts.py. A line's number is its seed. The classifier's own accuracy on drawn clips stands
beside every result.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import RESULTS, write
from cinelet.engine import Engine, load_model
from cinelet.errors import CineletError
from cinelet.models import Catalogue
from cinelet.models.catalogue import card_of_folder
from cinelet.settings import load_settings
from cinelet.video import MAX_GUIDANCE, MAX_STEPS, SAMPLERS, STEP_CACHES, VAE_TIERS
from training.pocket.classifier import load_classifier
from training.pocket.judge import BATCH, Judge, Settings, summarise
from training.pocket.prompts import PromptsError, read_rows, spread
from training.pocket.sheet import draw_sheet
from training.pocket.sweep import as_markdown, share, sweep
from training.pocket.world import LABELS

HELD_OUT = Path(__file__).with_name("held_out_prompts.jsonl")
SWEEP_PROMPTS = 200
SHEET_PROMPTS = 24


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
    parser.add_argument("--guidance-scale", type=_between(float, 0.0, MAX_GUIDANCE), default=None, help="default: the model's own")
    parser.add_argument("--vae", choices=VAE_TIERS, default=defaults.vae, help="decoder")
    parser.add_argument("--step-cache", choices=STEP_CACHES, default=defaults.step_cache, help="how many steps are drawn on")
    parser.add_argument("--limit", type=_between(int, 1, 10**6), help="judge only so many prompts, evenly spaced over the file")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines for people")
    parser.add_argument("--record", metavar="NAME", help="also write benchmarks/results/NAME.json, with the origin of the figures")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--sheet", type=Path, metavar="PNG", help=f"also write a picture of the clips (of {SHEET_PROMPTS} by default)")
    what.add_argument("--sweep", action="store_true", help=f"held-out prompts against steps and samplers, into {RESULTS}")
    return parser


def make_judge(model: str) -> Judge:
    """A catalogue model, or the checkpoint in a folder, on the CPU, and the shipped classifier."""
    catalogue = Catalogue(load_settings().models_dir)
    card = catalogue.get(model) if model in {card.name for card in catalogue.list()} else card_of_folder(Path(model))
    return Judge(card, Engine(load_model(card.folder, torch.device("cpu"), adapters=card.adapters), max_group=BATCH), load_classifier())


def as_lines(result: Mapping[str, Any]) -> str:
    """A result for people."""
    lines = [f"{label:8} {share(result[label]):>8}" for label in LABELS]
    return "\n".join([*lines, f"{result['num_prompts']} prompts, {result['sampler']}, {result['steps']} steps, {result['seconds']} s"])


def run(args: argparse.Namespace) -> str:
    """What goes to stdout."""
    settings = Settings(
        steps=args.steps, sampler=args.sampler, guidance_scale=args.guidance_scale, vae=args.vae, step_cache=args.step_cache
    )
    default_limit = SWEEP_PROMPTS if args.sweep else SHEET_PROMPTS if args.sheet else None
    rows = spread(read_rows(args.prompts or HELD_OUT), args.limit or default_limit)
    judge = make_judge(args.model)
    if args.sweep:
        report = sweep(judge, rows, settings)
        return json.dumps(report, ensure_ascii=False) if args.json else as_markdown(report)
    began = time.monotonic()
    judged = list(judge.judge(rows, settings))
    result = {**summarise(judged, settings, time.monotonic() - began), "model_digest": judge.engine.model.digest}
    if args.record:
        write(args.record, result)
    if args.sheet:
        draw_sheet(judged, args.sheet)
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
