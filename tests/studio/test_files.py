"""The studio's files: nothing from elsewhere, nothing inline, and every sentence in both languages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cinelet

STUDIO = Path(cinelet.__file__).with_name("studio")
SCRIPTS = sorted(STUDIO.glob("*.js"))
HTML = (STUDIO / "index.html").read_text(encoding="utf-8")
TEXT = r'"((?:[^"\\]|\\.)*)"'


def sentences_on_the_page() -> set[str]:
    texts = set(re.findall(r"<[^>]*\bdata-t>([^<]+)<", HTML))
    for tag, names in re.findall(r'(<[^>]*\bdata-t="([^"]*)"[^>]*>)', HTML):
        texts |= {re.search(rf'\b{name}="([^"]*)"', tag)[1] for name in names.split()}
    return texts


def sentences_in_scripts() -> set[str]:
    texts: set[str] = set()
    for path in SCRIPTS:
        for call in re.findall(r"\bt\(([^;]*)", path.read_text(encoding="utf-8")):
            texts |= {text for text in re.findall(TEXT, call) if re.match(r"[A-Za-z{]", text) and " " in text}
    words = (STUDIO / "words.js").read_text(encoding="utf-8")
    for table in ("STAGES", "ADVICE"):
        texts |= set(re.findall(rf": {TEXT}", re.search(rf"const {table} = {{(.*?)\n}};", words, re.DOTALL)[1]))
    return texts


def chinese() -> dict[str, str]:
    table = re.search(r"const ZH = {(.*)};", (STUDIO / "words.js").read_text(encoding="utf-8"), re.DOTALL)[1]
    lines = re.findall(rf"^  (?:{TEXT}|(\w+)): {TEXT},$", table, re.MULTILINE)
    return {plain or json.loads(f'"{quoted}"'): said for quoted, plain, said in lines}


def test_every_sentence_is_said_in_chinese_too() -> None:
    missing = (sentences_on_the_page() | sentences_in_scripts()) - set(chinese())
    assert missing == set()


def test_a_translation_keeps_the_places_for_values() -> None:
    for english, said in chinese().items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", said)), english


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for path in STUDIO.iterdir():
        links = re.findall(r"https?://[^\s\"'`]+", path.read_text(encoding="utf-8"))
        assert [link for link in links if link != "http://www.w3.org/2000/svg"] == [], path.name


def test_nothing_on_the_page_is_inline_so_that_a_strict_policy_holds() -> None:
    assert re.findall(r"<style|\bstyle=|\bon\w+=|<script(?![^>]*\bsrc=)", HTML) == []


def test_every_part_and_icon_that_is_named_exists() -> None:
    assert set(re.findall(r'<use href="#([\w-]+)"', HTML)) <= set(re.findall(r'<symbol id="([\w-]+)"', HTML))
    ids = set(re.findall(r'\bid="([\w-]+)"', HTML))
    for path in SCRIPTS:
        assert set(re.findall(r'(?:getElementById|byId|fromTemplate)\("([\w-]+)"\)', path.read_text(encoding="utf-8"))) <= ids, path.name
