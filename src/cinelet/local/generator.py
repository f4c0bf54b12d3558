"""Sentences to clips, in this process or on a service. The model stays in memory between calls of one `TextToVideoGenerator`."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from cinelet.errors import InvalidValueError
from cinelet.extras import extra
from cinelet.local.engines import engine_spec, open_adapters
from cinelet.local.result import MediaCodec, Result
from cinelet.models import Catalogue, ModelCard, pin, plan, require_model
from cinelet.sdk import Client, Options, RemoteGenerator, RemoteJob, RemoteResult, Wish, make_wish
from cinelet.settings import Settings, load_settings
from cinelet.video import Plan, Progress, Video, VideoRequest

if TYPE_CHECKING:
    from cinelet.engine import Engine, Trajectory

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where clips begin, if not at their seed's noise, and what is kept of them on the way.

    `latents` replaces the noise; `trajectory` is a file kept earlier, continued with the new prompt from its step on;
    `keep` writes such a file when `keep_at` steps are done. `image` are the pixels that the plans name, as `begin_with` gives them.
    """

    latents: NDArray[np.float32] | None = None
    trajectory: Path | None = None
    keep: Path | None = None
    keep_at: int = 0
    image: NDArray[np.uint8] | None = None


class TextToVideoGenerator:
    """Sentences → clips: in this process, or on the service at `url`.

    Without `url` the arguments beside `model` are settings (see `cinelet.settings`). With `url` the service at that address
    does the work; `api_key` left out is read from `CINELET_API_KEY`. `region="auto"` leaves the place to the service.
    """

    def __init__(
        self,
        region: str | None = "auto",
        url: str | None = None,
        api_key: str | None = None,
        *,
        model: str | None = None,
        **settings: Any,
    ) -> None:
        check_place(region, url, api_key, settings)
        self._model = model
        self._remote = None if url is None else RemoteGenerator(Client(url, api_key), MediaCodec())
        self._engines: dict[str, Engine] = {}
        if url is None:
            self.settings: Settings = load_settings(model=model, **settings)
            self.catalogue = Catalogue(self.settings.models_dir)
            self.adapters = open_adapters(self.settings)

    def __enter__(self) -> Self:
        """The generator itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections to a service."""
        self.close()

    def close(self) -> None:
        """Close the connections to a service; jobs there go on. In process there is nothing to close."""
        if self._remote is not None:
            self._remote.client.close()

    def generate(
        self, text: str, *, start: Start | None = None, on_progress: OnProgress | None = None, **options: Unpack[Options]
    ) -> Result | RemoteResult:
        """One clip of `text`; `options` as in `Options`. What is not said, the model decides.

        A model that has no size called `resolution` draws its own and says so in `result["warnings"]`. `start` is for this
        process only. On a service an interrupted call leaves its job running: `submit` and `resume` survive that.
        """
        if self._remote is None:
            return self._generate(wish_of(text, self._model, options), start, on_progress)
        if start is not None:
            raise InvalidValueError("start", start, "clips start at kept state only in process; leave out url or start")
        return self.resume(self.submit(text, **options).id, on_progress=on_progress)

    def submit(self, text: str, *, idempotency_key: str | None = None, **options: Unpack[Options]) -> RemoteJob:
        """Hand the clip in at the service and return at once; the job is accepted for good. Keep its `id` for `resume`."""
        return self._at_service("submit").submit(wish_of(text, self._model, options), idempotency_key)

    def resume(self, job_id: str, *, on_progress: OnProgress | None = None, timeout_s: float | None = None) -> RemoteResult:
        """The clip of a job that was submitted to the service, in this process or an earlier one.

        Waits for it where it is not done, at most `timeout_s` (`TimedOutError`; the job goes on). Raises `NotFoundError`, and
        for a failed job what its failure means.
        """
        return self._at_service("resume").resume(job_id, on_progress, timeout_s)

    def _at_service(self, verb: str) -> RemoteGenerator:
        if self._remote is None:
            raise InvalidValueError("url", "", f"{verb} needs a service; name its address")
        return self._remote

    def _generate(self, wish: Wish, start: Start | None, on_progress: OnProgress | None) -> Result:
        request, warnings = self.settle(wish)
        plan, start = self.plan(request), start or Start()
        if wish.image is not None:
            plan, pixels = self.begin_with(plan, wish.image)
            start = replace(start, image=pixels)
        return Result(self.run(plan, start=start, on_progress=on_progress), warnings)

    def settle(self, wish: Wish) -> tuple[VideoRequest, list[str]]:
        """What a wish means on its model's card: `resolution` as pixels, `length_sec` as frames; and what to warn of."""
        card = self.catalogue.get(self.settings.model if wish.request.model is None else wish.request.model)
        request = replace(wish.request, model=card.name)
        warnings: list[str] = []
        if wish.resolution is not None:
            size, warnings = _size_named(wish.resolution, card)
            request = request if size is None else replace(request, width=size[0], height=size[1])
        if wish.length_s is not None:
            request = replace(request, num_frames=max(1, round(wish.length_s * (card.fps if request.fps is None else request.fps))))
        return request, warnings

    def plan(self, request: VideoRequest) -> Plan:
        """What would be done for `request`, checked against the model's limits, without loading the model."""
        card = self.catalogue.get(request.model or self.settings.model)
        return pin(plan(request, card), card, self.adapters.get)

    def begin_with(self, plan: Plan, image: bytes) -> tuple[Plan, NDArray[np.uint8]]:
        """The plan naming the start image of a picture's file, and its pixels for `Start`: scaled to cover the clip, its middle.

        Raises `InvalidValueError` for a model that takes none and for what is no picture.
        """
        with extra("engine"):
            from cinelet.media import StartImage  # noqa: PLC0415
        card = self.catalogue.get(plan.model)
        if not card.takes_image:
            raise InvalidValueError("image", f"{len(image):,} bytes", f"{card.name} takes no start image")
        ready = StartImage.prepare(image, plan.width, plan.height)
        return replace(plan, image=ready.digest), ready.pixels_HWC

    def run(self, plan: Plan, *, start: Start | None = None, on_progress: OnProgress | None = None) -> Video:
        """Carry out one plan."""
        return self.run_many([plan], start=start, on_progress=on_progress)[0]

    def run_many(self, plans: Sequence[Plan], *, start: Start | None = None, on_progress: OnProgress | None = None) -> list[Video]:
        """Carry out plans of one model together: clips of one shape share each forward. `start` keeps the first clip's file only."""
        start = start or Start()
        if start.keep and not 0 < start.keep_at < plans[0].num_inference_steps:
            raise InvalidValueError("keep_at", start.keep_at, f"must be a whole number from 1 to {plans[0].num_inference_steps - 1}")
        report = _Reporter(plans, on_progress)
        engine = self.engine(plans[0].model)
        report("encode", 0)
        trajectories = [_begin(engine, plan, start) for plan in plans]
        while groups := engine.groups(trajectories):
            for group in groups:
                engine.step(group)
                report("denoise", sum(t.step for t in trajectories))
            if start.keep and trajectories[0].step == start.keep_at:
                trajectories[0].save(start.keep)
        report("decode", report.total_steps)
        return [engine.finish(trajectory) for trajectory in trajectories]

    def engine(self, model: str) -> Engine:
        """The resident engine of a model; loaded at the first call, its files checked before."""
        if model not in self._engines:
            with extra("engine"):
                from cinelet.engine.spec import open_engine  # noqa: PLC0415
            card = self.catalogue.get(model)
            require_model(card)
            self._engines[model] = open_engine(engine_spec(card, self.settings), self.adapters.get)
        return self._engines[model]


