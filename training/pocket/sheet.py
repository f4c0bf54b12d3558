"""A picture of judged clips for eyes: a row each, with its prompt, five frames, and every label in green or red."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.pocket.judge import Judged
from training.pocket.prompts import has_chinese
from training.pocket.world import LABELS

SHEET_FRAMES = 5
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
