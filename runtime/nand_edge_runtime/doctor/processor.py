"""The processor: its name, its cores, and the instruction sets that decide how fast networks run on it."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from nand_edge_runtime.machine import processor_name

_X86 = {
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "AVX-512 VNNI": "avx512_vnni",
    "AVX VNNI": "avx_vnni",
    "AVX-512 bf16": "avx512_bf16",
    "AMX bf16": "amx_bf16",
    "AMX int8": "amx_int8",
}
_ARM = {
    "NEON": "asimd",
    "fp16": "asimdhp",
    "int8 dot products": "asimddp",
    "int8 products of matrices": "i8mm",
    "bf16": "bf16",
    "SVE": "sve",
}
_WINDOWS_FEATURES = {"AVX2": 40, "AVX-512": 41}
"""Numbers of `IsProcessorFeaturePresent`; Windows tells no more than these."""


@dataclass(frozen=True)
class Processor:
    """The processor.

    Attributes:
        name: As its maker names it.
        cores: Physical cores; None where the system does not tell.
        threads: Logical processors.
        usable: Logical processors that this process may use: less than `threads` under a container's or a
            service's limit.
        instructions: By name, whether the processor has the instruction set; empty where the system does not tell.
    """

    name: str
    cores: int | None
    threads: int
    usable: float
    instructions: dict[str, bool]

    @property
    def has_bf16(self) -> bool:
        """Whether products of matrices in bf16 are in hardware."""
        return any(self.instructions.get(name, False) for name in ("AVX-512 bf16", "AMX bf16", "bf16"))

    @property
    def has_int8(self) -> bool:
        """Whether products of int8 are in hardware."""
        names = ("AVX-512 VNNI", "AVX VNNI", "AMX int8", "int8 dot products", "int8 products of matrices")
        return any(self.instructions.get(name, False) for name in names)


def read_processor(root: Path = Path("/")) -> Processor:
    """Read what the processor is.

    Args:
        root: Where Linux's files are looked for.
    """
    try:
        information = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        information = ""
    threads = os.cpu_count() or 1
    return Processor(
        name=processor_name(),
        cores=_cores(information),
        threads=threads,
        usable=min(_allowed(threads), _quota(root) or threads),
        instructions=_instructions(information),
    )


def _instructions(information: str) -> dict[str, bool]:
    found = re.search(r"^(flags|Features)\s*:\s*(.*)$", information, re.MULTILINE)
    if found:
        own = set(found[2].split())
        known = _X86 if found[1] == "flags" else _ARM
        return {name: flag in own for name, flag in known.items()}
    if sys.platform == "win32" and platform.machine().lower() in ("amd64", "x86_64"):
        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        return {name: bool(present(number)) for name, number in _WINDOWS_FEATURES.items()}
    return {}


def _cores(information: str) -> int | None:
    sockets = re.findall(r"^physical id\s*:\s*(\d+)", information, re.MULTILINE)
    cores = re.findall(r"^core id\s*:\s*(\d+)", information, re.MULTILINE)
    return len(set(zip(sockets, cores, strict=False))) or None


def _allowed(threads: int) -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads


def _quota(root: Path) -> float | None:
    """Processors that a control group allows, where it sets a limit: "200000 100000" is two."""
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None
