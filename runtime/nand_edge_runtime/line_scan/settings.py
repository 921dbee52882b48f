"""The settings of a line-scan camera: how its lines become tiles, and where on the web a pixel lies."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from pydantic import Field, model_validator

from nand_edge_runtime.station.settings_base import Settings

_LEAST_STEP = 4
"""A tile must move on by at least this part of its height: each line would go through the engine ever more often."""


class LostLines(str, Enum):
    """What becomes of lines that were lost or came damaged; a reject stands for them either way."""

    FILL = "fill"
    """Black lines stand in their place, and every tile that holds one of them is a reject."""
    CUT = "cut"
    """The strip ends before them and begins anew behind them, so that their neighbours are still inspected."""


class LineScanSettings(Settings):
    """The web under a line-scan camera: tiles of its lines, their overlap, and millimetres.

    Along is the direction in which the web moves, across is along the camera's line.
    """

    tile_height: int = Field(default=512, ge=16, le=16384, description="Lines of a tile.")
    tile_width: int | None = Field(
        default=None, ge=16, le=16384, description="Columns of a tile; the whole width of the web, unless given."
    )
    overlap: int = Field(
        default=64,
        ge=1,
        le=8192,
        description="Lines that the trusted parts of two tiles share: regions up to this long are seen whole.",
    )
    overlap_across: int = Field(default=64, ge=1, le=8192, description="The same in columns, where tiles lie abreast.")
    context: int = Field(
        default=32,
        ge=0,
        le=4096,
        description="Pixels from a tile's edge within which its maps are not trusted: the reach of the detector.",
    )
    stride: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Tiles begin at multiples of this, pixels: the step of the detector's grid on a tile.",
    )
    batch: int = Field(default=1, ge=1, le=64, description="Tiles that may go through the engine at once.")
    millimetres_per_line: float = Field(gt=0, le=1e4, allow_inf_nan=False, description="From one line to the next.")
    millimetres_per_column: float = Field(gt=0, le=1e4, allow_inf_nan=False, description="From one column to the next.")
    millimetres_per_position: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        description="Of one unit of the encoder's position, 1 where it tells millimetres; lines are counted otherwise.",
    )
    position_tolerance: float = Field(
        default=0.5,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="Lines by which the encoder may be ahead of the lines that came before some count as lost.",
    )
    lost_lines: LostLines = Field(
        default=LostLines.FILL, description="fill: tiles that hold them are rejects; cut: the strip begins anew."
    )
    dark: Path | None = Field(
        default=None, description="Reference without light: .npy, or PNG of 8 or 16 bit; one line or many."
    )
    flat: Path | None = Field(default=None, description="Reference of an even, bright web, likewise.")
    flat_level: float = Field(
        default=200, gt=0, le=255, allow_inf_nan=False, description="Grey value that the flat reference becomes."
    )
    minimum_area_mm2: float = Field(
        default=0, ge=0, allow_inf_nan=False, description="Smaller regions are counted and not listed; verdicts stay."
    )
    regions_per_roll: int = Field(
        default=200_000, ge=1, le=5_000_000, description="More regions of a roll are counted and not listed."
    )
    rolls_kept: int = Field(default=200, ge=1, le=100_000, description="Older rolls are removed.")
    rolls_megabytes: int = Field(
        default=1024, ge=1, le=1_048_576, description="What this camera's rolls may take; the oldest are removed."
    )

    @property
    def shared(self) -> int:
        """Lines that two tiles have in common: the overlap, and the context of both."""
        return self.overlap + 2 * self.context

    @property
    def shared_across(self) -> int:
        """Columns that two tiles abreast have in common."""
        return self.overlap_across + 2 * self.context

    @property
    def step(self) -> int:
        """Lines from the beginning of a tile to that of the next."""
        return self.tile_height - self.shared

    @property
    def positions_per_line(self) -> float | None:
        """How far the encoder's position goes on from one line to the next; None where it tells nothing."""
        if self.millimetres_per_position is None:
            return None
        return self.millimetres_per_line / self.millimetres_per_position

    @model_validator(mode="after")
    def _seams_that_hold(self) -> LineScanSettings:
        """Refuse tiles at whose seams a region could get another verdict than in their middle."""
        _check("tile_height", self.tile_height, "overlap", self.shared, self.stride)
        if self.tile_width is not None:
            _check("tile_width", self.tile_width, "overlap_across", self.shared_across, self.stride)
        return self


def _check(side: str, pixels: int, overlap: str, shared: int, stride: int) -> None:
    step = pixels - shared
    if step * _LEAST_STEP < pixels:
        raise ValueError(
            f"found {side} = {pixels}, of which {overlap} and twice the context take {shared}, "
            f"needed at least {-(-shared * _LEAST_STEP // (_LEAST_STEP - 1))}, so that tiles move on"
        )
    if step % stride:
        raise ValueError(
            f"found tiles every {step} pixels ({side} less {overlap} less twice the context), "
            f"needed a multiple of the stride, {stride}: otherwise a seam lies elsewhere on the detector's grid; "
            f"{side} = {pixels + stride - step % stride} would do"
        )
