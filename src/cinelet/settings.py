"""Each setting of a cinelet process, declared once: environment (`CINELET_…`), `cinelet.toml`, and the reference page come from here.

Unknown keys in the file are refused; all faults are listed at once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cinelet.errors import InvalidValueError, RequestError, show

GIB = 1 << 30
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 1 << 20, "GIB": GIB, "TIB": 1 << 40}
SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?([MGT]i?B)", re.IGNORECASE)
DATA = Path(platformdirs.user_data_dir("cinelet"))


class Settings(BaseSettings):
    """What one process runs with."""

    model_config = SettingsConfigDict(env_prefix="CINELET_", toml_file="cinelet.toml", extra="forbid", frozen=True)

    models_dir: Path = Field(
        default=DATA / "models",
        description="Folder of model checkpoints, one folder a model, in the diffusers layout.",
    )
    loras: str | None = Field(
        default=None,
        description="Where LoRA adapters lie: a folder, or s3://bucket/prefix?…; unset: the folder loras in models_dir.",
    )
    model: str = Field(default="pocket", description="Model used where a request names none.")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Device of the engine; auto takes CUDA where there is one.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="Precision of the transformer and text encoder; auto takes float32 on a CPU, bfloat16 on a GPU."
    )
    weights: Literal["auto", "float32", "bfloat16", "float16", "int8", "fp8"] = Field(
        default="auto", description="What the transformer's weights are kept in; auto as dtype; int8 and fp8 compute in dtype."
    )
    text_weights: Literal["auto", "float32", "bfloat16", "float16", "int8", "fp8"] = Field(
        default="auto", description="What the text encoder's weights are kept in; the same choices."
    )
    expert_devices: list[str] = Field(
        default=[], description="A device for each expert of a two-expert model, such as cuda:0 and cuda:1; empty: device has both."
    )
    attention: str = Field(
        default="auto",
        description="Attention kernel on a GPU: auto races them at start and takes the fastest exact one; or a kernel's name.",
    )
    compile: Literal["off", "blocks", "graphs"] = Field(
        default="off", description="Compile the transformer's blocks on their first use, graphs: replayed as CUDA graphs too."
    )
    num_threads: int = Field(default=0, ge=0, le=1024, description="Threads of the CPU engine; 0 leaves the choice to torch.")
    memory_limit_gib: float = Field(
        default=0.0, ge=0.0, le=4096.0, description="Bound on an engine's predicted peak memory in GiB; 0 sets no bound but the device's."
    )
    decode_beside: bool = Field(
        default=False, description="Decode a clip while the next one is stepped: for GPUs without a memory limit; measure it first."
    )

    engine: Literal["real", "fake"] = Field(
        default="real", description="fake draws plain colours at once, without any model: for developing against the service."
    )
    fake_step_s: float = Field(default=0.05, ge=0.0, le=60.0, description="Seconds a step of the fake engine takes.")

    host: str = Field(default="127.0.0.1", description="Address the service listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port of HTTP; 0 takes a free one and prints it.")
    rpc_port: int = Field(default=-1, ge=-1, le=65535, description="Port of gRPC; 0 takes a free one, -1 turns it off.")
    store: str = Field(
        default=str(DATA / "cinelet.db"), description="Database of jobs: a path (SQLite, one process) or postgresql://user@host/database."
    )
    blobs: str = Field(default=str(DATA / "blobs"), description="Where clips lie: a folder, or s3://bucket/prefix?endpoint=…&region=….")
    region: str = Field(default="local", pattern="^[a-z0-9]{1,12}$", description="Name of this place; it stands in every id.")
    models: list[str] = Field(default=[], description="Models that are offered, the default one first; empty: only `model`.")
    require_key: bool = Field(
        default=False, description="Ask every caller for an API key or a token. Must be on unless host is this machine."
    )
    secret: SecretStr | None = Field(
        default=None, description="Signs links and callbacks, at least 32 characters; unset: made once and kept in the data folder."
    )
    token_issuer: str | None = Field(default=None, description="Issuer of accepted JWTs; unset: keys only.")
    token_audience: str | None = Field(default=None, description="Audience that accepted JWTs must name.")
    token_keys_url: str | None = Field(default=None, description="JWKS address of the issuer.")
    allowed_hosts: list[str] = Field(default=["*"], description="Host names this service answers to; * for any.")
    counters: str | None = Field(
        default=None, description="redis:// address that gateways share for rate limits; unset: each counts alone."
    )
    allow_loopback_callbacks: bool = Field(default=False, description="Let webhooks go to this machine over http: for development.")
    sync_timeout_s: float = Field(default=600.0, gt=0.0, le=86400.0, description="How long /v1/videos/sync waits for a clip.")
    tls_certificate: Path | None = Field(default=None, description="PEM file of the server's certificate chain; with tls_key serves https.")
    tls_key: Path | None = Field(default=None, description="PEM file of its private key.")

    rewriter_url: str | None = Field(
        default=None, description="Chat endpoint in OpenAI's API that rewrites prompts on request, such as https://host/v1; unset: none."
    )
    rewriter_model: str | None = Field(default=None, description="Model that it is asked for; goes with rewriter_url.")
    rewriter_key: SecretStr | None = Field(default=None, description="API key that it is shown.")
    rewriter_timeout_s: float = Field(default=30.0, gt=0.0, le=600.0, description="How long a rewritten prompt is waited for.")

    policy: Literal["cinelet", "cinelet+no-preempt", "fifo", "edf", "priority", "srpt"] = Field(
        default="cinelet", description="Who goes first; cinelet keeps deadlines and tiers, the others are for comparison."
    )
    max_wait_s: float = Field(
        default=600.0, gt=0.0, le=604800.0, description="Longest predicted wait at which a clip is still accepted; or 20 times its work."
    )
    slots: int = Field(default=1, ge=1, le=64, description="Clips that a worker advances together, where that pays.")
    profiles_dir: Path = Field(default=DATA / "profiles", description="Where it is kept what clips cost on this device.")
    lease_s: float = Field(
        default=45.0,
        ge=0.5,
        le=3600.0,
        description="How long a worker may be silent before its jobs go to another; above one step, alike on one store.",
    )
    checkpoint_every_s: float = Field(
        default=20.0, gt=0.0, le=3600.0, description="How often a running clip is saved, so that another worker can go on."
    )
    preview_every_s: float = Field(default=1.0, gt=0.0, le=3600.0, description="How often a preview of a running clip is made.")
    grace_s: float = Field(
        default=10.0, ge=0.0, le=3600.0, description="What a stopping worker waits for clips to finish before it saves them."
    )
    thermal_warm_c: float = Field(
        default=0.0, ge=0.0, le=150.0, description="Degrees Celsius from which on a worker runs fewer clips together; 0 is off."
    )
    thermal_hot_c: float = Field(
        default=0.0, ge=0.0, le=150.0, description="Degrees Celsius from which on a worker pauses until it is cooler; 0 is off."
    )
    power_limit_w: float = Field(
        default=0.0, ge=0.0, le=20000.0, description="Watts: close to them a worker runs fewer clips, above them it pauses; 0 is off."
    )
    retention_days: float = Field(default=7.0, gt=0.0, le=3650.0, description="How long clips are kept.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severe log line that is written.")

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
    def offered(self) -> list[str]:
        """The models that are offered, the default first."""
        return self.models or [self.model]

    @property
    def precision(self) -> str:
        """What was said of precision: clips made under another one are other clips, and take other times."""
        said = {"weights": self.weights, "text": self.text_weights}
        return " ".join([self.dtype, *(f"{part} {kept}" for part, kept in said.items() if kept != "auto")])

    @property
    def memory_limit_bytes(self) -> int | None:
        """The bound in bytes, or None."""
        return round(self.memory_limit_gib * GIB) if self.memory_limit_gib else None


def gib(text: str | None) -> float | None:
    """A size as people write it, `16GB`, `1.5 GiB`, `800MB`, in GiB; None stays None. Raises `InvalidValueError`."""
    if text is None:
        return None
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidValueError("memory_limit", text, "must be a number with a unit, such as 16GB, 1.5GiB or 800MB")
    number, unit = found.groups()
    return float(number) * UNITS[unit.upper()] / GIB


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
        is_path = str(field.default).startswith(str(DATA))
        default = "in the user's data folder" if is_path else "unset" if field.default is None else f"`{field.default}`"
        lines.append(f"| `{name}` | `CINELET_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"
