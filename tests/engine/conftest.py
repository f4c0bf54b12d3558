"""Tiny checkpoints, loaded once for all tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLWan, WanImageToVideoPipeline, WanPipeline, WanTransformer3DModel

from cinelet.engine import Engine, WanModel, load_model
from tests.support.checkpoints import make_checkpoint

LAYOUTS = {
    "dense": {},
    "dense_2.1": {"wan21_vae": True},
    "two_experts": {"two_experts": True, "wan21_vae": True},
    "expanded": {"expand_timesteps": True},
}
"""What tells the architectures apart: the pocket model's, Wan2.1-T2V-1.3B's, T2V-A14B's, TI2V-5B's."""

IMAGE_LAYOUTS = {"expanded": LAYOUTS["expanded"], "channels": {"two_experts": True, "wan21_vae": True, "image_channels": True}}
"""Those that read a start image: TI2V-5B's, which makes clips without one as well, and I2V-A14B's."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One checkpoint as a folder, as the engine loads it, and as the stock pipeline loads it."""

    folder: Path
    model: WanModel
    pipeline: WanPipeline

    @property
    def image_pipeline(self) -> WanImageToVideoPipeline:
        """The stock pipeline that begins with an image, of the same parts."""
        facts = {name: self.pipeline.config[name] for name in ("boundary_ratio", "expand_timesteps")}
        pipeline = WanImageToVideoPipeline(**self.pipeline.components, **facts)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def make_louder(folder: Path) -> None:
    """Raise the shares of prompt and start image in random weights, which else hardly heed them: a test must see a wrong one."""
    with torch.no_grad():
        vae = AutoencoderKLWan.from_pretrained(folder / "vae")
        vae.quant_conv.weight *= 15
        vae.save_pretrained(folder / "vae")
        for part in folder.glob("transformer*"):
            transformer = WanTransformer3DModel.from_pretrained(part)
            for block in transformer.blocks:
                block.attn2.to_out[0].weight *= 8
                block.attn2.norm_q.weight *= 2
            transformer.condition_embedder.text_embedder.linear_1.weight *= 4
            transformer.proj_out.weight *= 4
            transformer.save_pretrained(part)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bit-equal frames want one number of threads; the smallest clips are also fastest with one."""
    former = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(former)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    """A checkpoint of each layout."""
    found = {}
    for name, options in {**LAYOUTS, **IMAGE_LAYOUTS}.items():
        folder = make_checkpoint(tmp_path_factory.mktemp(name), **options)
        make_louder(folder)
        pipeline = WanPipeline.from_pretrained(folder)
        pipeline.set_progress_bar_config(disable=True)
        found[name] = Checkpoint(folder, load_model(folder, torch.device("cpu")), pipeline)
    return found


@pytest.fixture(params=list(LAYOUTS))
def checkpoint(request: pytest.FixtureRequest, checkpoints: dict[str, Checkpoint]) -> Checkpoint:
    """Each layout in turn."""
    return checkpoints[request.param]


@pytest.fixture(params=list(IMAGE_LAYOUTS))
def image_checkpoint(request: pytest.FixtureRequest, checkpoints: dict[str, Checkpoint]) -> Checkpoint:
    """Each layout that reads a start image in turn."""
    return checkpoints[request.param]


@pytest.fixture
def engine(checkpoints: dict[str, Checkpoint]) -> Engine:
    """A fresh engine with one transformer."""
    return Engine(checkpoints["dense"].model)


@pytest.fixture
def two_expert_engine(checkpoints: dict[str, Checkpoint]) -> Engine:
    """A fresh engine with two experts."""
    return Engine(checkpoints["two_experts"].model)
