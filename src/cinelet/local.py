"""Sentences to clips for people: in this process, or on a service where a url is given. Behind `cinelet.generate` and the CLI.

    import cinelet
    cinelet.generate("A red balloon rising at sunset").save("balloon.mp4")

The model stays in memory between calls of one `TextToVideoGenerator`. torch and the codec are loaded with the first work that
needs them, so that the remote half runs on the base install; that is why some imports stand inside functions.
"""

from __future__ import annotations

import asyncio
import functools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from cinelet.errors import InvalidValueError, RequestError
from cinelet.models import LORAS, Adapters, Catalogue, ModelCard, pin, plan, require_model
from cinelet.sdk import (
    AsyncClient,
    AsyncRemoteGenerator,
    Client,
    Options,
    RemoteGenerator,
    RemoteJob,
    RemoteResult,
    Wish,
    make_wish,
)
from cinelet.settings import Settings, load_settings
from cinelet.video import Plan, Progress, Video, VideoRequest

if TYPE_CHECKING:
    import torch

    from cinelet.engine import Engine, Trajectory
    from cinelet.engine.spec import EngineSpec

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


class Result(Mapping[str, Any]):
    """A finished clip for people: `result["tensor"]`, `["fps"]`, `["seed"]`, `["plan"]`, `["stage_durations_s"]`, `["warnings"]`.

    The tensor is uint8 `[T, H, W, C]`, red, green, blue, and the caller's to keep.
    """

    def __init__(self, video: Video, warnings: Sequence[str] = ()) -> None:
        self.video = video
        self._values = {
            "tensor": video.frames,
            "fps": video.fps,
            "seed": video.plan.seed,
            "plan": video.plan,
            "stage_durations_s": video.stage_durations_s,
            "warnings": list(warnings),
        }

    def __getitem__(self, key: str) -> Any:
        """One value by its name."""
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """The names of the values."""
        return iter(self._values)

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._values)

    def save(self, path: str | Path) -> Path:
        """Write the clip as MP4, WebM or GIF, by the suffix. An older file is replaced whole."""
        MediaCodec().encode(self.video.frames, Path(path), self.video.fps, self.video.plan.prompt)
        return Path(path)


class MediaCodec:
    """The codec of `cinelet.media` for results that came from a service. Raises `RequestError` where it is not installed."""

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        """The frames of an MP4, uint8 `[T, H, W, C]`."""
        with engine_extra():
            from cinelet.media import read_clip  # noqa: PLC0415
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(content)
            file.flush()
            return read_clip(file.name)[0]

    def encode(self, frames: NDArray[np.uint8], path: Path, fps: int, title: str) -> None:
        """Write frames as MP4, WebM or GIF, by the suffix."""
        with engine_extra():
            from cinelet.media import write_clip  # noqa: PLC0415
        write_clip(frames, path, fps, metadata={"title": title})


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
        _check_place(region, url, api_key, settings)
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
            return self._generate(_wish(text, self._model, options), start, on_progress)
        if start is not None:
            raise InvalidValueError("start", start, "clips start at kept state only in process; leave out url or start")
        return self.resume(self.submit(text, **options).id, on_progress=on_progress)

    def submit(self, text: str, *, idempotency_key: str | None = None, **options: Unpack[Options]) -> RemoteJob:
        """Hand the clip in at the service and return at once; the job is accepted for good. Keep its `id` for `resume`."""
        return self._at_service("submit").submit(_wish(text, self._model, options), idempotency_key)

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
        with engine_extra():
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
            with engine_extra():
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


