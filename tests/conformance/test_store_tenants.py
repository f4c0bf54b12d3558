"""Accounts, keys and usage on every database."""

from __future__ import annotations

import pytest

from cinelet.errors import InvalidValueError, NotFoundError
from cinelet.jobs import Tenant
from cinelet.jobs.schema import api_keys
from tests.support.world import World


def test_an_account_can_be_created_and_changed_and_what_it_used_stays(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", tier="vip", quota_s=10.0))
    world.succeed(world.claim(world.submit(reserved_s=4.0).job.id), spent_s=4.0)
    world.submit(reserved_s=2.0)
    world.store.tenants.put(Tenant(id="ann", tier="free", max_waiting=3, requests_per_minute=60, quota_s=20.0, used_s=99.0))
    expected = Tenant(id="ann", tier="free", max_waiting=3, requests_per_minute=60, quota_s=20.0, used_s=4.0, reserved_s=2.0)
    assert world.store.tenants.find("ann") == expected


@pytest.mark.parametrize("changes", [{"tier": "gold"}, {"id": ""}, {"id": "x" * 65}, {"id": "a\nb"}])
def test_an_account_has_a_known_tier_and_a_printable_name(world: World, changes: dict[str, str]) -> None:
    with pytest.raises(InvalidValueError):
        world.store.tenants.put(Tenant(**{"id": "carl", **changes}))


def test_ensure_leaves_an_account_as_it_is(world: World) -> None:
    world.store.tenants.put(Tenant(id="ann", tier="vip"))
    world.store.tenants.ensure(Tenant(id="ann"))
    world.store.tenants.ensure(Tenant(id="carl"))
    assert [world.store.tenants.find(name).tier for name in ("ann", "carl")] == ["vip", "standard"]


def test_an_unknown_account_is_none(world: World) -> None:
    assert world.store.tenants.find("carl") is None


def test_a_key_leads_to_its_account_until_it_is_revoked(world: World) -> None:
    secret, key = world.store.tenants.create_key("ann", "laptop")
    assert world.store.tenants.find_by_secret(secret) == world.store.tenants.find("ann")
    world.store.tenants.revoke_key(key.id)
    assert world.store.tenants.find_by_secret(secret) is None
    with pytest.raises(NotFoundError):
        world.store.tenants.revoke_key(key.id)


@pytest.mark.parametrize("guess", ["", "cinelet_", "cinelet_" + "A" * 43, "'; DROP TABLE api_keys; --", "\x00", "é" * 5000])
def test_a_guess_leads_nowhere(world: World, guess: str) -> None:
    world.store.tenants.create_key("ann", "laptop")
    assert world.store.tenants.find_by_secret(guess) is None


def test_a_secret_is_not_in_the_database(world: World) -> None:
    secret, key = world.store.tenants.create_key("ann", "laptop")
    assert secret not in str(world.rows(api_keys))
    assert world.store.tenants.keys() == [key]
    assert secret.endswith(key.hint)


def test_two_keys_are_never_alike(world: World) -> None:
    secrets = {world.store.tenants.create_key("ann", "k")[0] for _ in range(20)}
    assert len(secrets) == 20


def test_a_key_needs_an_account(world: World) -> None:
    with pytest.raises(NotFoundError):
        world.store.tenants.create_key("carl", "laptop")


def test_usage_counts_from_an_instant(world: World) -> None:
    world.succeed(world.claim(world.submit().job.id), spent_s=2.0)
    world.clock.advance(100)
    middle = world.clock()
    world.succeed(world.claim(world.submit().job.id), spent_s=3.0)
    world.succeed(world.claim(world.submit(tenant="bob").job.id), spent_s=50.0)
    assert world.store.tenants.usage_s("ann", 0.0) == 5.0
    assert world.store.tenants.usage_s("ann", middle) == 3.0
    assert world.store.tenants.usage_s("carl", 0.0) == 0.0
