from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from cinelet.errors import AuthenticationError, InvalidValueError, UnavailableError
from cinelet.gateway.access import Authenticator, Caller, KeySet, TokenChecker, TokenRules, check_open
from cinelet.gateway.access import authenticator as module
from cinelet.gateway.access.authenticator import MAX_HEADER_BYTES, REMEMBERED_S
from cinelet.jobs import Tenant
from cinelet.jobs.database import Database
from cinelet.jobs.schema import metadata
from cinelet.jobs.tenants import Tenants
from tests.support.issuer import AUDIENCE, ISSUER, Clock, Issuer

SECRET = "cinelet_" + "k" * 43


@dataclass
class Book:
    """Accounts in memory; it counts look-ups, and fails while `is_down`."""

    secrets: dict[str, Tenant] = field(default_factory=lambda: {SECRET: Tenant(id="acme", tier="vip")})
    tenants: dict[str, Tenant] = field(default_factory=dict)
    num_lookups: int = 0
    is_down: bool = False

    def find_by_secret(self, secret: str) -> Tenant | None:
        self.num_lookups += 1
        if self.is_down:
            raise UnavailableError("database: it cannot be reached; try again")
        return self.secrets.get(secret)

    def find(self, tenant_id: str) -> Tenant | None:
        self.num_lookups += 1
        return self.tenants.get(tenant_id)

    def ensure(self, tenant: Tenant) -> None:
        self.tenants.setdefault(tenant.id, tenant)


def ask(gate: Authenticator, header: str | None) -> Caller:
    return asyncio.run(gate.authenticate(header))


def test_a_key_opens_for_its_tenant() -> None:
    for header in (f"Bearer {SECRET}", f"bearer  {SECRET}", f"BEARER {SECRET} "):
        assert ask(Authenticator(Book()), header) == Caller(tenant=Tenant(id="acme", tier="vip"), how="key")


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", SECRET, f"Basic {SECRET}", f"Bearer{SECRET}", f"Bearer {SECRET} x", f"Bearer {SECRET[:-1]}",
        f"Bearer {SECRET}\n", f"Bearer {SECRET}\0", f"Bearer {SECRET}é", "Bearer cinelet_", f"Bearer cinelet_{'x' * 42}!",
        f"Bearer cinelet_{'x' * 200}", f"Bearer {'x' * MAX_HEADER_BYTES}", f"Bearer cinelet_{'y' * 43}", f"Bearer {SECRET.upper()}",
        "Bearer sk-proj-123", "Bearer a.b.c", f"Bearer {SECRET},Bearer {SECRET}",
    ],
    ids=repr,
)  # fmt: skip
def test_anything_else_does_not(header: str | None) -> None:
    with pytest.raises(AuthenticationError) as refusal:
        ask(Authenticator(Book()), header)
    assert "kkkk" not in refusal.value.message + refusal.value.detail


def test_what_cannot_be_a_key_costs_no_lookup() -> None:
    book = Book()
    for header in ("Bearer cinelet_short", f"Bearer cinelet_{'!' * 43}", f"Bearer {'x' * 9000}"):
        with pytest.raises(AuthenticationError):
            ask(Authenticator(book), header)
    assert book.num_lookups == 0


def test_a_known_key_is_looked_up_once_in_five_seconds_so_that_revoking_is_prompt() -> None:
    book, clock = Book(), Clock(0.0)
    gate = Authenticator(book, clock=clock)
    for _ in range(10):
        ask(gate, f"Bearer {SECRET}")
    assert book.num_lookups == 1
    book.secrets.clear()
    clock.now = REMEMBERED_S - 0.001
    assert ask(gate, f"Bearer {SECRET}").tenant.id == "acme"
    clock.now = REMEMBERED_S
    with pytest.raises(AuthenticationError):
        ask(gate, f"Bearer {SECRET}")
    assert REMEMBERED_S <= 5


def test_a_new_key_works_although_it_was_refused_before() -> None:
    book = Book(secrets={})
    gate = Authenticator(book, clock=Clock(0.0))
    with pytest.raises(AuthenticationError):
        ask(gate, f"Bearer {SECRET}")
    book.secrets[SECRET] = Tenant(id="acme")
    assert ask(gate, f"Bearer {SECRET}").tenant.id == "acme"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    secrets = {f"cinelet_{number:043d}": Tenant(id=str(number)) for number in range(10)}
    book = Book(secrets=secrets)
    gate = Authenticator(book, clock=Clock(0.0))
    for secret, tenant in secrets.items():
        assert ask(gate, f"Bearer {secret}").tenant == tenant
    assert len(gate._remembered) == 3
    assert not any(secret in name for secret in secrets for name in gate._remembered)


