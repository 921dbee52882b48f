"""Which sources something was made of, so that what others made is not taken for today's."""

from __future__ import annotations

import hashlib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def sources_digest(*paths: str) -> str:
    """A hash of Python files.

    Args:
        paths: Files and folders, from the repository's root.
    """
    files = sorted(
        file for path in paths for file in ([_ROOT / path] if path.endswith(".py") else (_ROOT / path).rglob("*.py"))
    )
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
