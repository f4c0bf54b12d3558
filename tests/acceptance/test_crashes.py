"""Plugs are pulled, nothing is lost. Longer loops: `benchmarks/crash.py`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.crash import Plan, run_crashes


def test_sqlite_loses_nothing_when_the_one_process_is_killed(tmp_path: Path) -> None:
    verdict = run_crashes(str(tmp_path / "cinelet.db"), tmp_path, Plan(serve_kills=40, seed=1))
    assert verdict.is_clean, verdict
    assert verdict.acknowledged > 40


def test_postgresql_loses_nothing_when_workers_and_gateways_are_killed(tmp_path: Path, postgres_url: str) -> None:
    verdict = run_crashes(postgres_url, tmp_path, Plan(worker_kills=60, gateway_kills=12, freezes=3, seed=2))
    assert verdict.is_clean, verdict
    assert verdict.acknowledged > 40