def test_a_store_that_is_down_is_no_refusal() -> None:
    with pytest.raises(UnavailableError):
        ask(Authenticator(Book(is_down=True)), f"Bearer {SECRET}")


def test_without_authentication_everyone_is_the_local_tenant() -> None:
    local = Tenant(id="local")
    gate = Authenticator(Book(), open_tenant=local)
    for header in (None, "Bearer whatever", f"Bearer {SECRET}", "\0"):
        assert ask(gate, header) == Caller(tenant=local, how="open")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_authentication_may_be_off_on_loopback(host: str) -> None:
    check_open(host)


EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound to it


@pytest.mark.parametrize(
    "host", [EVERYWHERE, "::", "", "192.168.1.5", "example.com", "localhost.example.com", "fd00::1", "127.0.0.1.nip.io"]
)
def test_authentication_may_not_be_off_elsewhere(host: str) -> None:
    with pytest.raises(InvalidValueError, match="while authentication is off"):
        check_open(host)


def with_tokens(book: Book) -> tuple[Authenticator, Issuer]:
    issuer = Issuer("ES256")
    rules = TokenRules(issuer=ISSUER, audience=AUDIENCE)
    checker = TokenChecker(rules, KeySet(issuer.fetch, ["ES256"], clock=Clock(0.0)), clock=Clock())
    return Authenticator(book, tokens=checker, clock=Clock(0.0)), issuer


def test_a_token_opens_for_the_tenant_it_names_and_makes_its_account() -> None:
    book = Book()
    gate, issuer = with_tokens(book)
    assert ask(gate, f"Bearer {issuer.token(tenant='newcomer', tier='free')}") == Caller(
        tenant=Tenant(id="newcomer", tier="free"), how="token"
    )
    assert book.tenants["newcomer"].tier == "free"


def test_an_account_keeps_its_bounds_and_the_token_says_the_tier_for_this_call() -> None:
    account = Tenant(id="acme", tier="free", requests_per_minute=7, quota_s=5.0)
    book = Book(tenants={"acme": account})
    gate, issuer = with_tokens(book)
    assert ask(gate, f"Bearer {issuer.token()}").tenant == account
    caller = ask(gate, f"Bearer {issuer.token(tier='vip')}").tenant
    assert (caller.tier, caller.requests_per_minute, caller.quota_s) == ("vip", 7, 5.0)
    assert book.tenants["acme"] is account


def test_keys_and_tokens_are_taken_side_by_side() -> None:
    gate, issuer = with_tokens(Book())
    assert ask(gate, f"Bearer {SECRET}").how == "key"
    assert ask(gate, f"Bearer {issuer.token()}").how == "token"
    with pytest.raises(AuthenticationError, match="token"):
        ask(gate, "Bearer sk-proj-123")


def test_a_tenant_and_a_key_of_one_name_are_not_mixed_up() -> None:
    """A token names its tenant as it likes; that name must not stand for what a key's digest found."""
    book = Book()
    gate, issuer = with_tokens(book)
    ask(gate, f"Bearer {SECRET}")
    (remembered,) = gate._remembered
    with pytest.raises(AuthenticationError):
        ask(gate, f"Bearer {issuer.token(tenant=remembered)}")


def test_keys_of_the_database_open_until_they_are_revoked() -> None:
    database = Database("sqlite://")
    try:
        database.write(metadata.create_all)
        tenants = Tenants(database)
        tenants.put(Tenant(id="acme", requests_per_minute=3))
        secret, key = tenants.create_key("acme", "laptop")
        clock = Clock(0.0)
        gate = Authenticator(tenants, clock=clock)
        assert ask(gate, f"Bearer {secret}").tenant.requests_per_minute == 3
        tenants.revoke_key(key.id)
        clock.now = REMEMBERED_S
        with pytest.raises(AuthenticationError):
            ask(gate, f"Bearer {secret}")
    finally:
        database.close()
