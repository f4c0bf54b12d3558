"""A policy as a simulation names it: an order, with or without preemption, and what admission may do. Nothing of how they work."""

from __future__ import annotations

from dataclasses import dataclass

from cinelet.errors import InvalidValueError
from cinelet.scheduling.policy import ORDERS, Policy, policy_named

SUFFIXES = ("preempt", "no-preempt", "degrade", "refuse")
MAX_CONTENDERS = 40
GRAMMAR = f"NAME[+preempt|+no-preempt][+degrade][+refuse] with NAME one of {', '.join(ORDERS)}"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """What a run is made with. `name` is as it was given; equal names are one contender."""

    name: str
    policy: Policy
    may_degrade: bool = False
    may_refuse: bool = False


def parse_contenders(text: str, *, may_preempt: bool = True, may_degrade: bool = False, may_refuse: bool = False) -> list[Contender]:
    """Contenders from `NAME,NAME+preempt+degrade,…`; the switches are for all of them. Raises `InvalidValueError`."""
    names = [name.strip() for name in text.split(",")]
    if len(names) > MAX_CONTENDERS:
        raise InvalidValueError("policy", text, f"at most {MAX_CONTENDERS} at once")
    found: dict[str, Contender] = {}
    for name in names:
        order, *suffixes = name.split("+")
        if order not in ORDERS or not set(suffixes) <= set(SUFFIXES) or len(set(suffixes)) < len(suffixes):
            raise InvalidValueError("policy", name, f"must be {GRAMMAR}")
        if {"preempt", "no-preempt"} <= set(suffixes):
            raise InvalidValueError("policy", name, "cannot be with and without preemption")
        found[name] = Contender(
            name=name,
            policy=policy_named(_policy_name(order, suffixes, may_preempt=may_preempt)),
            may_degrade=may_degrade or "degrade" in suffixes,
            may_refuse=may_refuse or "refuse" in suffixes,
        )
    return list(found.values())


def _policy_name(order: str, suffixes: list[str], *, may_preempt: bool) -> str:
    if not may_preempt:
        return f"{order}+no-preempt"
    return next((f"{order}+{suffix}" for suffix in ("preempt", "no-preempt") if suffix in suffixes), order)
