"""What can drift from the code is compared with it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import readme
from cinelet.settings import Settings, reference_page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "GLOSSARY.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "training").rglob("*.md"))


def test_the_tree_in_the_architecture_page_is_the_tree_on_disk() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^  (\w+)[/.]", text.split("```")[1], re.MULTILINE))
    source = ROOT / "src" / "cinelet"
    parts = {path.stem for path in source.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert named == parts - {"__init__", "__main__", "__pycache__"}


def test_the_settings_page_is_the_settings() -> None:
    assert (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8") == reference_page()
    assert all(field.description for field in Settings.model_fields.values())


def test_every_dependency_has_its_reason() -> None:
    listed = re.findall(r'^    "([A-Za-z0-9-]+)[>=<]', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    reasons = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").lower()
    assert listed
    assert [name for name in listed if name.lower() not in reasons] == []


def test_every_dependency_is_pinned() -> None:
    listed = set(re.findall(r'"([A-Za-z0-9-]+)>=', (ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    normal = {name.lower().replace("_", "-") for name in pinned}
    assert {name for name in listed if name != "setuptools" and name.lower() not in normal} == set()


def test_the_numbers_of_the_readme_are_the_measured_ones() -> None:
    assert readme.block() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = (ROOT / "README.md").read_text(encoding="utf-8").split("```python")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(example, {})  # noqa: S102 - our own page
    assert (tmp_path / "balloon.mp4").stat().st_size > 1000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert link.startswith("http") or (page.parent / link).exists(), f"{page} links to {link}"
    for name in re.findall(r"`((?:src|tests|training|benchmarks|docs)/[\w/.-]+)`", text):
        assert (ROOT / name).exists(), f"{page} names {name}"


def test_only_whole_text_is_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    large = [name for name in tracked if (ROOT / name).is_file() and (ROOT / name).stat().st_size > 24 << 20]
    assert large == []
