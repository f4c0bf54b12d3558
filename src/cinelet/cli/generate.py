"""`cinelet generate`: a sentence to a file, here or on a service."""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cinelet.cli.connection import ApiKey, Url
from cinelet.cli.progress import ProgressBar
from cinelet.cli.remote_generate import RemoteClips, check_files, check_is_left_out
from cinelet.draft import Draft, check_place
from cinelet.errors import InvalidValueError
from cinelet.sdk import RemoteJob
from cinelet.sdk.start_image import read_image
from cinelet.settings import gib
from cinelet.video import Progress, Video, VideoRequest, lora_named

SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
MAX_CLIPS = 64


def generate(  # noqa: PLR0917 - the options of a command
    prompt: Annotated[str, typer.Argument(help="What the clip shows, in English or Chinese; - reads it from stdin.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write: .mp4, .webm or .gif.")] = None,
    model: Annotated[str | None, typer.Option(help="A name of `cinelet models list`, or a path to a checkpoint folder.")] = None,
    preset: Annotated[str, typer.Option(help="draft, standard or final: fewer or more steps.")] = "standard",
    steps: Annotated[int | None, typer.Option(help="Denoising steps; overrules the preset.")] = None,
    guidance_scale: Annotated[float | None, typer.Option(help="How closely the clip follows the prompt; 1 turns guidance off.")] = None,
    guidance_scale_2: Annotated[float | None, typer.Option(help="The same for the low-noise expert of a two-expert model.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the clip should keep away from.")] = None,
    size: Annotated[str | None, typer.Option(help="Width and height in pixels, such as 160x96.")] = None,
    num_frames: Annotated[int | None, typer.Option(help="Pictures in the clip.")] = None,
    fps: Annotated[int | None, typer.Option(help="Pictures a second.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same clip. Left out: a new one, printed.")] = None,
    sampler: Annotated[str | None, typer.Option(help="unipc, dpm++, dpm++sde, euler or lcm.")] = None,
    flow_shift: Annotated[float | None, typer.Option(help="Shift of the noise schedule.")] = None,
    variation_seed: Annotated[int | None, typer.Option(help="Turn the seed's noise towards this other seed.")] = None,
    variation_strength: Annotated[float, typer.Option(help="How far: 0 is the seed's clip, 1 the other's.")] = 0.0,
    lora: Annotated[
        list[str] | None, typer.Option(help="An adapter by its name, with its strength after a colon: ink or ink:0.8. May be repeated.")
    ] = None,
    vae: Annotated[str | None, typer.Option(help="The decoder: full, half or tiny; tiny is quick and rough.")] = None,
    step_cache: Annotated[str | None, typer.Option(help="off, mild or strong: steps that reuse what earlier ones computed.")] = None,
    image: Annotated[
        Path | None, typer.Option(help="A JPEG, PNG or WebP picture that the clip begins with, for models that take one.")
    ] = None,
    memory_limit: Annotated[
        str | None, typer.Option(help="Most memory to use here, predicted before the start: 16GB, 1.5GiB. Slower where it binds.")
    ] = None,
    latents: Annotated[Path | None, typer.Option(help="Start from these latents (.npy) instead of the seed's noise.")] = None,
    save_latents: Annotated[Path | None, typer.Option(help="Keep the finished latents (.npy).")] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Continue a kept trajectory with this prompt: same picture, other content.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the trajectory (.safetensors) for --start-from.")] = None,
    keep_at: Annotated[int, typer.Option(help="After how many steps to keep it.")] = 8,
    clips: Annotated[int, typer.Option(help="Clips to make, with seeds counting up; drawn together.")] = 1,
    sheet: Annotated[bool, typer.Option("--sheet", help="Write a contact sheet PNG beside each clip.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a clip from a sentence: here, or with --url on a service, where Ctrl-C leaves the job running."""
    if not 1 <= clips <= MAX_CLIPS:
        raise InvalidValueError("clips", clips, f"must be a whole number from 1 to {MAX_CLIPS}")
    request = _request(
        prompt=sys.stdin.read().strip() if prompt == "-" else prompt,
        negative_prompt=negative_prompt,
        preset=preset,
        width_height=_parse_size(size),
        num_frames=num_frames,
        fps=fps,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        guidance_scale_2=guidance_scale_2,
        sampler=sampler,
        flow_shift=flow_shift,
        seed=seed,
        variation_seed=variation_seed,
        variation_strength=variation_strength,
        loras=tuple(lora_named(text) for text in lora or []),
        vae=vae,
        step_cache=step_cache,
    )
    picture = None if image is None else read_image(image)
    if url is not None:
        check_is_left_out(memory_limit=memory_limit, latents=latents, save_latents=save_latents, start_from=start_from, keep=keep)
        asked = replace(request, model=model)
        made = _generate_remotely(asked, clips, output, url, api_key, image=picture, sheet=sheet, quiet=quiet)
        _print(made, as_json=as_json)
        return
    from cinelet.local import Start, TextToVideoGenerator  # noqa: PLC0415 - `--help` should not wait for it
    from cinelet.media import check_output  # noqa: PLC0415

    generator = TextToVideoGenerator(model=model, memory_limit_gib=gib(memory_limit))
    first, pixels = generator.plan(request), None
    if picture is not None:
        first, pixels = generator.begin_with(first, picture)
    plans = [replace(first, seed=first.seed + i) for i in range(clips)]
    paths = [_path(output, plan.prompt, plan.seed, i if clips > 1 else None) for i, plan in enumerate(plans)]
    for path in paths:
        check_output(path)
    for path in filter(None, (save_latents, keep)):
        check_place(path)
    start = Start(latents=_read_latents(latents), trajectory=start_from, keep=keep, keep_at=keep_at, image=pixels)
    with ProgressBar(quiet=quiet or (as_json and not sys.stderr.isatty())) as show:
        videos = generator.run_many(plans, start=start, on_progress=show)
        show(Progress(stage="mux", step=sum(plan.num_inference_steps for plan in plans), num_steps=len(plans) * first.num_inference_steps))
        results = [_write(video, path, sheet=sheet) for video, path in zip(videos, paths, strict=True)]
    if save_latents:
        _write_latents(save_latents, videos[0])
    _print(results, as_json=as_json)


def _request(*, width_height: tuple[int, int] | None, **values: Any) -> VideoRequest:
    width, height = width_height or (None, None)
    return VideoRequest(width=width, height=height, **values)


def _parse_size(size: str | None) -> tuple[int, int] | None:
    if size is None:
        return None
    match = SIZE.fullmatch(size)
    if not match:
        raise InvalidValueError("size", size, "must be WIDTHxHEIGHT in pixels, such as 160x96")
    return int(match[1]), int(match[2])


def _generate_remotely(
    request: VideoRequest,
    num_clips: int,
    output: Path | None,
    url: str,
    api_key: str | None,
    *,
    image: bytes | None,
    sheet: bool,
    quiet: bool,
) -> list[dict[str, Any]]:
    def path_of(job: RemoteJob, number: int) -> Path:
        return _path(output, request.prompt, job.seed, number if num_clips > 1 else None)

    numbers = range(num_clips) if num_clips > 1 else [None]
    check_files([_path(output, request.prompt, request.seed, number) for number in numbers], sheet=sheet)
    return RemoteClips(url=url, api_key=api_key, path_of=path_of, sheet=sheet, quiet=quiet, image=image).make(request, num_clips)


def _path(output: Path | None, prompt: str, seed: int | None, number: int | None) -> Path:
    """The file of one clip: as asked, numbered where there are several, or named after the sentence and the seed."""
    if output is None:
        words = re.sub(r"[^\w]+", "-", prompt.lower())[:48].strip("-") or "clip"
        return Path(f"{words}-{'clip' if seed is None else seed}.mp4")
    return output if number is None else output.with_stem(f"{output.stem}-{number + 1}")


def _read_latents(path: Path | None) -> Any:
    import numpy as np  # noqa: PLC0415

    if path is None:
        return None
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InvalidValueError("latents", path, "must be a readable .npy file of numbers") from error


def _write_latents(path: Path, video: Video) -> None:
    import numpy as np  # noqa: PLC0415

    with Draft(path) as draft, draft.path.open("wb") as file:
        np.save(file, video.latents)


def _write(video: Video, path: Path, *, sheet: bool) -> dict[str, Any]:
    from cinelet.media import contact_sheet, write_clip  # noqa: PLC0415

    write_clip(video.frames, path, video.fps, metadata={"title": video.plan.prompt})
    sheet_path = path.with_suffix(".png") if sheet else None
    if sheet_path:
        contact_sheet(video.frames, sheet_path)
    return {
        "path": str(path),
        "sheet": str(sheet_path) if sheet_path else None,
        "plan": asdict(video.plan),
        "stage_durations_s": {stage: round(seconds, 4) for stage, seconds in video.stage_durations_s.items()},
        "peak_memory_bytes": video.peak_memory_bytes,
        "decode": video.decode,
        "precision": video.precision,
    }


def _print(results: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(results[0] if len(results) == 1 else results, ensure_ascii=False))  # noqa: T201
        return
    for result in results:
        plan, seconds = defaultdict(lambda: "?", result["plan"]), sum(result["stage_durations_s"].values())
        print(  # noqa: T201
            f"{result['path']}  {plan['width']}x{plan['height']}, {plan['num_frames']} frames at {plan['fps']} fps, "
            f"seed {plan['seed']}, {seconds:.1f} s"
        )
        if result["sheet"]:
            print(result["sheet"])  # noqa: T201
