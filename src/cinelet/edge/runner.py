"""Makes clips from an exported folder with onnxruntime and numpy alone. Knows no torch, and no text: prompts come as embeddings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cinelet.edge.manifest import TEXT_TOKENS, Graph, Manifest, load_manifest
from cinelet.errors import InvalidValueError, ModelFilesError
from cinelet.extras import extra

Array = NDArray[np.float32]


class EdgeRunner:
    """One export, loaded. `int8` takes the small transformer; `num_threads` 0 leaves the choice to onnxruntime.

    `providers` are onnxruntime's names of devices, the first that works first. Raises `NotFoundError` or `ModelFilesError`
    where the folder holds no good export, `InvalidValueError` where it has no int8 transformer.
    """

    def __init__(
        self, folder: Path, *, int8: bool = False, num_threads: int = 0, providers: Sequence[str] = ("CPUExecutionProvider",)
    ) -> None:
        self.manifest: Manifest = load_manifest(folder)
        graphs = self.manifest.transformers_int8 if int8 else self.manifest.transformers
        if not graphs:
            raise InvalidValueError("int8", int8, f"{folder} was exported without --int8")
        self._folder = folder
        self._transformers = [_load(folder, graph, num_threads, providers) for graph in graphs]
        self._decoder = _load(folder, self.manifest.decoder, num_threads, providers)

    def prompt(self, text: str) -> Array:
        """The kept embeddings `[L, D]` of a prompt that was named at export. Raises `InvalidValueError` for another."""
        file = self.manifest.prompts.get(text)
        if file is None:
            raise InvalidValueError("prompt", text, f"the export keeps {len(self.manifest.prompts)} prompts, and not this one")
        return _read(self._folder / file)

    def make(
        self,
        prompt_LD: Array,
        *,
        preset: str = "standard",
        seed: int = 0,
        latents_CTHW: Array | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.uint8]:
        """A clip `[T, H, W, C]` of a prompt's embeddings. `latents_CTHW` replaces the seed's start latents, which are numpy's, not torch's.

        `on_step` hears the finished steps and how many there are.
        """
        return self.decode(self.denoise(prompt_LD, preset=preset, seed=seed, latents_CTHW=latents_CTHW, on_step=on_step))

    def denoise(
        self,
        prompt_LD: Array,
        *,
        preset: str = "standard",
        seed: int = 0,
        latents_CTHW: Array | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Array:
        """The latents `[C, T, H, W]` of a clip; arguments as of `make`."""
        manifest = self.manifest
        walk = manifest.walks.get(preset)
        if walk is None:
            raise InvalidValueError("preset", preset, f"the export has {', '.join(manifest.walks)}")
        random = np.random.default_rng(seed)
        start = random.standard_normal(manifest.latent_shape, np.float32) if latents_CTHW is None else latents_CTHW
        if start.shape != manifest.latent_shape or not np.isfinite(start).all():
            raise InvalidValueError("latents", f"array of shape {start.shape}", f"must be finite numbers of shape {manifest.latent_shape}")
        prompts = [prompt_LD]
        if manifest.guidance_scale > 1.0:  # the first expert's scale decides, as in the reference
            prompts.append(_read(self._folder / manifest.negative_prompt))
        latents, velocities, draws = start.astype(np.float32), [], []
        for step, timestep in enumerate(walk.timesteps):
            velocities.append(self.velocity(latents, timestep, prompts))
            if walk.noise_weights:
                draws.append(random.standard_normal(start.shape, np.float32))
            latents = walk.latents_after(step, start, velocities, draws)
            if on_step:
                on_step(step + 1, walk.num_steps)
        return latents

    def velocity(self, latents_CTHW: Array, timestep: float, prompts: Sequence[Array]) -> Array:
        """One guided forward `[C, T, H, W]`: `prompts` are the prompt and, where guided, the negative prompt."""
        manifest = self.manifest
        expert = int(manifest.boundary is not None and timestep < manifest.boundary)
        embeds_BLD, bias_B11L = fold(prompts)
        axes = (len(prompts), manifest.num_tokens) if manifest.expand_timesteps else (len(prompts),)
        feed = {
            "latents": np.stack([latents_CTHW] * len(prompts)),
            "timestep": np.full(axes, timestep, np.float32),
            "prompt": embeds_BLD,
            "prompt_bias": bias_B11L,
        }
        velocity_BCTHW: Array = self._transformers[expert].run(None, feed)[0]
        if len(prompts) == 1:
            alone: Array = velocity_BCTHW[0]
            return alone
        scale = np.float32(manifest.guidance_scale_2 if expert else manifest.guidance_scale)
        with_prompt, without = velocity_BCTHW
        guided: Array = without + scale * (with_prompt - without)
        return guided

    def pixels(self, latents_CTHW: Array) -> Array:
        """Pixels `[3, T, H, W]` in -1..1 of finished latents, all that the decoder makes of them."""
        pixels_CTHW: Array = self._decoder.run(None, {"latents": latents_CTHW[None]})[0][0]
        return pixels_CTHW

    def decode(self, latents_CTHW: Array) -> NDArray[np.uint8]:
        """Frames `[T, H, W, C]` of finished latents."""
        scaled = ((self.pixels(latents_CTHW) + 1) * np.float32(127.5)).round().astype(np.uint8)
        return np.ascontiguousarray(scaled.transpose(1, 2, 3, 0)[: self.manifest.num_frames])


def fold(prompts: Sequence[Array]) -> tuple[Array, Array]:
    """Embeddings `[B, L, D]` and scores `[B, 1, 1, L]` of prompts `[L, D]`, the padding of each folded into one token.

    As `cinelet.engine.attention.fold`, which says why this is exact.
    """
    length = min(max(len(prompt_LD) for prompt_LD in prompts) + 1, TEXT_TOKENS)
    embeds_BLD = np.zeros((len(prompts), length, prompts[0].shape[1]), np.float32)
    bias_B11L = np.zeros((len(prompts), 1, 1, length), np.float32)
    for embeds_LD, bias_11L, prompt_LD in zip(embeds_BLD, bias_B11L, prompts, strict=True):
        count = len(prompt_LD)
        embeds_LD[:count] = prompt_LD
        if count < length:
            bias_11L[..., count] = math.log(TEXT_TOKENS - count)
            bias_11L[..., count + 1 :] = -np.inf
    return embeds_BLD, bias_B11L


def _read(path: Path) -> Array:
    try:
        embeds_LD: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ModelFilesError(f"export: {path} holds no embeddings", detail=repr(error)) from error
    return embeds_LD


def _load(folder: Path, graph: Graph, num_threads: int, providers: Sequence[str]) -> Any:
    with extra("edge"):
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(folder / graph.file, options, providers=list(providers))
    except Exception as error:  # onnxruntime's own classes derive from Exception itself
        raise ModelFilesError(f"export: {folder / graph.file} does not load", detail=repr(error)) from error
