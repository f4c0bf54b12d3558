"""Reports are whole pages without other files, and charts are pictures whatever is drawn on them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from cinelet.capacity.charts import Chart
from cinelet.capacity.report import ReportFigure, ReportTable, cell_text, write_report
from cinelet.errors import RequestError


def test_a_report_is_a_page_with_everything_in_it_and_the_numbers_beside_it(tmp_path: Path) -> None:
    chart = Chart("A <b>title</b>", x="hours", y="arrivals")
    chart.line([0, 1, 2], [1, 4, 2], "history")
    chart.band([1, 2], [3, 1], [5, 3], "90 %")
    png = chart.png()
    page = write_report(
        tmp_path / "new" / "folder",
        "forecast",
        title="Five < six",
        data={"wape": float("nan"), "values": [1.5, float("inf")]},
        tables=[ReportTable(title="T", columns=["a", "b"], rows=[["<script>", 1.23456], [None, 12_345]])],
        figures=[ReportFigure(name="history", title="H", png=png, note='says "more"')],
        notes=["a note"],
    )
    assert page == tmp_path / "new" / "folder" / "forecast.html"
    text = page.read_text()
    assert "Five &lt; six" in text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert 'src="data:image/png;base64,' in text
    assert "http" not in text
    assert ">1.23<" in text
    assert ">12,345<" in text
    assert json.loads((page.parent / "forecast.json").read_text()) == {"wape": None, "values": [1.5, None]}
    assert (page.parent / "history.png").read_bytes() == png


def test_a_chart_with_nothing_on_it_and_one_with_everything_are_pictures() -> None:
    empty = Chart("Nothing", x="x", y="y", log="xy")
    empty.shares([], "none")
    full = Chart("All", x="x", y="y", log="y")
    full.steps([0, 1], [1, 2], "steps", filled=True)
    full.points(range(1, 50_000), range(1, 50_000), "cloud")
    full.shares([3.0, 1.0, 2.0])
    full.level(2.0, "target")
    full.moment(1.0)
    bars = [Chart("Bars", x="", y="%") for _ in range(2)]
    for chart in bars:
        chart.bars(["fifo", "cinelet"], {"free": [20, 80], "vip": [30, 99]})
    pictures = [chart.png() for chart in (empty, full, *bars)]
    for picture in pictures:
        with Image.open(io.BytesIO(picture)) as image:
            assert image.size[0] > 500
    assert pictures[2] == pictures[3]


def test_a_legend_of_long_names_stays_on_the_picture() -> None:
    chart = Chart("Long", x="x", y="y")
    for number in range(6):
        chart.shares([1.0, 2.0], f"a rather long name, {number}")
    chart.png()
    [legend] = chart._figure.legends
    assert legend.get_window_extent().width <= chart._figure.bbox.width


def test_a_missing_matplotlib_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RequestError, match=r"pip install 'cinelet\[lab\]'"):
        Chart("T", x="x", y="y")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (1.23456, "1.23"),
        (123.4, "123"),
        (1234567, "1,234,567"),
        (float("inf"), "∞"),
        ("vip", "vip"),
        (True, "True"),
    ],
)
def test_cells_are_short(cell: object, text: str) -> None:
    assert cell_text(cell) == text
