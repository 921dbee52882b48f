"""The settings of what is kept of each frame, where, and how long."""

from __future__ import annotations

from enum import Enum
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from nand_edge_runtime.station.settings_base import Settings

_SCHEMES = ("postgresql", "sqlite")


class PictureFormat(str, Enum):
    """How the frame of a picture is written."""

    JPEG = "jpeg"
    PNG = "png"


class HistorySettings(Settings):
    """The history: a record of every frame that entered, the audit log, and pictures of what deserves a look."""

    url: str = Field(
        default="",
        description="Database: postgresql://USER@HOST:PORT/NAME, or empty for a SQLite file in the state folder.",
    )
    password_env: str | None = Field(
        default=None, description="Environment variable with the database's password; it never stands in this file."
    )
    write_every_s: float = Field(
        default=0.5, ge=0.01, le=60, description="How often the journal is taken over into the database, seconds."
    )
    picture_rejects: bool = Field(default=True, description="Keep the pictures of rejected frames.")
    picture_suppressed: bool = Field(
        default=True, description="Keep the pictures of frames that pass only because of a normality."
    )
    picture_passes_every: int = Field(
        default=200, ge=0, description="Keep the picture of one in so many other passes of a camera; 0 keeps none."
    )
    picture_format: PictureFormat = Field(default=PictureFormat.JPEG, description="jpeg, or png without loss.")
    picture_quality: int = Field(default=90, ge=1, le=100, description="Of jpeg.")
    maps: bool = Field(default=True, description="Keep the maps beside the picture, as float16.")
    pictures_waiting_megabytes: int = Field(
        default=64, ge=1, le=4096, description="Memory for pictures that wait to be written; more are dropped."
    )
    pictures_days: float = Field(default=30, gt=0, le=36500, description="Pictures older than this are removed.")
    records_days: float = Field(default=365, gt=0, le=36500, description="Records older than this are removed.")
    megabytes: int = Field(
        default=8192,
        ge=1,
        description="What pictures and the SQLite file may take together; the oldest pictures go first, then records.",
    )
    minimum_free_megabytes: int = Field(
        default=256, ge=0, description="With less room on the disk, pictures make way for records."
    )
    journal_megabytes: int = Field(
        default=64,
        ge=0,
        le=65536,
        description="Journal kept after the database has it, to fill a database that was lost.",
    )
    backlog_megabytes: int = Field(
        default=64, ge=1, le=4096, description="Memory for records while the disk takes none; more are lost, and said."
    )

    @field_validator("url")
    @classmethod
    def _known_and_without_password(cls, url: str) -> str:
        if not url:
            return url
        try:
            parts = urlsplit(url)
            password = parts.password
        except ValueError:
            raise ValueError("found no address, needed postgresql://USER@HOST:PORT/NAME or nothing") from None
        scheme = parts.scheme.partition("+")[0]
        if scheme not in _SCHEMES:
            raise ValueError(f"found a database of kind {scheme[:20]!r}, needed postgresql:// or sqlite:///PATH")
        if password is not None or "password" in parts.query.lower():
            raise ValueError("found a password in the address, needed it in an environment variable: password_env")
        return url
