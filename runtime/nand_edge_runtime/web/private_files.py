"""Files that hold secrets: for their owner alone, whole or absent, and on the disk when writing them returns."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_BYTES = 4 << 20


def read_private(path: Path) -> dict[str, Any] | None:
    """The JSON object of a file; None where there is no file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large or no JSON object.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("a file that is too large")
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except RecursionError:
        raise ValueError("values nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - what is in a file is a value, whatever its type
    return document


def write_private(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON object that only this user can read.

    Raises:
        OSError: It cannot be written; then the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
