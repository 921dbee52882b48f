"""Energy of the processor or the graphics card, where the machine lets its counters be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_POWERCAP = Path("/sys/class/powercap")


class RaplMeter:
    """The processors' own energy counters, which Linux shows under `powercap`.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path = _POWERCAP) -> None:
        # `intel-rapl:0` is a whole package; `intel-rapl:0:0` a part of it, which would count twice.
        packages = sorted(folder.glob("*-rapl:*")) if folder.is_dir() else []
        self._counters = [package for package in packages if package.name.count(":") == 1 and _readable(package)]
        self._start: list[int] = []

    @property
    def available(self) -> bool:
        """Whether there is a counter that may be read."""
        return bool(self._counters)

    def start(self) -> None:
        """Begin to count."""
        self._start = self._read()

    def joules(self) -> float | None:
        """Energy since `start`, joules; None without counters."""
        if not self._counters:
            return None
        ranges = [int((counter / "max_energy_range_uj").read_text()) for counter in self._counters]
        # A counter that came to its end began again at 0.
        return (
            sum((now - then) % (end + 1) for now, then, end in zip(self._read(), self._start, ranges, strict=True))
            / 1e6
        )

    def _read(self) -> list[int]:
        return [int((counter / "energy_uj").read_text()) for counter in self._counters]


class NvmlMeter:
    """The energy counter of the first NVIDIA card, by the package `pynvml` (`nvidia-ml-py`) where it is installed."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._start = 0
        try:
            import pynvml

            pynvml.nvmlInit()
            self._card = pynvml.nvmlDeviceGetHandleByIndex(0)
            pynvml.nvmlDeviceGetTotalEnergyConsumption(self._card)
            self._nvml = pynvml
        except Exception:  # noqa: BLE001 - no package, no driver, no card or a card without a counter: no meter
            self._nvml = None

    @property
    def available(self) -> bool:
        """Whether there is a card with a counter."""
        return self._nvml is not None

    def start(self) -> None:
        """Begin to count."""
        if self._nvml is not None:
            self._start = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._card)

    def joules(self) -> float | None:
        """Energy since `start`, joules; None without a counter."""
        if self._nvml is None:
            return None
        spent: int = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._card) - self._start
        return spent / 1e3


def energy_meter() -> RaplMeter | NvmlMeter:
    """The graphics card's meter where there is one, else the processor's, which may be unavailable too."""
    card = NvmlMeter()
    return card if card.available else RaplMeter()


def _readable(package: Path) -> bool:
    try:
        int((package / "energy_uj").read_text())
        int((package / "max_energy_range_uj").read_text())
    except (OSError, ValueError):
        return False
    return True
