"""A detector that somebody else's ONNX model is: any model that yields an anomaly map."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord, WeightsSource
from nand_edge_export.detectors.onnx_graph import (
    BASE_MAP,
    IMAGE,
    MapRange,
    any_batch_graph,
    chunked_graph,
    standalone,
)
from nand_edge_export.detectors.onnx_interface import Choice, Interface, Wishes, read_interface
from nand_edge_export.detectors.onnx_map import choose_map
from nand_edge_export.detectors.onnx_original import OriginalModel, session_of
from nand_edge_export.detectors.protocol import Detector, Settings, setting
from nand_edge_export.graph.batch import free_batch
from nand_edge_export.graph.batch_rules import MixedFramesError
from nand_edge_export.graph.imported import (
    first_line,
    in_single_precision,
    only_output,
    read_model,
    with_our_opset,
)
from nand_edge_export.preprocessing import Preprocessing

MAX_DIFFERENCE = 1e-4
"""What the graph's map may be off by from the original model's, as a share of its largest number."""

_BATCHES = (1, 2, 3)
_BYTES = "model"

OnChoices = Callable[[Sequence[Choice]], None]


def no_choices(choices: Sequence[Choice]) -> None:
    """Show nothing."""


class OnnxModel(Detector):
    """A detector from an ONNX file, run by ONNX Runtime here and as a part of the one graph on the device.

    Args:
        content: The model with its weights, a serialised `onnx.ModelProto`.
        interface: How frames go into it.
        map_output: Name of its anomaly map.
        map_range: What is done to the map so that it is at least 0.
        weights: Where it came from.
    """

    kind = "onnx"

    def __init__(
        self,
        content: bytes,
        interface: Interface,
        map_output: str,
        *,
        map_range: MapRange,
        weights: WeightsSource,
    ) -> None:
        super().__init__()
        height, width = interface.size
        self.preprocessing: Preprocessing | None = interface.preprocessing
        self.input_size = height
        self.weights = weights
        self.threshold: ThresholdRecord | None = None
        self.settings: Settings = {
            "input": interface.input,
            "map_output": map_output,
            "layout": interface.layout,
            "color": interface.color,
            "dtype": interface.dtype,
            "size": f"{height}x{width}",
            "batch": interface.batch,
            "map_offset": map_range.offset,
            "clamp_map": map_range.clamp,
        }
        self._content = content
        self.interface = interface
        self._map_output = map_output
        self._map_range = map_range

    @classmethod
    def from_file(
        cls,
        path: Path,
        wishes: Wishes | None = None,
        map_range: MapRange | None = None,
        *,
        on_choices: OnChoices = no_choices,
    ) -> OnnxModel:
        """Make a detector of an ONNX file, with guesses where neither the file nor the wishes say more.

        Raises:
            NandEdgeError: The file is no model that yields an anomaly map, or ONNX Runtime or our graph cannot hold it.
        """
        wishes, map_range = wishes or Wishes(), map_range or MapRange()
        name = f"ONNX model {str(path)!r}"
        original = in_single_precision(read_model(path), name)
        interface, choices = read_interface(with_our_opset(original, name), wishes, name)
        content = original.SerializeToString()
        run = OriginalModel(content, interface, name)
        outputs = run.outputs(_noise(interface)[:1])
        map_output, reason = choose_map(outputs, wishes.map_output, name)
        others = [output for output in outputs if output != map_output]
        left_out = f"; left out: {', '.join(others)}" if others else ""
        on_choices([*choices, Choice("--map-output", map_output, reason + left_out)])
        weights = WeightsSource(
            name=path.name, sha256=hashlib.sha256(content).hexdigest(), licence="unknown (given as a file)"
        )
        detector = cls(content, interface, map_output, map_range=map_range, weights=weights).eval()
        detector.require_map(outputs[map_output], "pictures of noise")
        return detector

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the base map, float32 [N, M, M], for images float32 [N, 3, H, W], by the original model one by one."""
        (image,) = inputs
        raw = torch.from_numpy(self.raw_maps(image))[:, None]
        resized = F.interpolate(raw, (self.map_size, self.map_size), mode="bilinear", align_corners=False)[:, 0]
        return torch.where(resized + self._map_range.offset < 0, 0.0, resized + self._map_range.offset)

    def raw_maps(self, image: torch.Tensor) -> NDArray[np.float32]:
        """The original model's maps as they are, float32 [N, height, width]."""
        prepared = image.detach().cpu().numpy()
        maps = [self._original.outputs(frame[None])[self._map_output] for frame in prepared]
        return np.concatenate([each.astype(np.float32).reshape(1, *_sides(each)) for each in maps])

    def require_map(self, raw: NDArray[np.floating[Any]], shown: str) -> None:
        """Refuse a map with numbers that are none or below 0, unless it is wanted to be clamped.

        Raises:
            NandEdgeError: It has such numbers.
        """
        lowest = float(raw.min()) + self._map_range.offset
        if not np.isfinite(raw).all():
            raise NandEdgeError(
                f"map {self._map_output!r} of {self.weights.name}",
                found=f"NaN or infinity for {shown}",
                needed="finite numbers",
                do="check --range, --mean and --std, or export the model again",
            )
        if lowest < 0 and not self._map_range.clamp:
            raise NandEdgeError(
                f"map {self._map_output!r} of {self.weights.name}",
                found=f"{lowest:.4g} for {shown}",
                needed="numbers of 0 and above, since suppression multiplies them",
                do=f"lift it with --map-offset {-lowest + self._map_range.offset:.3g} or more, or give --clamp-map",
            )

    def graph(self) -> onnx.GraphProto:
        """The model in our opset with its preparation, for any number of frames, checked against the original.

        Where its batch is fixed it is freed, if it can be shown that frames stay apart; else frames run in chunks.

        Raises:
            NandEdgeError: The model cannot be had in our opset, or none of these graphs gives the original's maps.
        """
        model = only_output(with_our_opset(self._original.model, self._name), self._map_output)
        noise = torch.from_numpy(_noise(self.interface))
        expected = self.forward(noise).numpy()
        found = ""
        for graph in self._graphs(model, self.raw_maps(noise[:1]).shape[1:]):
            try:
                difference = _difference(graph, noise.numpy(), expected)
            except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common type of their own
                found = f"a model that cannot run so ({first_line(error)})"
                continue
            if difference <= MAX_DIFFERENCE:
                return graph
            found = f"maps that are off by {difference:.2g} from the original's"
        raise self._unfit(found)

    def _graphs(self, model: onnx.ModelProto, sides: tuple[int, ...]) -> Iterator[onnx.GraphProto]:
        """Ways to run any number of frames, the fastest first."""
        height, width = sides
        arguments = self.interface, (height, width), self._map_range
        if not self.interface.batch:
            yield any_batch_graph(model, *arguments)
        else:
            with contextlib.suppress(MixedFramesError):
                yield any_batch_graph(free_batch(model), *arguments)
        yield chunked_graph(model, *arguments, batch=self.interface.batch or 1)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The model's bytes."""
        return {_BYTES: torch.frombuffer(bytearray(self._content), dtype=torch.uint8)}

    @classmethod
    def from_tensors(
        cls,
        tensors: dict[str, torch.Tensor],
        settings: Settings,
        preprocessing: Preprocessing | None,
        weights: WeightsSource,
    ) -> OnnxModel:
        """Make the detector again from its file's content."""
        content = tensors.get(_BYTES)
        if preprocessing is None or content is None or content.dtype != torch.uint8:
            raise NandEdgeError(
                "an onnx detector",
                found="no model or no preprocessing in it",
                needed="what `nand-edge fit --onnx` wrote",
                do="fit it again",
            )
        interface = Interface(
            input=setting(settings, "input", str),
            layout=setting(settings, "layout", str),
            color=setting(settings, "color", str),
            dtype=setting(settings, "dtype", str),
            size=preprocessing.sides,
            mean=preprocessing.mean,
            std=preprocessing.std,
            batch=setting(settings, "batch", int),
        )
        map_range = MapRange(setting(settings, "map_offset", float), setting(settings, "clamp_map", bool))
        map_output = setting(settings, "map_output", str)
        return cls(content.numpy().tobytes(), interface, map_output, map_range=map_range, weights=weights).eval()

    @property
    def _name(self) -> str:
        return f"ONNX model {self.weights.name!r}"

    @cached_property
    def _original(self) -> OriginalModel:
        original = OriginalModel(self._content, self.interface, self._name)
        original.require(self.interface.input, self._map_output)
        return original

    def _unfit(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            self._name,
            found=found,
            needed=f"the original's maps within {MAX_DIFFERENCE}, for {', '.join(map(str, _BATCHES))} frames at once",
            do="export the model with a dynamic batch, in float32",
        )


def _sides(maps: NDArray[Any]) -> tuple[int, int]:
    height, width = (side for side in maps.shape[1:] if side != 1)
    return height, width


def _noise(interface: Interface) -> NDArray[np.float32]:
    """Prepared pictures of noise, as many as the largest batch that is tried, float32 [N, 3, H, W]."""
    levels = np.random.default_rng(0).integers(0, 256, (max(_BATCHES), *interface.size, 3), dtype=np.uint8)
    return interface.preprocessing.normalise(levels).numpy()


def _difference(graph: onnx.GraphProto, image: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Largest difference of a graph's maps from the expected ones over all batches, as a share of the largest."""
    session = session_of(standalone(graph).SerializeToString())
    size = float(np.abs(expected).max()) or 1.0
    found = []
    for batch in _BATCHES:
        (maps,) = session.run([BASE_MAP], {IMAGE: image[:batch]})
        found.append(float(np.abs(maps - expected[:batch]).max()) / size)
    return float(np.nan_to_num(max(found), nan=np.inf))
