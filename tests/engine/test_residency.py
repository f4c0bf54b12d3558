"""Which parts lie on the device when: real engines whose moves are recorded. Only the place of a part is pretended, on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cinelet.engine import Engine, Trajectory, WanModel, load_model
from cinelet.engine.phases import MAX_WAIT_STEPS, Phases
from cinelet.engine.residency import PLACEMENTS, Placement, Residency, weights_by_placement
from cinelet.engine.spec import EngineSpec, open_engine
from cinelet.errors import InvalidValueError, OutOfMemoryError
from tests.engine.clips import advance, assert_equal_clip, generate, make_plan
from tests.engine.conftest import Checkpoint
from tests.engine.test_memory import too_small

CPU = torch.device("cpu")
HOME = torch.device("cpu:0")
"""The same memory by another name, so that a move home can be told from one to the device."""


class Journal:
    """Writes moves down instead of making them, and checks each forward: what computes must be there."""

    def __init__(self, model: WanModel) -> None:
        self.names: dict[int, str] = {id(model.text_encoder): "text", id(model.vae): "vae"}
        self.away: set[str] = set()
        self.moves: list[str] = []
        self.forwards: list[str] = []
        self.most_blocks = 0
        self._hooks = []
        for i, expert in enumerate(model.experts):
            self.names[id(expert)] = f"expert {i}"
            for number, block in enumerate(expert.blocks):
                self.names[id(block)] = f"expert {i} block {number}"
                self._hooks.append(block.register_forward_hook(self._check))
            self._hooks.append(expert.register_forward_pre_hook(self._note))
        self._hooks += [model.text_encoder.register_forward_pre_hook(self._note), model.vae.decoder.register_forward_pre_hook(self._note)]
        self.names[id(model.vae.decoder)] = "vae"

    def move(self, what: nn.Module | nn.Parameter, device: torch.device) -> None:
        name = self.names.get(id(what))
        if name is None:
            return  # what is around an expert's blocks
        self.moves.append(f"{name} {'home' if device == HOME else 'there'}")
        for part in [part for part in self.names.values() if part == name or part.startswith(f"{name} ")]:
            (self.away.add if device == HOME else self.away.discard)(part)

    def _note(self, module: nn.Module, _: Any) -> None:
        self.forwards.append(self.names[id(module)])

    def _check(self, block: nn.Module, *_: Any) -> None:
        expert = self.names[id(block)].split(" block")[0]
        there = [name for name in self.names.values() if name.startswith(f"{expert} block") and name not in self.away]
        self.most_blocks = max(self.most_blocks, len(there))

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()


class Stage:
    """An engine over a pretended second device, kept to one placement."""

    def __init__(self, model: WanModel, placement: Placement) -> None:
        self.journal = Journal(model)
        self.residency = Residency(model, home=HOME, move=self.journal.move, can_move=True)
        self.residency.choose(placement)
        self.engine = Engine(model, residency=self.residency)


@pytest.fixture(params=PLACEMENTS)
def placement(request: pytest.FixtureRequest) -> Placement:
    """Each placement in turn."""
    return request.param


@pytest.fixture
def model(checkpoints: dict[str, Checkpoint]) -> WanModel:
    """Two experts."""
    return checkpoints["two_experts"].model


@pytest.fixture
def stage(model: WanModel, placement: Placement) -> Iterator[Stage]:
    """Two experts in each placement."""
    made = Stage(model, placement)
    yield made
    made.residency._send_home("expert 0"), made.residency._send_home("expert 1")  # takes its hooks off the shared checkpoint
    made.journal.close()


def nothing(what: nn.Module | nn.Parameter, device: torch.device) -> None:
    """A move that nobody watches."""


def stage_with(model: WanModel, placement: Placement, request: pytest.FixtureRequest) -> Stage:
    """A stage of one test's own."""
    made = Stage(model, placement)
    request.addfinalizer(made.journal.close)
    request.addfinalizer(lambda: [made.residency._send_home(f"expert {i}") for i in range(len(model.experts))])
    return made


def test_every_placement_gives_equal_frames(stage: Stage, model: WanModel) -> None:
    plan = make_plan(num_inference_steps=8, flow_shift=3.0)
    video = generate(stage.engine, plan)
    assert_equal_clip(video, generate(Engine(model), plan))
    assert video.placement == stage.residency.placement


