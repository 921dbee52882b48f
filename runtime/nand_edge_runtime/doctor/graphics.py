"""NVIDIA GPUs, asked of the driver itself, so that no package is needed to see them."""

from __future__ import annotations

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DRIVER_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_MANAGEMENT_LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
_MAJOR, _MINOR = 75, 76
"""CUDA's numbers of the attributes that make a compute capability."""
_NVIDIA, _DISPLAY = "0x10de", "0x03"


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU.

    Attributes:
        name: As the driver names it.
        compute_capability: Such as "8.6".
        memory_mib: Its memory, MiB; on a Jetson that of the machine.
    """

    name: str
    compute_capability: str
    memory_mib: int


@dataclass(frozen=True)
class Graphics:
    """What NVIDIA's driver tells.

    Attributes:
        gpus: The GPUs that it offers.
        driver: Its version; empty without a driver.
        cuda: The newest CUDA that it runs, such as "12.4"; empty without a driver.
        present: Whether an NVIDIA GPU is in the machine, with or without a driver.
        fault: Why no GPU can be used; empty when one can.
    """

    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    cuda: str = ""
    present: bool = False
    fault: str = ""

    def is_older_than_cuda(self, major: int) -> bool:
        """Whether there is a driver, and it runs no CUDA of this major version."""
        return bool(self.cuda) and int(self.cuda.partition(".")[0]) < major


def read_graphics(root: Path = Path("/")) -> Graphics:
    """Ask the driver for its GPUs.

    Args:
        root: Where Linux's files are looked for.
    """
    driver = _driver_version(root)
    present = _on_the_bus(root)
    try:
        library = ctypes.CDLL(_DRIVER_LIBRARY)
    except OSError:
        found = "an NVIDIA GPU without a driver that answers" if present else "no NVIDIA GPU"
        return Graphics(driver=driver, present=present, fault=f"{found} (no {_DRIVER_LIBRARY})")
    try:
        _call(library, "cuInit", 0)
        gpus = tuple(_gpu(library, place) for place in range(_number(library, "cuDeviceGetCount")))
        version = _number(library, "cuDriverGetVersion")
    except (OSError, AttributeError) as error:
        return Graphics(driver=driver, present=present, fault=f"a driver that offers no GPU ({error})")
    cuda = f"{version // 1000}.{version % 1000 // 10}"
    return Graphics(gpus, driver, cuda, present or bool(gpus), "" if gpus else "a driver that offers no GPU")


def _gpu(library: Any, place: int) -> Gpu:
    device = _number(library, "cuDeviceGet", place)
    name = ctypes.create_string_buffer(256)
    _call(library, "cuDeviceGetName", name, len(name), device)
    size = ctypes.c_size_t()
    _call(library, "cuDeviceTotalMem_v2", ctypes.byref(size), device)
    major, minor = (_number(library, "cuDeviceGetAttribute", attribute, device) for attribute in (_MAJOR, _MINOR))
    return Gpu(name.value.decode(errors="replace"), f"{major}.{minor}", size.value >> 20)


def _number(library: Any, function: str, *arguments: int) -> int:
    value = ctypes.c_int()
    _call(library, function, ctypes.byref(value), *arguments)
    return value.value


def _call(library: Any, function: str, *arguments: Any) -> None:
    status = getattr(library, function)(*arguments)
    if status:
        words = ctypes.c_char_p()
        library.cuGetErrorString(status, ctypes.byref(words))
        raise OSError(f"{function}: {(words.value or b'').decode() or f'error {status}'}")


def _driver_version(root: Path) -> str:
    try:
        return (root / "sys/module/nvidia/version").read_text(encoding="ascii").strip()
    except OSError:
        pass
    try:
        library = ctypes.CDLL(_MANAGEMENT_LIBRARY)
        words = ctypes.create_string_buffer(96)
        told = not library.nvmlInit_v2() and not library.nvmlSystemGetDriverVersion(words, len(words))
        return words.value.decode() if told else ""
    except (OSError, AttributeError):
        return ""


def _on_the_bus(root: Path) -> bool:
    if re.search("nvidia,tegra", _text(root / "proc/device-tree/compatible")):
        return True
    devices = root / "sys/bus/pci/devices"
    return any(
        _text(device / "vendor").strip() == _NVIDIA and _text(device / "class").startswith(_DISPLAY)
        for device in (devices.iterdir() if devices.is_dir() else ())
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
