"""The settings of a station: one TOML file, checked as a whole, with line and key in every complaint."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator, model_validator

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.settings import CameraSettings, camera_within
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.history.settings import HistorySettings
from nand_edge_runtime.line_scan.settings import LineScanSettings
from nand_edge_runtime.normalities import NORMALITY_SUFFIX
from nand_edge_runtime.observability.settings import LogSettings
from nand_edge_runtime.outputs.settings import GateSettings, OutputSettings
from nand_edge_runtime.station.complaints import complaints_of
from nand_edge_runtime.station.settings_base import Settings
from nand_edge_runtime.station.toml_lines import lines_of
from nand_edge_runtime.web.settings import WebSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1 << 20
NAMED = r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$"
_COMPLAINTS = 5
_Table = TypeVar("_Table", bound=Settings)
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
        for delay, unit in (("delay_ticks", "ticks"), ("delay_mm", "millimetres")):
            if getattr(self.gate, delay) is not None and self.position_unit != unit:
                raise ValueError(
                    f'found gate.{delay} with position_unit in {self.position_unit}, needed position_unit = "{unit}"'
                )
        return self

    @model_validator(mode="after")
    def _known_cameras(self) -> StationSettings:
        """A camera that is named where there is none would be told nothing, and nobody would notice."""
        known = [camera.name for camera in self.camera]
        places = {"gate.camera_delays": tuple(self.gate.camera_delays)}
        places |= {f"output {output.name!r}": output.cameras for output in self.output}
        for place, names in places.items():
            for name in names:
                if name not in known:
                    raise ValueError(f"found camera {name[:80]!r} in {place}, needed one of {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _patient_heartbeat(self) -> StationSettings:
        """A heartbeat that a frame within its deadline could stop would be a false alarm."""
        longest = max(camera.deadline_ms for camera in self.camera)
        if self.output and self.gate.heartbeat_timeout_ms <= longest:
            raise ValueError(
                f"found gate.heartbeat_timeout_ms {self.gate.heartbeat_timeout_ms:g}, "
                f"needed more than the longest deadline_ms, {longest:g}"
            )
        return self


def read_settings(path: Path) -> StationSettings:
    """Read and check a settings file; relative paths in it count from its folder.

    Raises:
        NandEdgeError: It cannot be read, is no TOML, or says something that a station cannot do.
    """
    what = f"settings {str(path)!r}"
    try:
        if path.exists() and not path.is_file():
            raise _complaint(what, "no plain file", "a TOML file")
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
    except RecursionError:
        raise _complaint(what, "brackets nested too deeply", "a TOML file") from None
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
        complaints = complaints_of(error, StationSettings, lines_of(text))
        more = f" (and {len(complaints) - _COMPLAINTS} more)" if len(complaints) > _COMPLAINTS else ""
        raise _complaint(what, "; ".join(complaints[:_COMPLAINTS]) + more, "settings that a station knows") from None
    except RecursionError:
        raise _complaint(what, "tables nested too deeply", "settings that a station knows") from None
    normalities = settings.normalities
    if normalities is not None:
        normalities = tuple(str(folder / name) if name.endswith(NORMALITY_SUFFIX) else name for name in normalities)
    inside = _within(settings, folder)
    cameras = tuple(camera_within(camera, folder) for camera in inside.camera)
    return inside.model_copy(update={"camera": cameras, "normalities": normalities})


def _within(settings: _Table, folder: Path) -> _Table:
    """The same settings, with relative paths of files counting from a folder."""
    update: dict[str, object] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            update[name] = folder / value
        elif isinstance(value, Settings):
            update[name] = _within(value, folder)
        elif isinstance(value, tuple) and any(isinstance(part, Settings) for part in value):
            update[name] = tuple(_within(part, folder) for part in value)
    return settings.model_copy(update=update)


def _complaint(what: str, found: str, needed: str) -> NandEdgeError:
    return NandEdgeError(what, found=found, needed=needed, do=_SEE)
