"""A job of the simulator: the same `Work` that the production scheduler sees, on a clock that jumps."""

from __future__ import annotations

from math import ceil

from cinelet.scheduling.work import MIN_STEPS_LEFT

EPSILON_S = 1e-9


class SimJob:
    """One arrival. Work is counted in seconds alone on a free device, as predicted; `asked_s` is that of the clip that was asked for.

    A turn is one stay on a device: from `began_at` on, with `turn_left_s` left to do then. What is left is `left_s` at `since`, and
    falls by `rate` a second from there; alone on the device that is `speed`, 1 where the prediction is right. After the last step follow
    `decode_s`, which nothing interrupts. `shape` is what jobs must share to be stepped together.
    """

    __slots__ = (
        "arrived_at", "asked_s", "began_at", "decode_s", "due_at", "id", "is_overdue_turn", "left_s", "model", "num_parks", "number",
        "offer", "rank", "rate", "shape", "since", "solo_s", "speed", "step_s", "tenant", "turn_left_s",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        *,
        arrived_at: float,
        due_at: float,
        solo_s: float,
        step_s: float,
        rank: int,
        decode_s: float = 0.0,
        speed: float = 1.0,
        tenant: str = "",
        model: str = "",
        shape: object = None,
    ) -> None:
        self.number = number
        self.id = str(number)
        self.tenant = tenant
        self.model = model
        self.shape = shape
        self.rank = rank
        self.arrived_at = arrived_at
        self.due_at = due_at
        self.asked_s = self.solo_s = self.left_s = self.turn_left_s = solo_s
        self.step_s = step_s
        self.decode_s = decode_s
        self.since: float | None = None
        self.began_at = arrived_at
        self.speed = self.rate = speed
        self.num_parks = 0
        self.offer = 0
        self.is_overdue_turn = False

    def left_at(self, now: float) -> float:
        """Seconds of work left, alone on a free device."""
        if self.since is None or now <= self.since:
            return self.left_s
        return self.left_s - (now - self.since) * self.rate

    def can_park(self, now: float) -> bool:
        """At the end of a step, of which each turn gets one, and not near its end."""
        if self.since is None or now < self.began_at:
            return False
        return self._turn_steps(now) * self.step_s <= self.turn_left_s - MIN_STEPS_LEFT * self.step_s - self.decode_s + EPSILON_S

    def next_boundary(self, now: float) -> float:
        """When the step under way ends. Only a running job has one."""
        done_s = self.turn_left_s - self.left_at(now)
        return now + max(0.0, self._turn_steps(now) * self.step_s - done_s) / self.rate

    def _turn_steps(self, now: float) -> int:
        """Steps of this turn that will have ended when the one under way has."""
        return max(1, ceil((self.turn_left_s - self.left_at(now)) / self.step_s - EPSILON_S))

    def lighter(self, share: float, offer: int) -> SimJob:
        """The clip of rung `offer` of the ladder instead: fewer steps of the same length, `share` of the work that was asked for."""
        solo_s = self.asked_s * share
        job = SimJob(
            self.number, arrived_at=self.arrived_at, due_at=self.due_at, solo_s=solo_s, step_s=self.step_s, rank=self.rank,
            decode_s=self.decode_s, speed=self.speed, tenant=self.tenant, model=self.model, shape=self.shape,
        )  # fmt: skip
        job.asked_s = self.asked_s
        job.offer = offer
        return job

    def begin(self, at: float) -> None:
        """Take a device, now or at the end of another's step."""
        self.since = self.began_at = at
        self.turn_left_s = self.left_s

    def settle(self, now: float) -> None:
        """Take what was done off what is left; the turn goes on from here."""
        if self.since is not None and now > self.since:
            self.left_s = max(0.0, self.left_s - (now - self.since) * self.rate)
            self.since = now

    def leave(self, at: float) -> None:
        """Give the device up, with what was done until `at`."""
        self.settle(at)
        self.since = None
