"""Bills as a table and as the curve of cost against waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cinelet.capacity.bill import Bill
from cinelet.capacity.charts import GREEN, Chart
from cinelet.capacity.report import ReportFigure, ReportTable, write_report

NAME = "cost"


def bill_table(bills: Sequence[Bill], chosen: int | None = None, currency: str = "") -> ReportTable:
    """One row a fleet; a star marks the chosen one."""
    money = f" {currency}" if currency else ""
    columns = (
        "gpus", "in time %", "p50 s", "p95 s", "mean wait s", "busy %", "gpu s a clip", f"a clip{money}", f"1000 calls{money}",
        f"an hour{money}",
    )  # fmt: skip
    return ReportTable(
        title="Cost", columns=columns, rows=[_row(bill, chosen) for bill in bills], note="A GPU is paid for whether it works or not."
    )


def write_cost_report(folder: Path, bills: Sequence[Bill], chosen: int | None, data: Mapping[str, Any], currency: str) -> Path:
    """Write cost.json, cost.html and the curve into `folder`; gives the page's path. Raises what `Draft` raises."""
    settings = ", ".join(f"{name} {value}" for name, value in data.get("settings", {}).items() if value is not None)
    note = "Each mark is a fleet; more GPUs cost more a call and make fewer wait."
    return write_report(
        folder,
        NAME,
        title="Cost",
        data=data,
        tables=[bill_table(bills, chosen, currency)],
        figures=[ReportFigure(name="cost-and-waiting", title="Cost against waiting", png=_curve(bills, chosen, currency), note=note)],
        notes=[settings] if settings else [],
    )


def _row(bill: Bill, chosen: int | None) -> list[object]:
    values = bill.to_json()
    return [
        f"{bill.num_devices}{' *' if bill.num_devices == chosen else ''}",
        100 * bill.slo_attainment,
        bill.p50_s,
        bill.p95_s,
        values["mean_wait_s"],
        100 * values["gpu_utilization"],
        values["gpu_seconds_per_clip"],
        values["money_per_clip"],
        values["money_per_1000_calls"],
        values["money_per_hour"],
    ]


def _curve(bills: Sequence[Bill], chosen: int | None, currency: str) -> bytes:
    costs = [bill.to_json()["money_per_1000_calls"] for bill in bills]
    chart = Chart("Cost against waiting", x=f"{currency or 'money'} for 1000 calls", y="seconds")
    chart.line(costs, [bill.mean_wait_s for bill in bills], "mean wait")
    chart.line(costs, [bill.p95_s or 0.0 for bill in bills], "p95 latency")
    for bill, cost in zip(bills, costs, strict=True):
        if bill.num_devices == chosen:
            chart.moment(cost, f"{chosen} GPUs", GREEN)
    return chart.png()
