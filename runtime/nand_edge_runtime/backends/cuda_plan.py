"""The head of a serialised TensorRT engine: which version wrote it, known before the engine is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nand_edge.compute_capability import as_pair, runs_on
from nand_edge.manifest import EngineRecord

HEAD_BYTES = 28
_MARK, _VERSION = slice(1, 4), slice(24, 28)
_MARK_OF_ENGINES = b"trt"
"""The first four bytes are `ftrt` from TensorRT and `vtrt` from TensorRT-RTX."""

Version = tuple[int, ...]
"""Major, minor, patch and build."""


def version_of(head: bytes) -> Version | None:
    """The version that wrote an engine, from its first `HEAD_BYTES`; None where the head is of no known form."""
    if len(head) < HEAD_BYTES or head[_MARK] != _MARK_OF_ENGINES:
        return None
    return tuple(head[_VERSION])


def parse_version(text: str) -> Version:
    """A package's version as numbers: "10.3.0.post1" is (10, 3, 0)."""
    numbers = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else ()


def can_load(written_by: Version, installed: Version, *, version_compatible: bool) -> bool:
    """Whether the installed version may load an engine.

    An engine belongs to the minor version that wrote it; a version-compatible one also to all later ones. Patches are
    left to TensorRT, which looks closer.
    """
    if version_compatible:
        return written_by[:2] <= installed[:2]
    return written_by[:2] == installed[:2]


def fitting(records: Iterable[EngineRecord], compute_capability: str, precision: str) -> EngineRecord | None:
    """The engine for a GPU and a precision; of several the one built for the fewest other GPUs."""
    fits = [
        record
        for record in records
        if record.precision == precision and runs_on(record.compute_capability, compute_capability)
    ]
    return min(fits, key=lambda record: _breadth(record.compute_capability), default=None)


def _breadth(recorded: str) -> tuple[bool, int, tuple[int, int]]:
    """Sorts one capability before several, and those before one and all later ones, of which the latest is best."""
    later = recorded.endswith("+")
    major, minor = as_pair(recorded.removesuffix("+")) if later else (0, 0)
    return not recorded or later, recorded.count(","), (-major, -minor)
