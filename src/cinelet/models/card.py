"""A model's card: what it can make, what it makes by default, where its files lie. Nothing of tensors or devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cinelet.video import STEP_CACHES, VAE_TIERS, Preset, SamplerName, StepCache, VaeTier

PACKAGE = "package"
"""The `source` of a model whose files are shipped inside this package."""
FOLDER = "folder"
"""The `source` of a checkpoint that the user named by its path."""
STEP_CACHE_TABLE = "step_cache.toml"
"""The file of a checkpoint that says which of its steps may be drawn on from earlier ones."""
TINY_VAE = "vae_tiny"
"""Where a checkpoint keeps its tiny decoder: `vae_tiny/config.json` and `vae_tiny/model.safetensors`."""
NO_STEP_CACHE = "it has no calibrated table of cached steps; python -m benchmarks.step_cache --calibrate MODEL makes one"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Limits and defaults of one model.

    Sizes are (width, height) in pixels and both sides multiples of `size_multiple`; `latent_stride` is (frames, pixels) a
    latent; `architecture` the transformer's width, layers and feed-forward width; `steps` denoising steps by preset; `source` a Hugging
    Face repository, `package`, or `folder` for a path the user named.

    `base` names the model whose checkpoint this one uses (`folder` is that model's), with the adapters of `loras` merged into it:
    `source` and `revision` are then of their repository, and `adapters` the folders they lie in. `timesteps` are the noise levels of a
    distilled model: it takes no other number of steps, and no guidance. `licence` is an SPDX name; `revision` the pinned commit of the
    repository. Clips of more than `window_frames` frames, the length the model was trained on, are made in windows of it (0: never).
    """

    name: str
    title: str
    source: str
    folder: Path
    size_multiple: int
    latent_stride: tuple[int, int]
    architecture: tuple[int, int, int]
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
    base: str | None = None
    loras: tuple[str, ...] = ()
    adapters: tuple[Path, ...] = ()
    timesteps: tuple[float, ...] = ()
    takes_image: bool = False
    window_frames: int = 0
    licence: str = ""
    revision: str = ""

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder this model is read from: its checkpoint, then its adapters."""
        return (self.folder, *self.adapters)

    @property
    def has_step_cache(self) -> bool:
        """Whether the model was measured for cached steps."""
        return (self.folder / STEP_CACHE_TABLE).is_file()

    @property
    def has_tiny_vae(self) -> bool:
        """Whether a tiny decoder lies beside the checkpoint."""
        return (self.folder / TINY_VAE / "config.json").is_file()

    @property
    def vae_tiers(self) -> tuple[VaeTier, ...]:
        """Decoders that clips may name; where the model is not installed, whoever has it may have the tiny one."""
        return tuple(tier for tier in VAE_TIERS if tier != "tiny" or self.has_tiny_vae or not self.is_installed)

    @property
    def step_caches(self) -> tuple[StepCache, ...]:
        """How many steps may be drawn on: none of a distilled model's, nor of one that was not measured for it."""
        return STEP_CACHES if self.has_step_cache and not self.timesteps else STEP_CACHES[:1]

    @property
    def is_installed(self) -> bool:
        """Whether all that belongs to the model is there (files may still be damaged: see `check_model`)."""
        has_adapters = all(any(folder.glob("*.safetensors")) for folder in self.adapters)
        return (self.folder / "model_index.json").is_file() and has_adapters
