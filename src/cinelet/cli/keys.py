"""`cinelet keys`: API keys of tenants. A secret is shown once."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cinelet.settings import load_settings

if TYPE_CHECKING:
    from cinelet.jobs import Store

keys = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)

StoreUrl = Annotated[str | None, typer.Option("--store", help="Database: a path, or postgresql://user@host/database.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@keys.command()
def create(  # noqa: PLR0917 - the options of a command
    tenant: Annotated[str, typer.Argument(help="Whose key it is; the account is made where there is none.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    tier: Annotated[str | None, typer.Option(help="free, standard or vip.")] = None,
    quota_s: Annotated[float | None, typer.Option(help="GPU-seconds the account may use in all.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="Submissions a minute.")] = None,
    max_waiting: Annotated[int | None, typer.Option(help="Jobs that may wait at once.")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; its secret goes to stdout."""
    from dataclasses import replace  # noqa: PLC0415

    from cinelet.jobs import Tenant  # noqa: PLC0415

    opened = _open(store)
    try:
        account = opened.tenants.find(tenant) or Tenant(id=tenant)
        given = {"tier": tier, "quota_s": quota_s, "requests_per_minute": requests_per_minute, "max_waiting": max_waiting}
        opened.tenants.put(replace(account, **{field: value for field, value in given.items() if value is not None}))  # type: ignore[arg-type]
        secret, key = opened.tenants.create_key(tenant, name)
    finally:
        opened.close()
    print(json.dumps({**asdict(key), "secret": secret}) if as_json else secret)  # noqa: T201 - a result goes to stdout


@keys.command("list")
def list_keys(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """Show keys, never their secrets."""
    opened = _open(store)
    try:
        found = opened.tenants.keys()
    finally:
        opened.close()
    if as_json:
        print(json.dumps([asdict(key) for key in found]))  # noqa: T201
        return
    table = Table("key", "tenant", "name", "ends in", "created", "revoked")
    for key in found:
        table.add_row(key.id, key.tenant, key.name, key.hint, _day(key.created_at), "" if key.revoked_at is None else _day(key.revoked_at))
    Console().print(table)


@keys.command()
def revoke(key: Annotated[str, typer.Argument(help="The key's id, from `cinelet keys list`.")], store: StoreUrl = None) -> None:
    """End a key; gateways notice within seconds."""
    opened = _open(store)
    try:
        opened.tenants.revoke_key(key)
    finally:
        opened.close()


def _open(url: str | None) -> Store:
    from cinelet.jobs import Store  # noqa: PLC0415 - a database is not needed for `--help`

    return Store(load_settings(store=url).store)


def _day(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M")
