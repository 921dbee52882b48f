"""The settings of what is logged, how and where."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from pydantic import Field

from nand_edge_runtime.station.settings_base import Settings


class LogLevel(str, Enum):
    """From what weight on a line is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(str, Enum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


class LogSettings(Settings):
    """What is logged: to the terminal or the service manager's journal, and to a file if wanted."""

    level: LogLevel = Field(default=LogLevel.INFO, description="debug, info, warning or error.")
    format: LogFormat = Field(default=LogFormat.TEXT, description="text for people, or json: one object a line.")
    file: Path | None = Field(
        default=None, description="Also write to this file; a relative path counts from the settings file's folder."
    )
    file_megabytes: float = Field(default=16, gt=0, le=1024, description="A file of this size is put aside.")
    files_kept: int = Field(default=4, ge=1, le=99, description="How many files that were put aside are kept.")
