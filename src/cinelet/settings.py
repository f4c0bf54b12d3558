"""Each setting of a cinelet process, declared once: environment (`CINELET_…`), `cinelet.toml`, and the reference page come from here.

Unknown keys in the file are refused; all faults are listed at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cinelet.errors import RequestError, show

GIB = 1 << 30


class Settings(BaseSettings):
    """What one process runs with."""

    model_config = SettingsConfigDict(env_prefix="CINELET_", toml_file="cinelet.toml", extra="forbid", frozen=True)

    models_dir: Path = Field(
        default=Path(platformdirs.user_data_dir("cinelet")) / "models",
        description="Folder of model checkpoints, one folder a model, in the diffusers layout.",
    )
    model: str = Field(default="pocket", description="Model used where a request names none.")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Device of the engine; auto takes CUDA where there is one.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="Precision of the transformer and text encoder; auto takes float32 on a CPU, bfloat16 on a GPU."
    )
    num_threads: int = Field(default=0, ge=0, le=1024, description="Threads of the CPU engine; 0 leaves the choice to torch.")
    memory_limit_gib: float = Field(
        default=0.0, ge=0.0, le=4096.0, description="Bound on an engine's predicted peak memory in GiB; 0 sets no bound but the device's."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def memory_limit_bytes(self) -> int | None:
        """The bound in bytes, or None."""
        return int(self.memory_limit_gib * GIB) if self.memory_limit_gib else None


def load_settings(**flags: object) -> Settings:
    """The settings of this process; `flags` are what the command line said. Raises `RequestError` that lists every fault."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {show(fault.get('input'))}; {fault['msg']}" for fault in error.errors()]
        raise RequestError("settings: " + " | ".join(faults)) from error
    except ValueError as error:
        raise RequestError(f"settings: cinelet.toml cannot be read; {error}") from error


def reference_page() -> str:
    """`docs/reference/settings.md`, generated: every setting with its environment name, default and meaning."""
    lines = [
        "# Settings",
        "",
        "Flags win over the environment, the environment over `cinelet.toml`. Generated from `src/cinelet/settings.py`.",
        "",
    ]
    lines += ["| setting | environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "the user's data folder" if isinstance(field.default, Path) else f"`{field.default}`"
        lines.append(f"| `{name}` | `CINELET_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"