def test_what_may_not_lie_together_never_does(model: WanModel, request: pytest.FixtureRequest) -> None:
    companies: dict[Placement, list[set[str]]] = {
        "all": [{"text", "expert 0", "expert 1", "vae"}],
        "text": [{"text"}, {"expert 0", "expert 1", "vae"}],
        "parts": [{"text"}, {"expert 0"}, {"expert 1"}, {"vae"}],
        "blocks": [{"text"}, {"expert 0"}, {"expert 1"}, {"vae"}],
    }
    for placement, allowed in companies.items():
        stage = stage_with(model, placement, request)
        for part in ("text", "expert 0", "expert 1", "vae", "expert 1", "text", "expert 0"):
            stage.residency.bring(part)
            assert part in stage.residency.there
            assert any(stage.residency.there <= company for company in allowed), (placement, stage.residency.there)


def test_a_clip_brings_each_part_once_and_in_the_order_of_its_stages(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "parts", request)
    generate(stage.engine, make_plan(num_inference_steps=8))
    assert [move for move in stage.journal.moves if move.endswith("there")] == ["expert 0 there", "expert 1 there", "vae there"]
    assert stage.journal.moves.index("expert 0 home") < stage.journal.moves.index("expert 1 there")
    assert stage.residency.there == {"vae"}


def test_all_resident_moves_nothing(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "all", request)
    generate(stage.engine, make_plan())
    assert stage.journal.moves == []
    assert stage.residency.num_swaps == 0


def test_streamed_blocks_lie_there_one_at_a_time(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "blocks", request)
    advance(stage.engine, stage.engine.admit(make_plan()), 2)
    assert stage.journal.most_blocks == 1
    assert stage.journal.moves.count("expert 0 block 1 there") == 2


def test_a_known_prompt_does_not_bring_the_text_encoder(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "text", request)
    plan = make_plan()
    generate(stage.engine, plan)
    generate(stage.engine, replace(plan, seed=9))
    assert stage.journal.forwards.count("text") == 2, "the prompt and the negative prompt, once each"
    assert stage.journal.moves.count("text there") <= 1


def test_running_out_of_memory_moves_down_one_placement_and_stays_there(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "all", request)
    plan = make_plan(guidance_scale=1.0, guidance_scale_2=1.0)
    trajectory = stage.engine.admit(plan)
    attempts: list[int] = []
    with too_small(model.experts[0], lambda _: bool(attempts) or attempts.append(1) is not None):
        stage.engine.step([trajectory])
    assert stage.residency.placement == "text"
    stage.residency.choose("all")
    assert stage.residency.placement == "text"
    assert_equal_clip(stage.engine.finish(advance(stage.engine, trajectory)), generate(Engine(model), plan))


def test_only_the_last_placement_gives_up(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "all", request)
    trajectory = stage.engine.admit(make_plan(guidance_scale=1.0, guidance_scale_2=1.0))
    with too_small(model.experts[0], lambda _: False), pytest.raises(OutOfMemoryError):
        stage.engine.step([trajectory])
    assert stage.residency.placement == "blocks"
    assert trajectory.step == 0


def test_a_decode_makes_room_before_it_cuts_frames_into_tiles(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "all", request)
    trajectory = advance(stage.engine, stage.engine.admit(make_plan()))
    whole = Engine(model).finish(trajectory)
    with too_small(model.vae.decoder, lambda x: stage.residency.placement == "parts" and x.shape[2] == 1):
        video = stage.engine.finish(trajectory)
    assert (stage.residency.placement, video.decode) == ("parts", "frames")
    assert np.abs(video.frames.astype(int) - whole.frames).max() <= 1


def test_a_limit_takes_the_first_placement_that_fits(model: WanModel) -> None:
    plan = make_plan(width=128, height=96, num_frames=17)
    residency = Residency(model, home=HOME, move=nothing, can_move=True)
    engine = Engine(model, residency=residency)
    foreseen = engine.memory(plan)
    peaks = [foreseen.peak("full", placement) for placement in PLACEMENTS]
    assert peaks == sorted(peaks, reverse=True)
    for placement, peak in zip(PLACEMENTS, peaks, strict=True):
        engine.memory_limit_bytes = peak
        engine.admit(replace(plan, prompt=f"new for {placement}"))
        found = foreseen.first_within(peak)
        assert found is not None
        assert residency.placement == found[0]
        assert PLACEMENTS.index(found[0]) <= PLACEMENTS.index(placement), "never lower than needed"


