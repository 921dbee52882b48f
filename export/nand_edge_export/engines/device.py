"""The GPU of this machine, asked through NVIDIA's driver alone."""

from __future__ import annotations

import ctypes
import sys

_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


def compute_capability_here() -> str | None:
    """Compute capability of the first GPU ("8.6"), or None where there is no GPU or no driver."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    device, parts = ctypes.c_int(), (ctypes.c_int(), ctypes.c_int())
    if driver.cuInit(0) != 0 or driver.cuDeviceGet(ctypes.byref(device), 0) != 0:
        return None
    for part, attribute in zip(parts, (_CAPABILITY_MAJOR, _CAPABILITY_MINOR), strict=True):
        if driver.cuDeviceGetAttribute(ctypes.byref(part), attribute, device) != 0:
            return None
    return f"{parts[0].value}.{parts[1].value}"
