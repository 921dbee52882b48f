"""What pydantic found wrong with a settings file, in words: the line, the key, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from nand_edge_runtime.station.settings_base import Settings
from nand_edge_runtime.station.toml_lines import Path, line_of

_KIND = "kind"
"""The key that tells which of several tables is meant."""

_SCALARS = ("bool", "int", "float", "str")
"""What pydantic adds to a key's place when the value may be of several types."""

Tables = tuple[type[Settings], ...]


_SHOULD_BE = "Input should be "


def complaints_of(error: ValidationError, settings: type[Settings], lines: Mapping[Path, int]) -> list[str]:
    """One complaint a key, in the order of the file.

    Args:
        error: All that pydantic found.
        settings: What was validated.
        lines: The lines of the file's keys.
    """
    said: dict[Path, list[str]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        path, words = _in_words(dict(fault), settings)
        said.setdefault(path, []).append(words)
    # A table with a fault in it counts as missing too, which says nothing more.
    inner = [path for path in said if not any(other[: len(path)] == path for other in said if other != path)]
    keys = sorted(inner, key=lambda path: line_of(lines, path) or 0)
    return [_complaint(path, said[path], line_of(lines, path)) for path in keys]


def _complaint(path: Path, said: list[str], line: int | None) -> str:
    # A value that may be of several types has a complaint for each.
    first, *more = dict.fromkeys(said)
    words = ", ".join([first, *(each.removeprefix(_SHOULD_BE) for each in more)])
    return (f"line {line}, " if line else "") + f"{_dotted(path) or 'the file'}: {words}"


def _in_words(fault: Mapping[str, Any], settings: type[Settings]) -> tuple[Path, str]:
    """The key, and what is wrong with it."""
    path, tables = _place(fault["loc"], settings)
    said = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        said = "no such key" + _nearest(path, tables)
    elif fault["type"] == "missing":
        said = "missing"
    elif fault["type"] == "too_short":
        said = f"found {fault['ctx']['actual_length']} of them, needed at least {fault['ctx']['min_length']}"
    elif fault["type"] == "union_tag_not_found":
        path, said = (*path, _KIND), "missing"
    elif fault["type"] == "union_tag_invalid":
        told = fault["ctx"]
        path, said = (*path, _KIND), f"found {str(told['tag'])[:80]!r}, needed one of {told['expected_tags']}"
    return path, said


def _place(location: Sequence[str | int], settings: type[Settings]) -> tuple[Path, Tables]:
    """The key's path as the file has it, and the tables that may hold the key."""
    path: list[str | int] = []
    holders: Tables = (settings,)
    tables: Tables = (settings,)
    for part in location:
        if isinstance(part, int):
            path.append(part)
            continue
        of_kind = tuple(table for table in tables if part in _kinds(table))
        if len(tables) > 1 and of_kind:
            tables = of_kind
            continue
        if part.startswith("function-") or (not tables and part in _SCALARS and part == location[-1]):
            continue
        path.append(part)
        holders = tables
        tables = tuple(
            inner
            for table in tables
            if part in table.model_fields
            for inner in _tables_in(table.model_fields[part].annotation)
        )
    return tuple(path), holders


def _tables_in(annotation: Any) -> Iterator[type[Settings]]:
    """The tables within a type such as `tuple[CameraSettings, ...]` or `ModbusSettings | MqttSettings`."""
    parts = get_args(annotation)
    for part in parts:
        yield from _tables_in(part)
    # In Python 3.10 `tuple[...]` counts as a class too.
    if not parts and isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation


def _kinds(table: type[Settings]) -> tuple[Any, ...]:
    kind = table.model_fields.get(_KIND)
    return () if kind is None else get_args(kind.annotation)


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _nearest(path: Path, tables: Tables) -> str:
    """A key that is there and looks like the one that is not."""
    known = {name for table in tables for name in table.model_fields}
    near = difflib.get_close_matches(str(path[-1]), sorted(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
