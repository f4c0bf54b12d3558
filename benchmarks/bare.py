"""The least a durable POST can be in this stack: FastAPI, one insert, one commit. `benchmarks/service.py` compares with it."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from sqlalchemy import JSON, Column, Integer, MetaData, Table, insert

from cinelet.jobs import Database

metadata = MetaData()
rows = Table("bare_rows", metadata, Column("id", Integer, primary_key=True), Column("body", JSON))
database = Database(os.environ["BARE_STORE"])
database.write(metadata.create_all)
app = FastAPI()


@app.post("/row")
def write_row(body: dict[str, Any]) -> dict[str, str]:
    """Write one row, durably."""
    database.write(lambda connection: connection.execute(insert(rows).values(body=body)))
    return {"status": "ok"}
