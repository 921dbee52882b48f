"""The manifest of a bundle: what is in it, where it came from and how its threshold was chosen."""

from __future__ import annotations

import hashlib
import json
from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

SCHEMA_VERSION: Literal[2] = 2

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Target(str, Enum):
    """What an engine is compiled for."""

    ONNX = "onnx"
    OPENVINO = "openvino"
    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt-rtx"


class EngineState(str, Enum):
    """What is known of an engine: compared with the torch reference, or only built."""

    PARITY_CHECKED = "parity-checked"
    BUILT_NOT_RUN = "built-not-run"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Record):
    """One file of the bundle."""

    sha256: Sha256
    bytes: int = Field(ge=0)


class WeightsSource(_Record):
    """Where weights came from: a name that a person understands, their hash and their licence."""

    name: str
    sha256: Sha256
    licence: str


class DetectorRecord(_Record):
    """The base detector."""

    kind: str
    input_size: int = Field(gt=0, description="side of the square that frames are resized to, pixels")
    shares_clip: bool
    settings: dict[str, str | int | float | bool]
    weights: WeightsSource


class ClipRecord(_Record):
    """The CLIP encoder of the normality-detection module."""

    model: str
    sha256: Sha256
    input_size: int = Field(gt=0)
    taps: tuple[int, ...]
    width: int = Field(gt=0, description="length of a text feature")
    logit_scale: float
    weights: WeightsSource
    projection: WeightsSource


class RateRecord(_Record):
    """A share of frames, with its exact 95 % interval."""

    hits: int = Field(ge=0)
    frames: int = Field(gt=0)
    interval_95: tuple[float, float]


class ThresholdRecord(_Record):
    """The threshold that the score is compared with, and how it was chosen."""

    value: float
    chosen_by: str
    interval_95: tuple[float | None, float | None] | None = None
    false_reject: RateRecord | None = None
    miss: RateRecord | None = None


class NormalityRecord(_Record):
    """A normality that the bundle carries; `active` ones are in force when a station starts."""

    name: str
    file: str
    text: str
    active: bool = True


class RegionRecord(_Record):
    """Where frames are inspected: a PNG on the grid of the maps, white inside."""

    file: str
    given_as: str
    share: float = Field(gt=0, le=1, description="inspected share of the frame")
    aspect: float | None = Field(default=None, gt=0, description="width over height of the frames it was drawn for")


class TensorRecord(_Record):
    """An input or output of the graph; -1 stands for a free dimension."""

    dtype: Literal["uint8", "float32", "bool"]
    shape: tuple[int, ...]


class GraphRecord(_Record):
    """The graph's signature."""

    opset: int
    map_size: int = Field(gt=0)
    inputs: dict[str, TensorRecord]
    outputs: dict[str, TensorRecord]


class EngineRecord(_Record):
    """One compiled engine and what was proven of it."""

    target: Target
    file: str
    state: EngineState
    reason: str = ""
    precision: str = "fp32"
    compute_capability: str = ""
    built_with: str = ""
    built_on: str = ""
    max_map_error: float | None = None
    limits: dict[str, int] = Field(default_factory=dict)


class Manifest(_Record):
    """All that a device needs to know before it loads an engine."""

    schema_version: Literal[2] = SCHEMA_VERSION
    name: str
    created: str
    detector: DetectorRecord
    clip: ClipRecord
    threshold: ThresholdRecord
    normalities: tuple[NormalityRecord, ...]
    region: RegionRecord | None = None
    graph: GraphRecord
    engines: tuple[EngineRecord, ...]
    precision: str
    versions: dict[str, str]
    files: dict[str, FileRecord]

    def sha256(self) -> str:
        """Hash over the whole manifest, and so over every file that it lists: the bundle's identity."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
