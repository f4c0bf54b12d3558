"""The degrade ladder: what may be served instead of what was asked for, where the client permits it, the least loss first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt
from typing import Any

from cinelet.video import Plan, SamplerName

AREA = 0.5
"""The smaller size has about half the pixels."""
SHOWN = ("model", "width", "height", "num_inference_steps", "sampler", "guidance_scale")


def ladder(
    plan: Plan,
    *,
    draft_steps: int,
    size_multiple: int,
    few_steps: tuple[SamplerName, int] | None = None,
    lighter: Plan | None = None,
) -> list[Plan]:
    """Lighter variants of `plan`, each giving up more: fewer steps, a few-step sampler without guidance, a smaller size, a lighter model.

    `few_steps` is the sampler and the steps of a distilled checkpoint, `lighter` the same request planned for another model.
    """
    rungs = []
    best = plan
    if draft_steps < plan.num_inference_steps:
        best = replace(plan, num_inference_steps=draft_steps)
        rungs.append(best)
    if few_steps is not None and few_steps[1] < best.num_inference_steps:
        best = replace(plan, sampler=few_steps[0], num_inference_steps=few_steps[1], guidance_scale=1.0, guidance_scale_2=1.0)
        rungs.append(best)
    width, height = (max(size_multiple, round(side * sqrt(AREA) / size_multiple) * size_multiple) for side in (plan.width, plan.height))
    if width * height < plan.width * plan.height:
        best = replace(best, width=width, height=height)
        rungs.append(best)
    if lighter is not None:
        rungs.append(lighter)
    return rungs


def given_up(asked: Plan, served: Plan) -> Mapping[str, Any]:
    """What of `asked` was not served, by field: the label of a degraded clip."""
    return {name: getattr(asked, name) for name in SHOWN if getattr(asked, name) != getattr(served, name)}
