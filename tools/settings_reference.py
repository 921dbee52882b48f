"""Write docs/settings.md: every key of a station's settings file, with its default and what it means.

It is made of the settings' own descriptions, so that the page cannot say anything else than what is checked.
`--check` changes nothing and fails when the page is not what the settings make it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from nand_edge_runtime.station.settings import StationSettings
from nand_edge_runtime.station.settings_base import Settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """\
# All settings of a station

A station is one TOML file: `nand-edge serve STATION.toml` runs it, and with `--check` it is only checked, with the line
and the key of everything that is wrong. What a station is, and a file to begin with: [a station](station.md). This page
lists every key. Relative paths count from the file's folder. No password stands in the file: a key that ends in `_env`
names an environment variable.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or check it; the exit code is 1 when the check fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when the page differs from the settings")
    options = parser.parse_args(arguments)
    text = page()
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        print(f"{PAGE.name} differs from the settings: run `python tools/settings_reference.py`.", file=sys.stderr)
        return 1
    return 0


def page() -> str:
    """The page's text."""
    return HEAD + "".join(_section("", StationSettings, array=False))


def _section(table: str, settings: type[Settings], *, array: bool) -> Iterator[str]:
    """The heading and table of a group of keys, and then those of the groups in it."""
    heading = f"`[[{table}]]`" if array else f"`[{table}]`"
    kind = _constant(settings.model_fields.get("kind"))
    yield f"\n## {heading if table else 'At the top'}{f', kind `{kind}`' if kind else ''}\n\n"
    yield f"{' '.join((settings.__doc__ or '').split())}\n\n| key | default | what it is |\n| --- | --- | --- |\n"
    inner: list[tuple[str, type[Settings], bool]] = []
    for name, field in settings.model_fields.items():
        tables = [found for found in _types(field.annotation) if _is_settings(found)]
        if tables:
            path = f"{table}.{name}" if table else name
            inner += [(path, found, _is_array(field.annotation)) for found in tables]
        else:
            yield f"| `{name}` | {_default(field)} | {_meaning(field)} |\n"
    for path, found, is_array in inner:
        yield from _section(path, found, array=is_array)


def _meaning(field: FieldInfo) -> str:
    said = " ".join((field.description or "").split()).replace("|", "\\|")
    choices = [str(choice) for found in _types(field.annotation) for choice in _choices(found)]
    if len(choices) > 1 and not all(choice in said for choice in choices):
        said += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    return said


def _choices(found: Any) -> list[Any]:
    if isinstance(found, type) and issubclass(found, Enum):
        return [member.value for member in found]
    return list(get_args(found)) if get_origin(found) is Literal else []


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Enum):
        value = value.value
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{list(value)}`".replace("'", '"')
    return f'`"{value}"`' if isinstance(value, str | Path) else f"`{value}`"


def _constant(field: FieldInfo | None) -> str:
    """The one kind that a group is for, where it is for one."""
    choices = [choice for found in _types(field.annotation) for choice in _choices(found)] if field else []
    only = choices[0] if len(choices) == 1 else None
    return str(only.value if isinstance(only, Enum) else only or "")


def _types(annotation: Any) -> Iterator[Any]:
    """The types that a field may have, those within tuples and unions."""
    if get_origin(annotation) in (Union, UnionType, tuple, list, Annotated):
        for part in get_args(annotation):
            yield from _types(part)
    else:
        yield annotation


def _is_settings(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Settings)


def _is_array(annotation: Any) -> bool:
    return any(get_origin(part) in (tuple, list) for part in (annotation, *get_args(annotation)))


if __name__ == "__main__":
    sys.exit(main())
