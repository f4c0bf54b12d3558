"""Prompts with known answers, read from JSON lines; every fault is named by file, row and field. Nothing of models.

A line is an object: `prompt`, any of `subject`, `colour`, `motion` and `scene` as world.py names them, and perhaps
`language`. A label that a line leaves out is not judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cinelet.errors import InvalidValueError
from cinelet.video import check_choice, check_text
from training.pocket.world import LABELS


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
