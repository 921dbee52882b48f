"""The settings of a station: one TOML file, checked as a whole, with line and key in every complaint."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.settings import CameraSettings
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.history.settings import HistorySettings
from nand_edge_runtime.line_scan.settings import LineScanSettings
from nand_edge_runtime.observability.settings import LogSettings
from nand_edge_runtime.outputs.settings import GateSettings, OutputSettings
from nand_edge_runtime.station.settings_base import Settings
from nand_edge_runtime.station.toml_lines import line_of, lines_of
from nand_edge_runtime.web.settings import WebSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1 << 20
NAMED = r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}"
_COMPLAINTS = 5
_SEE = "see docs/station.md, and check the file with `nand-edge serve STATION.toml --check`"


class StationCamera(CameraSettings):
    """A camera, and how its lines become tiles where it is a line-scan camera."""

    line_scan: LineScanSettings | None = Field(default=None, description="Makes tiles of the lines of a web.")


class StationSettings(Settings):
    """Everything that a station needs to know."""

    name: str = Field(default="station", pattern=NAMED, description="Its name in logs, pages and metrics.")
    bundle: Path = Field(description="The bundle, NAME.nand.")
    normalities: tuple[str, ...] | None = Field(
        default=None,
        description="What is in force: names of the bundle's or paths of .normality files; the bundle's own.",
    )
    threshold: float | None = Field(default=None, allow_inf_nan=False, description="The bundle's, unless given.")
    state_folder: Path = Field(description="Where journal, history, pictures and the station's copy of the bundle are.")
    position_unit: Literal["millimetres", "ticks"] = Field(
        default="millimetres", description="Unit of a frame's place on the line."
    )
    recent_megabytes: int = Field(
        default=96, ge=1, le=16384, description="Memory for the last frames, on which changes can be tried."
    )
    engine: EngineSettings = Field(default_factory=EngineSettings, description="What inspects the frames.")
    camera: tuple[StationCamera, ...] = Field(min_length=1, description="The cameras; all share the engine.")
    gate: GateSettings = Field(default_factory=GateSettings, description="When and how verdicts reach the reject gate.")
    output: tuple[OutputSettings, ...] = Field(default=(), description="Who is told of verdicts.")
    history: HistorySettings = Field(default_factory=HistorySettings, description="What is kept, and how long.")
    web: WebSettings = Field(default_factory=WebSettings, description="The live page.")
    log: LogSettings = Field(default_factory=LogSettings, description="What is logged, and where.")

    @field_validator("camera", "output")
    @classmethod
    def _unique_names(cls, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [part.name for part in parts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"found two of the name {name!r}, needed a name of its own for each")
        return parts

    @model_validator(mode="after")
    def _fitting_delays(self) -> StationSettings:
        if getattr(self.gate, "delay_ticks", None) is not None and self.position_unit != "ticks":
            raise ValueError('found gate.delay_ticks with position_unit in millimetres, needed position_unit = "ticks"')
        return self


def read_settings(path: Path) -> StationSettings:
    """Read and check a settings file; relative paths in it count from its folder.

    Raises:
        NandEdgeError: It cannot be read, is no TOML, or says something that a station cannot do.
    """
    what = f"settings {str(path)!r}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _complaint(what, f"{path.stat().st_size} bytes", f"at most {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError:
        raise NandEdgeError(what, found="no such file", needed="a station's settings", do="check the path") from None
    except OSError as error:
        raise _complaint(what, error.strerror or type(error).__name__, "a file that can be read") from None
    except UnicodeDecodeError:
        raise _complaint(what, "text that is not UTF-8", "a TOML file") from None
    except tomllib.TOMLDecodeError as error:
        raise _complaint(what, f"no TOML: {error}", "a TOML file") from None
    document.setdefault("state_folder", f"{path.stem}.state")
    return validated(document, what=what, folder=path.resolve().parent, text=text)


def validated(document: dict[str, Any], *, what: str, folder: Path, text: str = "") -> StationSettings:
    """Check settings that were read or put together.

    Args:
        document: As TOML has it.
        what: What a complaint is about.
        folder: What relative paths count from.
        text: The file's text, for the lines of complaints.

    Raises:
        NandEdgeError: See `read_settings`.
    """
    try:
        settings = StationSettings.model_validate(document)
    except ValidationError as error:
        lines = lines_of(text)
        complaints = [_words(dict(fault), lines) for fault in error.errors(include_url=False)]
        more = f" (and {len(complaints) - _COMPLAINTS} more)" if len(complaints) > _COMPLAINTS else ""
        raise _complaint(what, "; ".join(complaints[:_COMPLAINTS]) + more, "settings that a station knows") from None
    except RecursionError:
        raise _complaint(what, "tables nested too deeply", "settings that a station knows") from None
    normalities = settings.normalities
    if normalities is not None:
        normalities = tuple(str(folder / name) if name.endswith(".normality") else name for name in normalities)
    update = {
        "bundle": folder / settings.bundle,
        "state_folder": folder / settings.state_folder,
        "normalities": normalities,
    }
    return settings.model_copy(update=update)


def _words(fault: dict[str, Any], lines: Mapping[tuple[str | int, ...], int]) -> str:
    """One complaint: line, key and what is wrong with it."""
    path = tuple(
        part for part in fault["loc"] if isinstance(part, int) or not part.startswith(("function-", "tagged-"))
    )
    line = line_of(lines, path)
    key = _dotted(path) or "the file"
    said = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        said = "no such key" + _nearest(path)
    elif fault["type"] == "missing":
        said = "missing"
    return (f"line {line}, " if line else "") + f"{key}: {said}"


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _nearest(path: Sequence[str | int]) -> str:
    """A key that is there and looks like the one that is not."""
    known = _known_keys(path[:-1])
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _known_keys(table: Sequence[str | int]) -> list[str]:
    fields: Any = StationSettings
    for part in table:
        if isinstance(part, str):
            found = getattr(fields, "model_fields", {}).get(part)
            fields = None if found is None else _model_in(found.annotation)
    return list(getattr(fields, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """The first table of settings within a type such as `tuple[StationCamera, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_in(part)
        if found is not None:
            return found
    return None


def _complaint(what: str, found: str, needed: str) -> NandEdgeError:
    return NandEdgeError(what, found=found, needed=needed, do=_SEE)
