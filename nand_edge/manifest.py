"""The manifest of a bundle: what is in it, where it came from and how its threshold was chosen."""

from __future__ import annotations

import hashlib
import json
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
)

SCHEMA_VERSION: Literal[3] = 3

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


class TextEncoderRecord(_Record):
    """The CLIP's text tower, with which a device turns sentences into normalities."""

    graph: str
    tokenizer: str
    context_length: int = Field(gt=1, description="token numbers of a text, padding included")
    max_feature_error: float = Field(ge=0, description="largest difference of a text feature from torch")


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

    dtype: Literal["uint8", "float32", "bool", "int32"]
    shape: tuple[int, ...]


class GraphRecord(_Record):
    """The graph's signature."""

    opset: int
    map_size: int = Field(gt=0)
    inputs: dict[str, TensorRecord]
    outputs: dict[str, TensorRecord]
    early_exit: bool = Field(default=False, description="whether the CLIP branch stops when every verdict is certain")


class AccuracyRecord(_Record):
    """What an engine of lower precision gives away and gains, measured on frames against the fp32 engine."""

    frames: int = Field(gt=0, description="frames compared, the CLIP branch run for each")
    compared_with: str = Field(description="the engine that stands for exact, such as `onnx fp32`")
    max_map_error: float | None = Field(default=None, ge=0, description="largest difference of any map")
    p99_map_error: float | None = Field(default=None, ge=0, description="99 % of all pixels differ by no more")
    max_score_error: float = Field(ge=0)
    verdicts_changed: int = Field(ge=0, description="at the bundle's threshold")
    speed_ratio: float | None = Field(default=None, gt=0, description="times faster, where both were timed by turns")
    auroc: float | None = Field(default=None, description="mean over the groups of a data set, with normalities")
    auroc_of_compared: float | None = Field(default=None, description="the same of the engine compared with")
    machine: str = ""

    @property
    def loss(self) -> float:
        """The share of verdicts that changed or, if that is more, what the AUROC lost."""
        changed = self.verdicts_changed / self.frames
        if self.auroc is None or self.auroc_of_compared is None:
            return changed
        return max(changed, self.auroc_of_compared - self.auroc)

    def sentence(self) -> str:
        """The figures for people."""
        told = [f"{self.verdicts_changed} of {self.frames} verdicts changed"]
        if self.max_map_error is not None and self.p99_map_error is not None:
            told.append(f"maps off by {self.max_map_error:.2g} at most, {self.p99_map_error:.2g} in 99 % of pixels")
        told.append(f"scores by {self.max_score_error:.2g}")
        if self.auroc is not None and self.auroc_of_compared is not None:
            told.append(f"AUROC {self.auroc:.4f} instead of {self.auroc_of_compared:.4f}")
        if self.speed_ratio is not None:
            told.append(f"{self.speed_ratio:.2f} times as fast")
        return f"against {self.compared_with}: {', '.join(told)}"


class EngineRecord(_Record):
    """One compiled engine and what was proven of it."""

    target: Target
    file: str
    state: EngineState
    reason: str = ""
    precision: str = "fp32"
    compute_capability: str = Field(
        default="", description="of the GPUs it runs on: 8.6, several as in 8.6,8.9, or 8.0+ for all from 8.0 on"
    )
    version_compatible: bool = Field(default=False, description="whether later versions of TensorRT run it, too")
    built_with: str = ""
    built_on: str = ""
    max_map_error: float | None = None
    accuracy: AccuracyRecord | None = None
    lowered_by: dict[str, str | int | float] = Field(
        default_factory=dict, description="how another precision than fp32 was reached"
    )
    chosen_because: str = Field(default="", description="why an automatic choice took it; empty if a person did")
    limits: dict[str, int] = Field(default_factory=dict)


class Manifest(_Record):
    """All that a device needs to know before it loads an engine."""

    schema_version: Literal[3] = SCHEMA_VERSION
    name: str
    created: str
    detector: DetectorRecord
    clip: ClipRecord
    text_encoder: TextEncoderRecord | None = None
    threshold: ThresholdRecord
    normalities: tuple[NormalityRecord, ...]
    region: RegionRecord | None = None
    graph: GraphRecord
    engines: tuple[EngineRecord, ...]
    precision: str
    versions: dict[str, str]
    files: dict[str, FileRecord]

    @model_serializer(mode="wrap")
    def _without_absent_parts(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Bundles without a text encoder do not mention one, and so keep the hash that they always had."""
        document: dict[str, Any] = serialise(self)
        if self.text_encoder is None:
            document.pop("text_encoder", None)
        return document

    def sha256(self) -> str:
        """Hash over the whole manifest, and so over every file that it lists: the bundle's identity."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