def test_the_weights_of_a_placement_are_those_of_the_parts_it_keeps(model: WanModel) -> None:
    weights = weights_by_placement(model)
    sizes = [sum(4 * p.numel() for p in part.parameters()) for part in (model.text_encoder, model.vae, *model.experts)]
    assert weights["all"].denoise == sum(sizes) == model.weights_bytes
    assert weights["text"].denoise == sum(sizes[1:])
    assert weights["parts"].denoise == max(sizes[2:])
    assert weights["blocks"].denoise < weights["parts"].denoise
    assert weights["parts"].decode == sizes[1]


def run_together(engine: Engine, trajectories: list[Trajectory], newcomers: list[Trajectory] | None = None) -> int:
    """Step what may step until all is done; a newcomer joins at each step. Returns the longest that one stood still."""
    running, still = list(trajectories), dict.fromkeys(trajectories, 0)
    longest = 0
    while groups := engine.groups(running):
        before = {t: t.step for t in running}
        for group in groups:
            engine.step(group)
        for t in running:
            still[t] = 0 if t.step > before[t] or t.is_done else still.get(t, 0) + 1
            longest = max(longest, still[t])
        if newcomers:
            running.append(newcomers.pop())
    return longest


@pytest.mark.parametrize("num_clips", [1, 3])
def test_clips_that_start_together_cost_two_swaps_in_all(model: WanModel, request: pytest.FixtureRequest, num_clips: int) -> None:
    stage = stage_with(model, "parts", request)
    plans = [make_plan(seed=seed, num_inference_steps=4 + 2 * seed) for seed in range(num_clips)]
    trajectories = [stage.engine.admit(plan) for plan in plans]
    run_together(stage.engine, trajectories)
    assert stage.residency.num_swaps == 2
    assert all(trajectory.is_done for trajectory in trajectories)


def test_without_moves_clips_of_both_phases_step_together(model: WanModel) -> None:
    engine = Engine(model)
    trajectories = [engine.admit(make_plan(seed=seed, num_inference_steps=4 + 2 * seed)) for seed in range(2)]
    assert run_together(engine, trajectories) == 0


def test_a_clip_waits_for_its_phase_a_bounded_number_of_steps(model: WanModel, request: pytest.FixtureRequest) -> None:
    stage = stage_with(model, "parts", request)
    stage.engine.phases = Phases(max_wait_steps=3)
    first = stage.engine.admit(make_plan(num_inference_steps=6))
    newcomers = [stage.engine.admit(make_plan(seed=seed, num_inference_steps=6)) for seed in range(8)]
    assert run_together(stage.engine, [first], newcomers) <= 2 * (3 + 1)
    assert stage.residency.num_swaps < 12, "far fewer than one for each step"


def test_the_turn_changes_when_nobody_wants_the_resident_expert_or_others_waited_long() -> None:
    phases = Phases(max_wait_steps=2)
    assert [phases.turn(0, {0}), phases.turn(0, {1}), phases.turn(1, {1})] == [0, 1, 1]
    assert [phases.turn(1, {0, 1}) for _ in range(3)] == [1, 1, 0]
    assert Phases().max_wait_steps == MAX_WAIT_STEPS
    assert Phases().turn(None, {0, 1}) == 0


def test_an_expert_on_a_device_of_its_own_never_moves(checkpoints: dict[str, Checkpoint]) -> None:
    checkpoint = checkpoints["two_experts"]
    apart = load_model(checkpoint.folder, CPU, expert_devices=[CPU, torch.device("cpu:1")])
    journal = Journal(apart)
    residency = Residency(apart, home=HOME, move=journal.move, can_move=True)
    residency.choose("parts")
    assert not residency.swaps_experts
    for name in ("expert 0", "expert 1", "expert 0"):
        residency.bring(name)
    assert "expert 1" in residency.there
    assert not any(move.startswith("expert") and move.endswith("home") for move in journal.moves)
    plan = make_plan()
    assert_equal_clip(generate(Engine(apart), plan), generate(Engine(checkpoint.model), plan))


@pytest.mark.parametrize("devices", [("cpu",), ("cpu", "cpu", "cpu"), ("cpu", "moon:1")])
def test_devices_that_do_not_go_with_the_experts_are_refused(checkpoints: dict[str, Checkpoint], devices: tuple[str, ...]) -> None:
    with pytest.raises(InvalidValueError, match="expert_devices"):
        open_engine(EngineSpec(folder=checkpoints["two_experts"].folder, expert_devices=devices))
