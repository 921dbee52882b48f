"""AnomaVision's PaDiM in ONNX Runtime; runs in the environment that `tools/setup_anomalib.sh` makes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nand_benchmarks.frames import FRAME, Frame, make_contrasts, make_frames
from nand_benchmarks.peers.peer import Peer

SIDE = 256


class AnomaVisionOnnx(Peer):
    """PaDiM on resnet18, fitted, exported and run by AnomaVision's own code.

    Args:
        options: `threads`; `folder`, where weights and the export are written.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        import torch

        torch.set_num_threads(options["threads"])
        folder = Path(options["folder"])
        _put_random_weights(folder / "torch-home")
        import anomavision
        from anomavision.export import ModelExporter
        from anomavision.inference.model.wrapper import ModelWrapper

        # Its own preparation of a picture: float32 [1, 3, S, S].
        self._prepare: Callable[[Frame], Any] = lambda frame: anomavision.to_batch(
            [np.ascontiguousarray(frame[..., ::-1])], anomavision.standard_image_transform, torch.device("cpu")
        )
        model = anomavision.Padim("resnet18", layer_indices=[0, 1, 2], feat_dim=100)
        model.fit([self._prepare(frame) for frame in make_frames(8)])
        torch.save(model, folder / "padim.pt")
        (self._frame,) = make_contrasts(1, FRAME)
        shape = tuple(self._prepare(self._frame).shape)
        exporter = ModelExporter(folder / "padim.pt", folder, logging.getLogger("anomavision"), device="cpu")
        file = exporter.export_onnx(input_shape=shape, output_name="padim.onnx", dynamic_batch=False)
        if file is None:
            raise ValueError("AnomaVision's export to ONNX failed")
        self._wrapper = ModelWrapper(str(file), device="cpu")
        self.about = f"AnomaVision PaDiM, image {shape}"

    def judge(self) -> object:
        """Frame to scores and maps."""
        return self._wrapper.predict(self._prepare(self._frame))


def _put_random_weights(home: Path) -> None:
    """Where torchvision looks for downloaded weights: speed does not depend on them, and there may be no network."""
    import torch
    import torchvision

    os.environ["TORCH_HOME"] = str(home)
    address = torchvision.models.ResNet18_Weights.DEFAULT.url
    file = home / "hub" / "checkpoints" / address.rsplit("/", 1)[1]
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        torch.save(torchvision.models.resnet18(weights=None).state_dict(), file)
