"""The life of a job: its states, how it gets in, how it gets out. The one place where transitions are declared.

| state | gets in | gets out | lasts |
|---|---|---|---|
| scheduled | accepted for a later time, or waits after a failed attempt | its time comes | until `available_at` |
| available | accepted, released, or rescued | claimed, cancelled, its deadline passes | bounded by its deadline |
| running | claimed under a fresh lease token | result, failure, cancellation; lease lost | one lease, renewed by steps |
| succeeded | result, charge and event in one transaction | never | until retention removes the row |
| failed | the attempts are used up, or no other attempt can help | never | 〃 |
| cancelled | the client said so | never | 〃 |
| expired | its deadline passed before it ran | never | 〃 |

Attempts are counted when a job is claimed. Nothing here knows of databases.
"""

from __future__ import annotations

from typing import Literal

State = Literal["scheduled", "available", "running", "succeeded", "failed", "cancelled", "expired"]

TRANSITIONS: dict[State, frozenset[State]] = {
    "scheduled": frozenset({"available", "succeeded", "cancelled", "expired"}),
    "available": frozenset({"running", "succeeded", "cancelled", "expired"}),
    "running": frozenset({"available", "scheduled", "succeeded", "failed", "cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
    "expired": frozenset(),
}
"""Where a job may go from each state. scheduled and available → succeeded are jobs that follow another one's run."""

FINAL: tuple[State, ...] = ("succeeded", "failed", "cancelled", "expired")
WAITING: tuple[State, ...] = ("scheduled", "available")
OPEN: tuple[State, ...] = ("scheduled", "available", "running")

WIRE: dict[State, str] = {
    "scheduled": "queued",
    "available": "queued",
    "running": "in_progress",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "failed",
    "expired": "failed",
}
"""The four words that clients of the OpenAI contract know; any other word makes load tools poll without end."""

EVENTS: dict[State, str] = {
    "scheduled": "video.queued",
    "available": "video.queued",
    "running": "video.in_progress",
    "succeeded": "video.completed",
    "failed": "video.failed",
    "cancelled": "video.failed",
    "expired": "video.failed",
}


def sources_of(target: State) -> tuple[State, ...]:
    """The states from which a job may go to `target`: what an update must compare before it sets."""
    return tuple(state for state, targets in TRANSITIONS.items() if target in targets)
