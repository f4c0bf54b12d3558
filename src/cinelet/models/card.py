"""A model's card: what it can make, what it makes by default, where its files lie. Nothing of tensors or devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cinelet.video import Preset, SamplerName

PACKAGE = "package"
"""The `source` of a model whose files are shipped inside this package."""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Limits and defaults of one model.

    Sizes are (width, height) in pixels and both sides multiples of `size_multiple`; `latent_stride` is (frames, pixels) a
    latent; `steps` denoising steps by preset; `source` a Hugging Face repository, `package`, or `folder` for a path the
    user named.
    """

    name: str
    title: str
    source: str
    folder: Path
    size_multiple: int
    latent_stride: tuple[int, int]
    default_size: tuple[int, int]
    max_pixels: int
    max_frames: int
    num_frames: int
    fps: int
    guidance_scale: float
    guidance_scale_2: float
    flow_shift: float
    sampler: SamplerName
    steps: dict[Preset, int]
    negative_prompt: str = ""
    resolutions: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_installed(self) -> bool:
        """Whether a checkpoint lies in the model's folder (its files may still be damaged: see `check_files`)."""
        return (self.folder / "model_index.json").is_file()
