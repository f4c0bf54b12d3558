"""The engine: prompt → frames, one denoising step at a time. It decides nothing about order.

    trajectory = engine.admit(plan)
    while not trajectory.is_done:
        engine.step([trajectory])
    video = engine.finish(trajectory)

Between any two steps a caller may add or drop trajectories, save them, look at a preview, or stop for good: a trajectory that
is no longer passed to `step` costs nothing. Knows nothing of jobs, queues, files or HTTP.
"""

from __future__ import annotations

import functools
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cinelet.engine.acceleration import LOSSLESS, Acceleration, accelerate
from cinelet.engine.beside import Beside, Decoded
from cinelet.engine.decoder import LADDER, Decoder, Rung
from cinelet.engine.denoiser import Denoiser, GroupKey
from cinelet.engine.lora import LoraSwitch
from cinelet.engine.memory import Foresight, MemoryEstimate, frugal, is_out_of_memory
from cinelet.engine.model import WanModel
from cinelet.engine.noise import start
from cinelet.engine.phases import Phases
from cinelet.engine.prompt import PromptEncoder
from cinelet.engine.residency import Placement, Residency
from cinelet.engine.sampler import Sampler
from cinelet.engine.start_image import check_image, condition, settled
from cinelet.engine.step_cache import make_cache
from cinelet.engine.tiers import Tiers, named
from cinelet.engine.trajectory import Trajectory, load_trajectory
from cinelet.engine.usage import peak_memory_bytes, total_memory_bytes
from cinelet.engine.windowed import window_length
from cinelet.errors import InvalidValueError, OutOfMemoryError
from cinelet.models.adapters import GetAdapter, no_adapters
from cinelet.video import OnFrames, Plan, Video


