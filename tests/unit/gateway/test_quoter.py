"""What one is told of the wait."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy import update

from cinelet.cli.house import make_pricers
from cinelet.errors import UnavailableError
from cinelet.gateway.quoter import GLANCE_S, REFRESH_S, Quoter, beside_device_s, between_clips_s, quote
from cinelet.jobs import DECODING, Candidate, Job, Tier
from cinelet.jobs.schema import jobs
from cinelet.models import Catalogue
from cinelet.scheduling import RANKS, Outlook, policy_named
from cinelet.scheduling.foresight import usual_s
from cinelet.scheduling.outlook import OVERTAKEN
from tests.support.world import PLAN, World, open_world

NOW = 1000.0


def candidate(job_id: str, tier: Tier, left_s: float, due_s: float = 100.0) -> Candidate:
    return Candidate(
        id=job_id,
        tenant="acme",
        tier=tier,
        state="available",
        created_at=NOW,
        due_at=NOW + due_s,
        work_s=left_s,
        left_s=left_s,
        attempt=0,
        shape="160x96x17",
    )


@pytest.mark.parametrize("tier", list(RANKS))
def test_a_wait_is_quoted_longer_for_those_who_are_overtaken_and_the_work_is_not(tier: Tier) -> None:
    line = Outlook([candidate("first", tier, 10.0)], [], num_places=1, policy=policy_named("fifo"), now=NOW)
    told = quote(candidate("second", tier, 4.0), line, NOW + 2, overhead_s=0.5)
    assert told.wait_s == pytest.approx((10.0 - 2) * OVERTAKEN[RANKS[tier]])
    assert told.eta_s == pytest.approx(told.wait_s + 4.5)


def test_nobody_who_starts_at_once_is_told_to_wait() -> None:
    idle: Outlook[Candidate] = Outlook([], [], num_places=1, policy=policy_named("cinelet"), now=NOW)
    assert quote(candidate("only", "free", 4.0), idle, NOW, overhead_s=0.0).eta_s == pytest.approx(4.0)


@pytest.mark.parametrize(("due_s", "wait_s"), [(100.0, 13.0), (15.0, 11.0), (14.0, 10.0), (13.0, 10.0)])
def test_who_can_be_in_time_is_not_told_a_later_time(due_s: float, wait_s: float) -> None:
    line = Outlook([candidate("first", "free", 10.0)], [], num_places=1, policy=policy_named("fifo"), now=NOW)
    assert quote(candidate("second", "free", 4.0, due_s), line, NOW, overhead_s=0.0).wait_s == pytest.approx(wait_s)


def test_the_best_tier_is_overtaken_least() -> None:
    assert OVERTAKEN[RANKS["vip"]] == 1.0 < OVERTAKEN[RANKS["standard"]] < OVERTAKEN[RANKS["free"]]


@pytest.mark.parametrize(
    ("stage", "left_s", "gives_way"),
    [("denoise_high", 8.0, True), ("denoise_high", 2.5, True), ("denoise_high", 2.4, False), (DECODING, 8.0, False)],
)
def test_a_quote_of_the_best_tier_knows_who_gives_way_at_the_end_of_a_step(stage: str, left_s: float, gives_way: bool) -> None:
    running = replace(candidate("runs", "free", left_s), state="running", stage=stage, firm_s=2.5, told_step_s=0.8)
    line = Outlook([], [running], num_places=1, policy=policy_named("cinelet"), now=NOW)
    assert quote(candidate("comes", "vip", 1.0, 1.0), line, NOW, overhead_s=0.0).wait_s == pytest.approx(0.4 if gives_way else left_s)


def quoter_of(world: World) -> Quoter:
    return Quoter(world.store, make_pricers(Catalogue(Path("nowhere")), ["pocket"]), policy=policy_named("cinelet"), clock=world.clock)


def test_the_line_is_read_anew_soon_after_something_happened_and_otherwise_seldom() -> None:
    world = open_world("sqlite://")
    quoter = quoter_of(world)
    assert quoter.glance() is None, "it was never read"
    outlook = quoter.look()
    world.clock.advance(REFRESH_S)
    world.store.bell.ring("outbox")
    assert quoter.glance() is outlook
    world.submit()
    assert [quoter.glance() for _ in range(2)] == [None, outlook], "one asks for all"
    quoter.look()
    world.clock.advance(2 * REFRESH_S)
    assert quoter.glance() is None, "a ring may have been lost"
    quoter.close()
    quoter.look()
    world.submit()
    world.clock.advance(REFRESH_S)
    assert quoter.glance() is not None, "nobody listens any more"
    world.store.close()


def test_a_reading_of_the_line_that_fails_is_no_news_heard() -> None:
    world = open_world("sqlite://")
    quoter = quoter_of(world)
    quoter.look()
    world.submit()
    with (
        mock.patch.object(world.store.register, "running", side_effect=UnavailableError("the store is away")),
        pytest.raises(UnavailableError),
    ):
        quoter.look()
    world.clock.advance(2 * GLANCE_S)
    assert quoter.glance() is None
    world.store.close()


def test_a_running_clip_is_aged_and_has_the_steps_of_its_plan_and_its_last_ones_and_its_decode_are_its_own() -> None:
    world = open_world("sqlite://")
    quoter = quoter_of(world)
    cost = quoter.price(PLAN)
    lease = world.claim(world.submit(work_s=10.0).job.id)
    world.clock.advance(4.0)
    [running] = quoter.look().running
    assert (running.left_s, running.firm_s) == (pytest.approx(6.0), pytest.approx(2 * cost.step_s + cost.decode_s))
    assert running.step_s == pytest.approx(cost.step_s)
    assert quoter.place(lease.job) == (0, pytest.approx(6.0 + quoter.overhead_s))
    world.store.close()


def finished(started_after_s: float | None, took_s: float, attempt: int = 1) -> Job:
    return Job(
        id="video_local_1",
        tenant="acme",
        tier="free",
        state="succeeded",
        plan=PLAN,
        created_at=NOW,
        available_at=NOW,
        started_at=None if started_after_s is None else NOW + started_after_s,
        finished_at=NOW + took_s,
        attempt=attempt,
        report={"inference_time_s": 2.0},
    )


def test_what_a_clip_takes_beside_the_device_counts_from_its_acceptance_to_its_file() -> None:
    assert beside_device_s(finished(0.05, 2.3)) == pytest.approx(0.3)


def test_short_waits_for_a_device_are_not_taken_for_what_every_clip_needs() -> None:
    world = open_world("sqlite://")
    quoter = quoter_of(world)
    for starts_after_s in [0.01, 0.2, 0.01, 0.22, 0.24]:
        lease = world.claim(world.submit().job.id)
        started_at = world.clock() + starts_after_s
        world.succeed(lease)
        report = {"inference_time_s": 1.0, "stage_durations_s": {"denoise_high": 1.0}}
        values = {"started_at": started_at, "finished_at": started_at + 1.05, "report": report}
        world.store.database.write(lambda c, i=lease.job.id, v=values: c.execute(update(jobs).where(jobs.c.id == i).values(v)))
    quoter.look()
    assert quoter.overhead_s == pytest.approx(0.06)
    world.store.close()


def made(name: str, created_s: float, started_s: float, worker: str = "one") -> Job:
    """A clip of two device seconds."""
    report = {"inference_time_s": 2.0, "worker": worker}
    return replace(finished(started_s, started_s + 2.5), id=name, created_at=NOW + created_s, started_at=NOW + started_s, report=report)


def test_what_passes_between_two_clips_is_learnt_where_the_second_had_waited() -> None:
    waited = [made("a", 0.0, 0.0), made("b", 1.0, 2.1), made("c", 1.5, 4.3)]
    assert between_clips_s(waited) == pytest.approx([0.1, 0.2])
    assert between_clips_s([made("a", 0.0, 0.0), made("b", 2.5, 2.6)]) == [], "the device had nothing to do"
    assert between_clips_s([made("a", 0.0, 0.0), made("b", 0.5, 0.6)]) == [], "it took the other's place"
    assert between_clips_s([made("a", 0.0, 0.0), made("b", 1.0, 2.1, worker="two")]) == []


def test_a_clip_that_made_room_makes_no_gap() -> None:
    parked = replace(made("a", 0.0, 0.0), finished_at=NOW + 5.5)
    took_its_place, after_both = made("b", 0.5, 0.6), made("c", 1.5, 5.1)
    assert between_clips_s([parked, took_its_place, after_both]) == [], "from the end of b on a had the device again"
    assert between_clips_s([took_its_place, after_both]) == pytest.approx([2.5]), "where a is not finished yet"
    assert usual_s([0.02, 2.5, 0.01, 0.02, 1.8]) == 0.02
    assert usual_s([2.5, 0.02]) == 0.02


def test_of_several_begun_clips_only_those_on_the_devices_go_on() -> None:
    world = open_world("sqlite://")
    parked, on_device = world.submit(work_s=10.0), world.submit(work_s=8.0)
    world.claim(parked.job.id)
    world.clock.advance(1.0)
    world.claim(on_device.job.id)
    world.clock.advance(3.0)
    assert [work.left_s for work in quoter_of(world).look().running] == pytest.approx([5.0, 10.0])
    world.store.close()


@pytest.mark.parametrize("started_after_s", [None, 0.4, -3.0])
def test_who_waited_or_whose_clock_is_another_tells_nothing_of_that(started_after_s: float | None) -> None:
    assert beside_device_s(finished(started_after_s, 9.0)) is None


def test_a_clip_whose_worker_died_tells_nothing_of_that_either() -> None:
    assert beside_device_s(finished(0.05, 50.0, attempt=2)) is None


def test_a_clock_that_is_a_little_off_makes_no_time_below_zero() -> None:
    assert beside_device_s(finished(0.0, 1.9)) == 0.0