class AsyncTextToVideoGenerator:
    """`TextToVideoGenerator` with `await`. Without `url` the clips are made one after the other in a thread of this process."""

    def __init__(
        self,
        region: str | None = "auto",
        url: str | None = None,
        api_key: str | None = None,
        *,
        model: str | None = None,
        **settings: Any,
    ) -> None:
        _check_place(region, url, api_key, settings)
        self._model = model
        self._remote = None if url is None else AsyncRemoteGenerator(AsyncClient(url, api_key), MediaCodec())
        self._local = TextToVideoGenerator(model=model, **settings) if url is None else None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """The generator itself."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the connections to a service."""
        await self.close()

    async def close(self) -> None:
        """As `TextToVideoGenerator.close`."""
        if self._remote is not None:
            await self._remote.client.close()

    async def generate(self, text: str, *, on_progress: OnProgress | None = None, **options: Unpack[Options]) -> Result | RemoteResult:
        """As `TextToVideoGenerator.generate`; `on_progress` is a plain function, called from the working thread in process."""
        if self._local is not None:
            async with self._turn:
                return await asyncio.to_thread(self._local.generate, text, on_progress=on_progress, **options)
        job = await self.submit(text, **options)
        return await self.resume(job.id, on_progress=on_progress)

    async def submit(self, text: str, *, idempotency_key: str | None = None, **options: Unpack[Options]) -> RemoteJob:
        """As `TextToVideoGenerator.submit`."""
        return await self._at_service("submit").submit(_wish(text, self._model, options), idempotency_key)

    async def resume(self, job_id: str, *, on_progress: OnProgress | None = None, timeout_s: float | None = None) -> RemoteResult:
        """As `TextToVideoGenerator.resume`."""
        return await self._at_service("resume").resume(job_id, on_progress, timeout_s)

    def _at_service(self, verb: str) -> AsyncRemoteGenerator:
        if self._remote is None:
            raise InvalidValueError("url", "", f"{verb} needs a service; name its address")
        return self._remote


@contextmanager
def engine_extra() -> Iterator[None]:
    """Say how to install what is missing. Raises `RequestError` for a package that is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "cinelet":
            raise
        raise RequestError(f"{error.name}: is not installed; pip install 'cinelet[engine]'") from error


def _check_place(region: str | None, url: str | None, api_key: str | None, settings: Mapping[str, Any]) -> None:
    """What cannot be meant: regions before there are any, a key without a service, this process's settings for a service."""
    if region not in (None, "auto"):
        raise InvalidValueError("region", region, "must be auto; a service has one region")
    if url is None and api_key is not None:
        raise InvalidValueError("api_key", "(hidden)", "is for a service; name its url, or leave it out")
    if url is not None and settings:
        raise InvalidValueError(next(iter(settings)), "", "is a setting of this process; a service has its own")


def _wish(text: str, model: str | None, options: Options) -> Wish:
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


def open_adapters(settings: Settings) -> Adapters:
    """The LoRA adapters of a setting: in a folder, or in a bucket of which a folder keeps what was used."""
    where = settings.loras
    if where is None or "://" not in where:
        return Adapters(settings.models_dir / LORAS if where is None else Path(where))
    from cinelet.storage import open_shelf  # noqa: PLC0415 - needs the server extra

    cache = settings.models_dir / f"{LORAS}-cache"
    return Adapters(cache, fetch=open_shelf(where, cache).fetch)


def engine_spec(card: ModelCard, settings: Settings) -> EngineSpec:
    """The engine of a model as the settings want it."""
    from cinelet.engine.acceleration import Acceleration  # noqa: PLC0415
    from cinelet.engine.spec import EngineSpec  # noqa: PLC0415

    device = device_named(settings.device)
    return EngineSpec(
        folder=card.folder,
        device=str(device),
        dtype=str(dtype_named(settings.dtype, device)).removeprefix("torch."),
        weights=settings.weights,
        text_weights=settings.text_weights,
        num_threads=settings.num_threads,
        adapters=card.adapters,
        loras=open_adapters(settings).folder,
        expert_devices=tuple(settings.expert_devices),
        options={
            "memory_limit_bytes": settings.memory_limit_bytes,
            "decode_beside": settings.decode_beside,
            "acceleration": Acceleration(attention=settings.attention, compile=settings.compile),
        },
    )


def device_named(name: str) -> torch.device:
    """The device of a setting; `auto` takes CUDA where there is one. Raises `InvalidValueError`."""
    import torch  # noqa: PLC0415

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidValueError("device", name, "this machine has no CUDA device; use cpu or auto")
    return torch.device(name)


def dtype_named(name: str, device: torch.device) -> torch.dtype:
    """The precision of a setting; `auto` takes float32 on a CPU, bfloat16 on a GPU."""
    import torch  # noqa: PLC0415

    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
