"""Remembering what was measured: `choice.json` in the bundle's folder, no part of its identity, or the user's cache."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_edge.bundle import CHOICE, Bundle
from nand_edge.cache_folder import cache_folder
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge_runtime.choosing.trial import Trial

_VERSION = 1
_FOLDER = "choices"
_MOST_BYTES = 4 << 20
_MOST_ENTRIES = 16
"""Devices that may share one folder; the oldest goes first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remembered:
    """What an earlier measurement left.

    Attributes:
        trials: Its results; None where they must be measured again.
        why: Why they must, or where they come from.
    """

    trials: tuple[Trial, ...] | None
    why: str


def recall(bundle: Bundle, setting: dict[str, Any]) -> Remembered:
    """What was measured for this setting, from the bundle's folder or else from the user's cache."""
    whys = []
    for path in _places(bundle):
        entries, fault = _read(path)
        if fault:
            whys.append(fault)
        for entry in entries:
            if entry["setting"] == setting:
                return Remembered(tuple(Trial.from_json(each) for each in entry["trials"]), f"remembered in {path}")
        if entries:
            nearest = min((_changed(entry["setting"], setting) for entry in reversed(entries)), key=len)
            whys.append(f"measured anew, {path} differs in {', '.join(nearest)}")
    return Remembered(None, "; ".join(whys) or "measured for the first time")


def remember(bundle: Bundle, setting: dict[str, Any], trials: tuple[Trial, ...]) -> str:
    """Keep what was measured, and say where; a folder that cannot be written is no fault.

    Measurements of this device that no longer hold make room for these.
    """
    entry = {"setting": setting, "trials": [trial.to_json() for trial in trials]}
    for path in _places(bundle):
        others = [each for each in _read(path)[0] if not _replaces(setting, each["setting"])]
        document = {"version": _VERSION, "entries": [*others[-_MOST_ENTRIES + 1 :], entry]}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as temporary:
                temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        except (OSError, NandEdgeError) as error:
            _log.info("the choice is not remembered in %s: %s", path, error)
            continue
        return f"remembered in {path}"
    return "not remembered: neither the bundle's folder nor the user's cache can be written"


def _places(bundle: Bundle) -> tuple[Path, Path]:
    return bundle.folder / CHOICE, cache_folder() / _FOLDER / f"{bundle.sha256}.json"


def _read(path: Path) -> tuple[list[dict[str, Any]], str]:
    """The entries of a file, and what is wrong with it; an absent file has none, and nothing is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")  # noqa: TRY301 - one place says what is wrong with a file
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            return [], f"measured anew: {path} is of another version"
        for entry in document["entries"]:
            _check(entry)
        return list(document["entries"]), ""
    except FileNotFoundError:
        return [], ""
    except (OSError, ValueError, LookupError, TypeError) as error:
        return [], f"measured anew: {path} cannot be read ({type(error).__name__})"


def _check(entry: dict[str, Any]) -> None:
    """Refuse what `remember` would not have written."""
    trials = [Trial.from_json(each) for each in entry["trials"]]
    times = [time for each in trials if each.measured for time in (each.measured.shut_ms, each.measured.open_ms)]
    names = [each.candidate.name for each in trials]
    if not all(math.isfinite(time) and time > 0 for time in times) or names != entry["setting"]["candidates"]:
        raise ValueError("no measurement")


def _changed(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def _replaces(now: dict[str, Any], then: dict[str, Any]) -> bool:
    """Whether a measurement of this device in this use is no longer true: its bundle or its versions have changed."""
    aged = [name for name in _changed(then, now) if name != "candidates"]
    is_older = all(name == "bundle" or name.startswith("version of ") for name in aged)
    return is_older and (bool(aged) or then == now)