class Engine:
    """One model on one device.

    `memory_limit_bytes` bounds the predicted peak (None: no bound but the device's own); `max_group` the clips of one forward;
    `get_adapter` gives LoRA adapters by name; `residency` says which parts lie on the device when; `decode_beside` lets clips be decoded
    while others are stepped.
    Not thread-safe: one caller at a time.
    """

    def __init__(
        self,
        model: WanModel,
        *,
        memory_limit_bytes: int | None = None,
        max_group: int = 8,
        join_guidance: bool = True,
        get_adapter: GetAdapter = no_adapters,
        acceleration: Acceleration = LOSSLESS,
        residency: Residency | None = None,
        decode_beside: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.model = model
        self.memory_limit_bytes = memory_limit_bytes
        self.max_group = max_group
        self.prompts = PromptEncoder(model.tokenizer, model.text_encoder)
        self.adapters = LoraSwitch(model.experts, model.dtype, get_adapter)
        self.denoiser = Denoiser(model, join_guidance=join_guidance, adapters=self.adapters)
        self.decoder = Decoder(model.vae)
        self.tiers = Tiers(model, self.decoder)
        self.speed_path = accelerate(model, acceleration)
        self.residency = Residency(model) if residency is None else residency
        self.phases = Phases()
        self.decode_beside = decode_beside
        self._beside = Beside(model.device, clock)
        self._foresight = Foresight(model)
        self._clock = clock

    def admit(self, plan: Plan, latents_CTHW: NDArray[np.float32] | None = None, image_HWC: NDArray[np.uint8] | None = None) -> Trajectory:
        """A new trajectory at its first step, from the plan's seed or from given starting latents.

        `image_HWC` are the pixels of the start image that the plan names, scaled and cropped to the clip's size.
        Raises `OutOfMemoryError` where the plan cannot fit the memory limit, `InvalidValueError` for latents or an image that do not fit.
        """
        shape = self.model.latent_shape(plan.width, plan.height, plan.num_frames)
        self.check_memory(plan)
        check_image(self.model, plan, image_HWC)
        self.tiers.check(plan.vae)
        plan = self.adapters.settle(plan)
        latents, generator = start(plan, shape)
        if latents_CTHW is not None:
            if latents_CTHW.shape != shape or latents_CTHW.dtype.kind not in "fiu" or not np.isfinite(latents_CTHW).all():
                raise InvalidValueError("latents", f"array of shape {latents_CTHW.shape}", f"must be finite numbers of shape {shape}")
            latents = torch.from_numpy(np.ascontiguousarray(latents_CTHW, np.float32)).clone()
        trajectory = Trajectory(
            plan=plan,
            model_digest=self.model.digest,
            latents_CTHW=latents.to(self.model.device),
            sampler=self._make_sampler(plan),
            prompt_LD=torch.empty(0),
            negative_LD=None,
            generator=generator,
        )
        trajectory.cache = make_cache(self.model.smoothness, plan, trajectory.sampler, self.model.expert_at)
        self._encode(trajectory, plan)
        if image_HWC is not None:
            began = self._clock()
            self._bring_vae()
            trajectory.condition_CTHW = condition(self.model, image_HWC, shape[1])
            trajectory.spend("encode", self._clock() - began)
        return trajectory

    def resume(self, path: Path) -> Trajectory:
        """The trajectory of a file written by `Trajectory.save`, at the step where it was saved."""
        trajectory = load_trajectory(path, self.model.digest, self._make_sampler, self.model.device)
        self.adapters.settle(trajectory.plan)
        self.tiers.check(trajectory.plan.vae)
        return trajectory

    def branch(self, trajectory: Trajectory, plan: Plan) -> Trajectory:
        """The trajectory continued with another prompt, guidance or seed; what it has drawn so far stays. Owns `trajectory`.

        The plan must keep what the finished steps depend on: size, frames, steps, sampler, shift and start image.
        """
        for name in ("width", "height", "num_frames", "num_inference_steps", "sampler", "flow_shift", "image"):
            old, new = getattr(trajectory.plan, name), getattr(plan, name)
            if old != new:
                raise InvalidValueError(name, new, f"must stay {old}, as in the trajectory that is continued")
        plan = self.adapters.settle(plan)
        self.tiers.check(plan.vae)
        trajectory.cache = make_cache(self.model.smoothness, plan, trajectory.sampler, self.model.expert_at)
        self._encode(trajectory, plan)
        if plan.seed != trajectory.plan.seed:
            trajectory.generator.manual_seed(plan.seed)
        trajectory.plan = plan
        return trajectory

    def groups(self, running: Iterable[Trajectory]) -> list[list[Trajectory]]:
        """The unfinished trajectories sorted into groups that may be stepped together, in the order they came.

        Where the experts cannot lie on the device together, the groups of one of them; the others' turn comes later (`Phases`).
        """
        by_key: dict[GroupKey, list[Trajectory]] = {}
        for trajectory in running:
            if not trajectory.is_done:
                by_key.setdefault(self.denoiser.key(trajectory), []).append(trajectory)
        wanted = {key.expert for key in by_key if not key.is_skipped}
        if wanted and self.residency.swaps_experts:
            turn = self.phases.turn(self.residency.expert, wanted)
            by_key = {key: members for key, members in by_key.items() if key.is_skipped or key.expert == turn}
        return [group for members in by_key.values() for group in self._split(members)]

    def step(self, group: Sequence[Trajectory]) -> None:
        """Advance each member by one denoising step. All or nothing: after an error no member has moved.

        Out of memory halves the group and tries again; `OutOfMemoryError` comes only when a single clip does not fit.
        """
        if any(trajectory.is_done for trajectory in group):
            raise ValueError("a trajectory of the group has no step left")
        began = self._clock()
        velocities = self._velocities(group)
        before = [trajectory.mark() for trajectory in group]
        try:
            for trajectory, velocity in zip(group, velocities.split(1), strict=True):
                trajectory.advance(velocity)
        except BaseException:
            for trajectory, mark in zip(group, before, strict=True):
                trajectory.go_back(mark)
            raise
        seconds = self._clock() - began
        for trajectory in group:
            trajectory.spend("denoise", seconds / len(group))

    def preview(self, trajectory: Trajectory) -> NDArray[np.uint8]:
        """A rough, small picture for each latent frame, uint8 `[T', H', W', C]`."""
        if not self.decoder.has_projection:
            self._beside.wait()  # one is fitted now, by decoding
        return self.decoder.preview(settled(trajectory))

    def begin_decode(self, trajectory: Trajectory, on_frames: OnFrames | None = None) -> Future[Decoded] | None:
        """Have a trajectory whose steps are done decoded beside the steps that follow; None where that must be left to `finish`.

        That is without `decode_beside`, under a memory limit, where not all weights lie on the device, and for clips in windows.
        `on_frames` is called in another thread. Give the result to `finish`.
        """
        self._check_done(trajectory)
        plan = trajectory.plan
        is_all_there = {self.residency.placement, self._wanted_placement(plan)} == {"all"}
        may_be = self.decode_beside and self.memory_limit_bytes is None
        if not may_be or not is_all_there or window_length(self.model, plan) > 0:
            return None
        trajectory.latents_CTHW = settled(trajectory)
        decode = self.tiers.get(plan.vae).decode
        return self._beside.begin(functools.partial(decode, trajectory.latents_CTHW, plan.num_frames, "full", on_frames))

    def finish(self, trajectory: Trajectory, on_frames: OnFrames | None = None, begun: Future[Decoded] | None = None) -> Video:
        """Decode a trajectory whose steps are done, or wait for the decode that was begun; `on_frames` hears of frames as they come.

        Steps down the decode ladder when memory runs out, for a decode that was begun too.
        """
        self._check_done(trajectory)
        began = self._clock()
        decoded = None if begun is None else _result(begun)
        if decoded is None:
            trajectory.latents_CTHW = settled(trajectory)
            frames, rung = self._decode(trajectory, on_frames)
            trajectory.spend("decode", self._clock() - began)
        else:
            frames, rung = decoded.frames, named("full", trajectory.plan.vae)
            trajectory.spend("decode", decoded.seconds)
        return Video(
            frames=frames,
            plan=trajectory.plan,
            stage_durations_s=dict(trajectory.stage_durations_s),
            peak_memory_bytes=peak_memory_bytes(self.model.device),
            decode=rung,
            speed_path=self.speed_path,
            precision=self.model.precision,
            placement=self.residency.placement,
            latents=trajectory.latents_CTHW.cpu().numpy(),
        )

    def memory(self, plan: Plan, group_size: int = 1) -> MemoryEstimate:
        """The predicted memory of `group_size` clips of this plan."""
        shape = self.model.latent_shape(plan.width, plan.height, plan.num_frames)
        forwards = 2 if self.denoiser.join_guidance and self._is_guided(plan) else 1
        return self._foresight.estimate(shape, group_size, forwards, window_length(self.model, plan), plan.vae)

    def check_memory(self, plan: Plan) -> None:
        """Raise `OutOfMemoryError` if the plan cannot fit the limit even with the smallest decode."""
        limit = self.memory_limit_bytes
        if limit is not None and self.memory(plan).first_within(limit, self.residency.placements) is None:
            need = self.memory(plan).peak(LADDER[-1], self.residency.placements[-1])
            raise OutOfMemoryError(
                f"memory: {plan.width}x{plan.height}, {plan.num_frames} frames need {need / 2**30:.2f} GiB, "
                f"the limit is {limit / 2**30:.2f} GiB; ask for a smaller or shorter clip"
            )

    def _foreseen(self, plan: Plan, limit_bytes: int) -> tuple[Placement, Rung]:
        """Where the weights will lie and how the clip will be decoded within a limit; the least of both where nothing is within it."""
        found = self.memory(plan).first_within(limit_bytes, self.residency.placements)
        return (self.residency.placements[-1], LADDER[-1]) if found is None else found

    def _step_peak(self, plan: Plan, placement: Placement, group_size: int) -> int:
        return self.memory(plan, group_size).step_peak(placement)

    def _settle(self, plan: Plan) -> None:
        """Choose the placement for work on this plan. Weights are moved only while nothing is decoded."""
        wanted = self._wanted_placement(plan)
        if wanted != self.residency.placement:
            self._beside.wait()
            self.residency.choose(wanted)

    def _bring_vae(self) -> None:
        """The autoencoder on the device and in nobody else's use: it keeps what it has decoded so far of a clip in itself."""
        self._beside.wait()
        self.residency.bring("vae")

    def _wanted_placement(self, plan: Plan) -> Placement:
        """By the limit, or else by what the device has; as it is where neither says anything."""
        limit = total_memory_bytes(self.model.device) if self.memory_limit_bytes is None else self.memory_limit_bytes
        if limit is None or len(self.residency.placements) == 1:
            return self.residency.placement
        return self._foreseen(plan, limit)[0]

    @staticmethod
    def _check_done(trajectory: Trajectory) -> None:
        if not trajectory.is_done:
            raise ValueError(f"trajectory is at step {trajectory.step} of {trajectory.sampler.num_steps}")

    def _make_sampler(self, plan: Plan) -> Sampler:
        return Sampler(
            plan.sampler,
            self.model.scheduler_config,
            plan.num_inference_steps,
            plan.flow_shift,
            self.model.device,
            timesteps=plan.timesteps,
        )

    def _split(self, members: list[Trajectory]) -> list[list[Trajectory]]:
        """Groups of at most `max_group`, and no larger than the memory limit allows."""
        size = self.max_group
        if self.memory_limit_bytes is not None:
            size = min(size, len(members))
            placement = self._foreseen(members[0].plan, self.memory_limit_bytes)[0]
            peak = functools.partial(self._step_peak, members[0].plan, placement)
            size = max(1, bisect_right(range(1, size + 1), self.memory_limit_bytes, key=peak))
        return [members[i : i + size] for i in range(0, len(members), size)]

    @staticmethod
    def _is_guided(plan: Plan) -> bool:
        """The first expert's scale decides, as in the reference."""
        return plan.guidance_scale > 1.0

    def _encode(self, trajectory: Trajectory, plan: Plan) -> None:
        began = self._clock()
        if not all(self.prompts.knows(prompt) for prompt in (plan.prompt, plan.negative_prompt)):
            self._settle(plan)
            self.residency.bring("text")
        trajectory.prompt_LD = self.prompts.encode(plan.prompt)
        trajectory.negative_LD = self.prompts.encode(plan.negative_prompt) if self._is_guided(plan) else None
        trajectory.spend("encode", self._clock() - began)

    def _velocities(self, group: Sequence[Trajectory]) -> torch.Tensor:
        try:
            self._settle(group[0].plan)
            self.residency.bring_expert(self.denoiser.key(group[0]).expert)
            with frugal(self.model.device) if self.memory_limit_bytes else nullcontext():
                return self.denoiser.velocity(group)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            had_company = self._beside.wait()
            can_take_apart = self.denoiser.join_guidance and group[0].negative_LD is not None
            if not had_company and len(group) == 1 and not can_take_apart and not self.residency.step_down():
                raise OutOfMemoryError("memory: one denoising step of this clip does not fit the device", detail=str(error)) from error
        self._release()
        if had_company:
            return self._velocities(group)
        if len(group) == 1:
            self.denoiser.join_guidance = self.denoiser.join_guidance and not can_take_apart
            return self._velocities(group)
        half = (len(group) + 1) // 2
        self.max_group = min(self.max_group, half)
        return torch.cat([self._velocities(group[:half]), self._velocities(group[half:])])

    def _decode(self, trajectory: Trajectory, on_frames: OnFrames | None) -> tuple[NDArray[np.uint8], str]:
        limit = self.memory_limit_bytes
        first = "full" if limit is None else self._foreseen(trajectory.plan, limit)[1]
        tier = trajectory.plan.vae
        decoder = self.tiers.get(tier)
        self._settle(trajectory.plan)
        rungs = list(decoder.ladder[LADDER.index(first) :] or decoder.ladder[-1:])
        while rungs:
            try:
                max_pass = window_length(self.model, trajectory.plan)
                self._bring_vae()
                with frugal(self.model.device) if limit or max_pass or rungs[0] != "full" else nullcontext():
                    frames = decoder.decode(trajectory.latents_CTHW, trajectory.plan.num_frames, rungs[0], on_frames, max_pass)
                return frames, named(rungs[0], tier)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._release()
            may_seam = len(rungs) == 1 or rungs[1] == "tiles"
            if not (may_seam and self.residency.step_down()):  # whole frames with fewer weights beside them before tiles
                del rungs[0]
        raise OutOfMemoryError("memory: this clip does not fit the device even when decoded in tiles")

    def _release(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()


def _result(begun: Future[Decoded]) -> Decoded | None:
    """What was decoded beside the steps; None where memory did not allow it."""
    try:
        return begun.result()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
