"""The smallest model of each layout, exported once for all tests of the edge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel

from cinelet.edge import exporter as exporter_module
from cinelet.edge.exporter import export_model
from cinelet.edge.manifest import Manifest
from cinelet.engine import Engine, load_model
from cinelet.video import Plan
from tests.engine.clips import make_plan
from tests.support.checkpoints import make_checkpoint

PROMPT = "a red car"
PLAN = make_plan(prompt=PROMPT, num_frames=7, num_inference_steps=3)
PLANS = {"draft": replace(PLAN, num_inference_steps=2), "standard": PLAN}
"""Seven frames: fewer than two latent frames decode to, so the last are cut."""


@dataclass(frozen=True, eq=False)
class Exported:
    """A model in the engine, and in a folder."""

    engine: Engine
    folder: Path
    manifest: Manifest
    plan: Plan
    heard: list[str]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Small work is fastest on one."""
    former = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(former)


def make_smaller(folder: Path) -> Path:
    """One block a transformer and few channels in the decoder: exporting takes its time by the number of operations."""
    for part in folder.glob("transformer*"):
        config = WanTransformer3DModel.load_config(part)
        torch.manual_seed(len(part.name))
        WanTransformer3DModel.from_config({**config, "num_layers": 1}).save_pretrained(part)
    config = AutoencoderKLWan.load_config(folder / "vae")
    AutoencoderKLWan.from_config({**config, "dim_mult": [1, 1, 1], "num_res_blocks": 0}).save_pretrained(folder / "vae")
    return folder


def make_engine(folder: Path, **options: bool) -> Engine:
    """The engine on a small checkpoint in `folder`."""
    return Engine(load_model(make_smaller(make_checkpoint(folder, **options)), torch.device("cpu")))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A dense model with one timestep a token, in float32 and int8."""
    base = tmp_path_factory.mktemp("edge")
    engine, heard = make_engine(base / "checkpoint", expand_timesteps=True), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter_module, "INLINE_BYTES", 100_000)  # the transformer's weights lie beside its graph, as a large model's do
        manifest = export_model(engine, PLANS, base / "export", prompts=[PROMPT], int8=True, on_stage=heard.append)
    return Exported(engine, base / "export", manifest, PLAN, heard)
