"""Profiles on disk: what clips cost on this device, kept between starts. One small JSON file for each device and model."""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path

from cinelet.draft import Draft
from cinelet.errors import CineletError
from cinelet.models import Catalogue, ModelCard, revision
from cinelet.scheduling import Pricer, Profile, Sample, read_profile
from cinelet.settings import Settings
from cinelet.telemetry import get_logger

SAVE_EVERY_S = 60.0
MAX_NAME_CHARS = 100


class Profiles:
    """The profiles of one device. A damaged or foreign file is told of and not used: prices are then learnt anew."""

    def __init__(self, folder: Path, device: str, catalogue: Catalogue) -> None:
        self._folder = folder
        self._catalogue = catalogue
        self._device = device
        self._saved_at = time.monotonic()
        self._log = get_logger("cinelet.profiles")

    def path(self, card: ModelCard) -> Path:
        """Where the profile of a model lies."""
        return self._folder / f"{_plain(self._device)}--{_plain(card.name)}.json"

    def samples(self, card: ModelCard) -> tuple[Sample, ...]:
        """What was measured of a model here, if it was."""
        path = self.path(card)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return read_profile(content, device=self._device, model=card.name, revision=revision(*card.folders)).samples
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, AttributeError, CineletError) as error:
            self._log.warning("profile not used", path=str(path), reason=str(error))
            return ()

    def save_if_due(self, pricers: Mapping[str, Pricer]) -> None:
        """Save them now and then."""
        if time.monotonic() - self._saved_at > SAVE_EVERY_S:
            self.save(pricers)

    def save(self, pricers: Mapping[str, Pricer]) -> None:
        """Write what was learnt; a disk that refuses costs only the memory."""
        self._saved_at = time.monotonic()
        for name, pricer in pricers.items():
            card = self._catalogue.get(name)
            profile = Profile(device=self._device, model=name, revision=revision(*card.folders), samples=pricer.samples())
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                with Draft(self.path(card)) as draft:
                    draft.path.write_text(json.dumps(profile.to_json()), encoding="utf-8")
            except (OSError, CineletError) as error:
                self._log.warning("profile not kept", path=str(self.path(card)), reason=str(error))


def device_name(settings: Settings) -> str:
    """What clips cost depends on: the device, its precision, and the threads it may use."""
    if settings.engine == "fake":
        return f"fake {settings.fake_step_s:g} s"
    if settings.device != "cpu":
        from cinelet.local import device_named  # noqa: PLC0415 - loads torch

        device = device_named(settings.device)
        if device.type == "cuda":
            import torch  # noqa: PLC0415

            return f"{torch.cuda.get_device_name(device)} {settings.precision}"
    return f"cpu {_cpu_name()} {settings.num_threads} threads {settings.precision}"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)[:MAX_NAME_CHARS].strip("-")