class _Reporter:
    """Turns finished steps into `Progress` with the time that remains, from the mean pace so far."""

    def __init__(self, plans: Sequence[Plan], on_progress: OnProgress | None) -> None:
        self.total_steps = sum(plan.num_inference_steps for plan in plans)
        self._on_progress = on_progress
        self._began = time.monotonic()

    def __call__(self, stage: Any, step: int) -> None:
        if self._on_progress is None:
            return
        if step == 0:
            self._began = time.monotonic()
        pace = (time.monotonic() - self._began) / step if step else None
        remaining = None if pace is None else pace * (self.total_steps - step)
        self._on_progress(Progress(stage=stage, step=step, num_steps=self.total_steps, remaining_s=remaining))


def _begin(engine: Engine, plan: Plan, start: Start) -> Trajectory:
    if start.trajectory is None:
        return engine.admit(plan, start.latents, start.image)
    return engine.branch(engine.resume(start.trajectory), plan)


def check_place(region: str | None, url: str | None, api_key: str | None, settings: Mapping[str, Any]) -> None:
    """What cannot be meant: regions before there are any, a key without a service, this process's settings for a service."""
    if region not in (None, "auto"):
        raise InvalidValueError("region", region, "must be auto; a service has one region")
    if url is None and api_key is not None:
        raise InvalidValueError("api_key", "(hidden)", "is for a service; name its url, or leave it out")
    if url is not None and settings:
        raise InvalidValueError(next(iter(settings)), "", "is a setting of this process; a service has its own")


def wish_of(text: str, model: str | None, options: Options) -> Wish:
    """What was asked, of the generator's model where the call names none."""
    said: Options = {"model": model, **options}
    return make_wish(text, **said)


@functools.cache
def _default_generator() -> TextToVideoGenerator:
    return TextToVideoGenerator()


def generate(prompt: str, **options: Any) -> Result | RemoteResult:
    """One clip of `prompt`; options as in `TextToVideoGenerator.generate`. The model stays loaded for the next call."""
    return _default_generator().generate(prompt, **options)


def _size_named(resolution: str, card: ModelCard) -> tuple[tuple[int, int] | None, list[str]]:
    if resolution in card.resolutions:
        return card.resolutions[resolution], []
    if not resolution.removesuffix("p").isdigit():
        raise InvalidValueError("resolution", resolution, f"must be a name such as 480p; {card.name} has {', '.join(card.resolutions)}")
    width, height = card.default_size
    return None, [f"resolution: {card.name} does not draw {resolution}; it drew {width}x{height}"]
