"""How hot a device is and what it draws: one port, the kernel's files, NVIDIA's library, and a fake. Judges nothing; `guard.py` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cinelet.errors import UnavailableError

PLAUSIBLE_C = (-40.0, 150.0)
"""Where silicon works, and some room; sensors that are broken or off say 0, -274 or 200."""
MAX_PLAUSIBLE_W = 20_000.0


@dataclass(frozen=True)
class Reading:
    """One look: degrees Celsius and watts; None where there is no sensor."""

    celsius: float | None = None
    watts: float | None = None


class Thermometer(Protocol):
    """The sensors of one device. A look takes milliseconds."""

    def read(self) -> Reading:
        """As it is now. May raise anything: whoever asks must not trust it."""


class KernelThermometer:
    """Linux: the hottest of all thermal zones and hardware monitors, and the largest power. `root` is `/sys`, but for tests.

    Units are the kernel's: millidegrees and microwatts (Documentation/ABI/testing/sysfs-class-thermal, sysfs-class-hwmon).
    """

    def __init__(self, root: Path = Path("/sys")) -> None:
        self._root = root / "class"

    def read(self) -> Reading:
        """Implausible sensors are passed over where another one is good."""
        celsius = [
            value / 1000 for pattern in ("thermal/thermal_zone*/temp", "hwmon/hwmon*/temp*_input") for value in self._numbers(pattern)
        ]
        watts = [
            value / 1e6 for pattern in ("hwmon/hwmon*/power*_input", "hwmon/hwmon*/power*_average") for value in self._numbers(pattern)
        ]
        return Reading(largest(celsius, is_celsius), largest(watts, is_watts))

    def _numbers(self, pattern: str) -> Iterator[float]:
        for path in sorted(self._root.glob(pattern)):
            with suppress(OSError, ValueError):  # a sensor that is asleep answers with an error
                yield float(path.read_text())


class NvidiaThermometer:
    """An NVIDIA device, by NVML. Raises `UnavailableError` on creation where there is no library, driver or device."""

    def __init__(self, index: int = 0) -> None:
        try:
            import pynvml  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

            pynvml.nvmlInit()
            self._nvml: Any = pynvml
            self._device = pynvml.nvmlDeviceGetHandleByIndex(index)
        except Exception as error:  # NVML's errors derive from Exception itself
            raise UnavailableError(f"sensor: NVML does not answer for device {index}", detail=repr(error)) from error

    def read(self) -> Reading:
        """Degrees of the chip and watts of the board; what the device does not offer is None."""
        return Reading(
            self._try(lambda: float(self._nvml.nvmlDeviceGetTemperature(self._device, self._nvml.NVML_TEMPERATURE_GPU))),
            self._try(lambda: self._nvml.nvmlDeviceGetPowerUsage(self._device) / 1000),
        )

    def _try(self, ask: Callable[[], float]) -> float | None:
        try:
            return ask()
        except self._nvml.NVMLError:
            return None


class FakeThermometer:
    """Says what it was told to, or raises it."""

    def __init__(self, celsius: float | None = None, watts: float | None = None) -> None:
        self.reading = Reading(celsius, watts)
        self.error: Exception | None = None
        self.num_reads = 0

    def read(self) -> Reading:
        """The same until it is told otherwise."""
        self.num_reads += 1
        if self.error is not None:
            raise self.error
        return self.reading


def is_celsius(value: float) -> bool:
    """Whether a device can be that warm. Exactly 0 is what dead sensors say."""
    return PLAUSIBLE_C[0] <= value <= PLAUSIBLE_C[1] and value != 0


def is_watts(value: float) -> bool:
    """Whether a device can draw that much."""
    return 0 < value <= MAX_PLAUSIBLE_W


def largest(values: list[float], is_plausible: Callable[[float], bool]) -> float | None:
    """Of those that can be true; else any of them, for the guard to wonder at; None where there is none."""
    good = [value for value in values if is_plausible(value)]
    return max(good) if good else next(iter(values), None)
