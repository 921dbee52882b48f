"""Where in a TOML file a key stands, so that a complaint can name its line."""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Keys from the outermost table on; a place in an array of tables, counted from 0, follows its name."""

_TABLE = re.compile(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\](?(1)\])\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every table and key of a file that TOML's own reader accepts."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header is not None:
            table = _full(_parts(header[2]), counts, is_array=bool(header[1]))
            lines[table] = number
            continue
        key = _KEY.match(line)
        if key is not None:
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a key, or of the innermost table around it that has one; an array of tables has its first one's."""
    for length in range(len(path), 0, -1):
        for place in (path[:length], (*path[:length], 0)):
            if place in lines:
                return lines[place]
    return None


def _parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]


def _full(parts: list[str], counts: dict[Path, int], *, is_array: bool) -> Path:
    """The table's path with the places in the arrays of tables that it lies in."""
    path: Path = ()
    for depth, part in enumerate(parts):
        path = (*path, part)
        if is_array and depth == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
