"""Inputs and outputs that stay on a GPU from frame to frame. Built, not run."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.signature import FRAMES
from nand_edge_runtime.backends.protocol import Inputs, Outputs

_DEVICE = "cuda"


class GpuBinding:
    """Binds an ONNX Runtime session to buffers on the GPU, made anew only when a shape changes.

    Normalities and region go to the GPU when they change, not with every frame. The addresses stay the same from frame
    to frame, as CUDA graphs need it.

    Args:
        session: An `onnxruntime.InferenceSession` on a provider for NVIDIA GPUs.
        bundle: The bundle whose graph it is.
        outputs: Names of the outputs to give.
    """

    def __init__(self, session: Any, bundle: Bundle, outputs: list[str]) -> None:
        import onnxruntime

        self._values: Any = onnxruntime.OrtValue
        self._session = session
        self._binding = session.io_binding()
        self._records = {name: bundle.manifest.graph.outputs[name] for name in outputs}
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._given: dict[str, NDArray[Any]] = {}

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph once; the outputs are the caller's own."""
        for name, array in inputs.items():
            self._feed(name, array)
        self._prepare_outputs(len(inputs[FRAMES]))
        self._session.run_with_iobinding(self._binding)
        return {name: value.numpy() for name, value in self._outputs.items()}

    def _feed(self, name: str, array: NDArray[Any]) -> None:
        held = self._inputs.get(name)
        if held is None or tuple(held.shape()) != array.shape:
            self._inputs[name] = self._values.ortvalue_from_numpy(array, _DEVICE, 0)
            self._binding.bind_ortvalue_input(name, self._inputs[name])
        elif name == FRAMES or not np.array_equal(self._given[name], array, equal_nan=True):
            held.update_inplace(array)
        else:
            return
        if name != FRAMES:
            self._given[name] = array.copy()

    def _prepare_outputs(self, frames: int) -> None:
        for name, record in self._records.items():
            shape = [frames, *record.shape[1:]]
            held = self._outputs.get(name)
            if held is None or list(held.shape()) != shape:
                self._outputs[name] = self._values.ortvalue_from_shape_and_type(
                    shape, np.dtype(record.dtype), _DEVICE, 0
                )
                self._binding.bind_ortvalue_output(name, self._outputs[name])
