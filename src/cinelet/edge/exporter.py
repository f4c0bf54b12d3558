"""A model → a folder of ONNX files that `EdgeRunner` and TensorRT can read. Float32, one shape of clip, on the CPU.

The folder appears whole or not at all: it is written beside its place and moved there. Knows nothing of catalogues or settings.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cinelet.draft import explain
from cinelet.edge.graphs import DecoderGraph, TransformerGraph
from cinelet.edge.int8 import quantise
from cinelet.edge.manifest import TEXT_TOKENS, Graph, Manifest
from cinelet.edge.tensorrt import SCRIPT, build_script
from cinelet.edge.tracer import trace_walk
from cinelet.engine import Engine, WanModel
from cinelet.engine.attention import install
from cinelet.errors import InvalidValueError, RequestError, UnavailableError
from cinelet.extras import extra
from cinelet.video import Plan

OPSET = 20
"""The first with a Gelu of its own; TensorRT 10 reads it."""
MAX_BATCH = 64
INLINE_BYTES = 1 << 30
"""A protobuf, and so an ONNX file, ends at 2 GiB: larger weights lie in a file beside it."""
SLACK_BYTES = 64 << 20
"""For the graphs themselves."""

OnStage = Callable[[str], None]


def stages(model: WanModel, *, int8: bool) -> list[str]:
    """What an export does, in order, for a progress bar."""
    names = _names(model)
    return [*names, "vae_decoder", *(f"{name} in int8" for name in names if int8), "digests"]


def export_model(
    engine: Engine, plans: Mapping[str, Plan], folder: Path, *, prompts: Sequence[str] = (), int8: bool = False, on_stage: OnStage
) -> Manifest:
    """Write the model of `engine` for clips of the shape of `plans`, which differ in their steps only (preset → plan).

    `prompts` are encoded and kept too. Raises `InvalidValueError` where the folder is taken, `RequestError` for a model that cannot
    be exported or a missing package, `UnavailableError` where there is no room.
    """
    with extra("edge"):
        for package in ("onnx", "onnxruntime", "onnxscript"):
            importlib.import_module(package)  # to find out before the work
    model = engine.model
    _check(model)
    _check_place(folder)
    draft = folder.with_name(f".cinelet-{secrets.token_hex(8)}.tmp")
    try:
        draft.mkdir()
        _check_room(model, folder, int8=int8)
        manifest = _fill(engine, plans, draft, prompts, on_stage, int8=int8)
        on_stage("digests")
        manifest = replace(manifest, sha256={path.name: _sha256(path) for path in sorted(draft.iterdir())})
        manifest.write(draft)
        if folder.is_dir():
            folder.rmdir()
        draft.replace(folder)
    except OSError as error:
        raise explain(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _fill(engine: Engine, plans: Mapping[str, Plan], folder: Path, prompts: Sequence[str], on_stage: OnStage, *, int8: bool) -> Manifest:
    model, plan = engine.model, next(iter(plans.values()))
    shape = model.latent_shape(plan.width, plan.height, plan.num_frames)
    transformers = []
    for name, expert in zip(_names(model), model.experts, strict=True):
        on_stage(name)
        transformers.append(_export_transformer(model, expert, shape, folder / f"{name}.onnx"))
    on_stage("vae_decoder")
    decoder = _export_decoder(model, shape, folder / "vae_decoder.onnx")
    small = []
    for graph in transformers if int8 else ():
        file = graph.file.replace(".onnx", ".int8.onnx")
        on_stage(f"{graph.file.removesuffix('.onnx')} in int8")
        quantise(folder / graph.file, folder / file, is_large=_size(folder, graph.file) > INLINE_BYTES)
        small.append(replace(graph, file=file))
    manifest = Manifest(
        model=plan.model,
        digest=model.digest,
        width=plan.width,
        height=plan.height,
        num_frames=plan.num_frames,
        fps=plan.fps,
        latent_shape=shape,
        num_tokens=model.num_tokens(shape),
        expand_timesteps=model.expand_timesteps,
        boundary=model.boundary,
        guidance_scale=plan.guidance_scale,
        guidance_scale_2=plan.guidance_scale_2,
        sampler=plan.sampler,
        flow_shift=plan.flow_shift,
        scheduler=dict(model.scheduler_config),
        walks={preset: trace_walk(engine.admit(steps).sampler) for preset, steps in plans.items()},
        transformers=tuple(transformers),
        transformers_int8=tuple(small),
        decoder=decoder,
        prompts={prompt: _keep_prompt(engine, prompt, folder / f"prompt_{i}.npy") for i, prompt in enumerate(prompts)},
        negative_prompt=_keep_prompt(engine, plan.negative_prompt, folder / "negative_prompt.npy"),
    )
    (folder / SCRIPT).write_text(build_script(manifest), encoding="utf-8")
    return manifest


def _export_transformer(model: WanModel, expert: Any, shape: tuple[int, ...], path: Path) -> Graph:
    batch, tokens, width = 2, 8, expert.config.text_dim
    level_axes = ("batch", model.num_tokens(shape)) if model.expand_timesteps else ("batch",)
    inputs = {
        "latents": torch.zeros(batch, *shape),
        "timestep": torch.full((batch, *level_axes[1:]), 500.0),
        "prompt": torch.zeros(batch, tokens, width),
        "prompt_bias": torch.zeros(batch, 1, 1, tokens),
    }
    free = {"batch": torch.export.Dim("batch", min=1, max=MAX_BATCH), "tokens": torch.export.Dim("tokens", min=2, max=TEXT_TOKENS)}
    axes: dict[str, tuple[int | str, ...]] = {
        "latents": ("batch", *shape),
        "timestep": level_axes,
        "prompt": ("batch", "tokens", width),
        "prompt_bias": ("batch", 1, 1, "tokens"),
    }
    dynamic = tuple({i: free[axis] for i, axis in enumerate(names) if isinstance(axis, str)} for names in axes.values())
    graph = TransformerGraph(expert, install(model.experts))
    _save(graph, inputs, "velocity", dynamic, path)
    return Graph(file=path.name, inputs=axes, outputs={"velocity": ("batch", *shape)})


def _export_decoder(model: WanModel, shape: tuple[int, ...], path: Path) -> Graph:
    config = model.vae.config
    frames = (shape[1] - 1) * config.scale_factor_temporal + 1
    height, width = (side * config.scale_factor_spatial for side in shape[2:])
    _save(DecoderGraph(model.vae), {"latents": torch.zeros(1, *shape)}, "pixels", None, path)
    return Graph(file=path.name, inputs={"latents": (1, *shape)}, outputs={"pixels": (1, 3, frames, height, width)})


def _save(graph: torch.nn.Module, inputs: Mapping[str, torch.Tensor], output: str, dynamic_shapes: Any, path: Path) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in graph.state_dict().values())
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=dynamic_shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        if program is None:
            raise RequestError(f"export: {path.name} could not be made")
        program.save(path, external_data=size > INLINE_BYTES)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's remarks are about its own inside."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _keep_prompt(engine: Engine, prompt: str, path: Path) -> str:
    np.save(path, engine.prompts.encode(prompt).float().cpu().numpy())
    return path.name


def _names(model: WanModel) -> list[str]:
    return ["transformer", "transformer_2"][: len(model.experts)]


def _check(model: WanModel) -> None:
    config = model.experts[0].config
    if config.in_channels != config.out_channels:
        raise RequestError("model: it draws from a picture beside the noise; only models that draw from noise alone are exported")
    if model.device.type != "cpu" or model.dtype != torch.float32:
        raise RequestError(f"model: it is loaded on {model.device} in {model.dtype}; exports are made on the CPU in float32")


def _check_place(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise InvalidValueError("to", folder, "must be a new folder, or an empty one")
    if not folder.absolute().parent.is_dir():
        raise InvalidValueError("to", folder, "its directory must exist")


def _check_room(model: WanModel, folder: Path, *, int8: bool) -> None:
    """Float32 weights of all that is exported; the small copy holds at most half of that again."""
    modules = (*model.experts, model.vae.decoder)
    weights = sum(p.numel() * 4 for module in modules for p in module.parameters())
    need = int(weights * (1.5 if int8 else 1.0)) + SLACK_BYTES
    free = shutil.disk_usage(folder.absolute().parent).free
    if free < need:
        raise UnavailableError(f"to: the export needs {need / 2**30:.1f} GiB, the disk of {folder} has {free / 2**30:.1f} GiB left")


def _size(folder: Path, file: str) -> int:
    """With the weights beside it."""
    return sum(path.stat().st_size for path in folder.glob(f"{file}*"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
