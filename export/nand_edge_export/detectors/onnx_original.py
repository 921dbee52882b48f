"""An ONNX model as it came, in ONNX Runtime on the CPU: what everything else that is made of it is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors.onnx_graph import GRAY
from nand_edge_export.detectors.onnx_interface import Interface
from nand_edge_export.graph.imported import first_line, parse_model

_ERRORS_ONLY = 3


class OriginalModel:
    """The model, given images as `Preprocessing` makes them.

    Args:
        content: The model.
        interface: How frames go into it.
        name: What errors call it.
    """

    def __init__(self, content: bytes, interface: Interface, name: str) -> None:
        self.model = parse_model(content, name)
        self._interface = interface
        self._name = name
        try:
            self._session = session_of(content)
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common type of their own
            raise _cannot_run(name, error) from None

    def require(self, image: str, map_output: str) -> None:
        """Refuse a model without these names, which a detector file may have from another.

        Raises:
            NandEdgeError: It has no such input or output.
        """
        names = {value.name for value in (*self.model.graph.input, *self.model.graph.output)}
        for name in (image, map_output):
            if name not in names:
                raise NandEdgeError(
                    self._name,
                    found=f"no {name!r} among its inputs and outputs",
                    needed="the model that its detector file was made of",
                    do="fit the detector again with `nand-edge fit --onnx`",
                )

    def outputs(self, image: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """All outputs for images float32 [N, 3, H, W] RGB as `Preprocessing` gives them; N at most the fixed batch.

        Raises:
            NandEdgeError: ONNX Runtime cannot run the model.
        """
        frames = len(image)
        values = self._as_model_wants(image)
        missing = max(0, self._interface.batch - frames)
        values = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
        names = [output.name for output in self._session.get_outputs() if output.type.startswith("tensor(")]
        try:
            found = self._session.run(names, {self._interface.input: values})
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no common type of their own
            raise _cannot_run(self._name, error) from None
        batch = frames + missing
        return {
            name: array[:frames] if array.ndim and len(array) == batch else array
            for name, array in zip(names, map(np.asarray, found), strict=True)
        }

    def _as_model_wants(self, image: NDArray[np.float32]) -> NDArray[Any]:
        interface = self._interface
        if interface.color == "gray":
            image = (image * np.array(GRAY, np.float32).reshape(1, 3, 1, 1)).sum(axis=1, keepdims=True)
        elif interface.color == "BGR":
            image = image[:, ::-1]
        if interface.layout == "NHWC":
            image = image.transpose(0, 2, 3, 1)
        if interface.dtype == "uint8":
            image = np.round(image)
        return np.ascontiguousarray(image).astype(interface.dtype)


def session_of(content: bytes) -> onnxruntime.InferenceSession:
    """The model in ONNX Runtime on the CPU, without its warnings."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _cannot_run(name: str, error: Exception) -> NandEdgeError:
    return NandEdgeError(
        name,
        found=f"a model that ONNX Runtime cannot run ({first_line(error)})",
        needed="a model that runs there with one image input",
        do="check --input, --layout and --size, or export the model again",
    )
