"""The degrade ladder: each rung gives up more, and the label says what."""

from __future__ import annotations

from dataclasses import replace

from cinelet.scheduling.degrade import given_up, ladder
from tests.support.world import PLAN

ASKED = replace(PLAN, width=832, height=480, num_inference_steps=40, guidance_scale=5.0)


def test_steps_go_first_then_the_size() -> None:
    steps, smaller = ladder(ASKED, draft_steps=16, size_multiple=16)
    assert (steps.num_inference_steps, steps.width, steps.height) == (16, 832, 480)
    assert (smaller.num_inference_steps, smaller.width, smaller.height) == (16, 592, 336)
    assert smaller.width % 16 == smaller.height % 16 == 0


def test_a_few_step_sampler_and_a_lighter_model_are_rungs_where_there_are_such() -> None:
    lighter = replace(ASKED, model="small")
    rungs = ladder(ASKED, draft_steps=16, size_multiple=16, few_steps=("lcm", 4), lighter=lighter)
    assert [(plan.model, plan.sampler, plan.num_inference_steps) for plan in rungs] == [
        ("pocket", "unipc", 16), ("pocket", "lcm", 4), ("pocket", "lcm", 4), ("small", "unipc", 40),
    ]  # fmt: skip
    assert rungs[1].guidance_scale == 1.0


def test_what_is_light_already_has_no_rung_to_give() -> None:
    tiny = replace(ASKED, width=16, height=16, num_inference_steps=4)
    assert ladder(tiny, draft_steps=16, size_multiple=16) == []


def test_the_label_names_what_was_asked_for_and_not_served() -> None:
    served = ladder(ASKED, draft_steps=16, size_multiple=16)[1]
    assert given_up(ASKED, served) == {"width": 832, "height": 480, "num_inference_steps": 40}
    assert given_up(ASKED, ASKED) == {}
