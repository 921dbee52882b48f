"""anomalib's PatchCore in anomalib's own inferencers; runs in the environment that `tools/setup_anomalib.sh` makes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nand_benchmarks.frames import FRAME, Frame, make_contrasts, make_frames
from nand_benchmarks.peers.peer import Peer

warnings.filterwarnings("ignore")
SIDE = 256
_LAYERS = ("layer2", "layer3")


class _Inferring(Peer):
    """What both inferencers share: the frame, resized by OpenCV to the model's size as a client must.

    Args:
        options: `threads`; `weights`, a file for resnet18; `memory_patches`; `folder`, where exports are written.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        import torch

        torch.set_num_threads(options["threads"])
        (self._frame,) = make_contrasts(1, FRAME)
        self._inferencer: Any = self._made(options)

    def judge(self) -> object:
        """Frame to prediction."""
        image = cv2.resize(self._frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., ::-1]
        return self._inferencer.predict(np.ascontiguousarray(image))

    def wrong(self, result: Any) -> str:
        """What is wrong: a map of another size."""
        shape = tuple(result.anomaly_map.shape)
        return "" if shape[-2:] == (SIDE, SIDE) else f"a map of shape {shape}"

    def _made(self, options: dict[str, Any]) -> Any:
        raise NotImplementedError


class AnomalibTorch(_Inferring):
    """`anomalib.deploy.TorchInferencer`."""

    about = "anomalib TorchInferencer"

    def _made(self, options: dict[str, Any]) -> Any:
        from anomalib.deploy import TorchInferencer

        # It unpickles what it reads; the file is the one that the line before wrote.
        os.environ["TRUST_REMOTE_CODE"] = "1"
        return TorchInferencer(_model(options).to_torch(options["folder"]), device="cpu")


class AnomalibOpenVINO(_Inferring):
    """`anomalib.deploy.OpenVINOInferencer` with its own settings, apart from the number of threads."""

    about = "anomalib OpenVINOInferencer"

    def _made(self, options: dict[str, Any]) -> Any:
        from anomalib.deploy import OpenVINOInferencer

        # With its default of free shapes anomalib 2.7 fixes the batch of a memory of this size at two frames.
        xml = _model(options).to_openvino(
            options["folder"], input_size=(SIDE, SIDE), onnx_kwargs={"dynamic_shapes": None}
        )
        os.chdir(options["folder"])  # it writes its cache into the current folder
        settings = {"INFERENCE_NUM_THREADS": options["threads"], **options.get("settings", {})}
        return OpenVINOInferencer(Path(xml).resolve(), device="CPU", config=settings)


def _model(options: dict[str, Any]) -> Any:
    """PatchCore with the given weights and a memory of patches of noise."""
    import torch
    from anomalib.models import Patchcore
    from safetensors.torch import load_file

    processor = Patchcore.configure_pre_processor((SIDE, SIDE))
    model = Patchcore(backbone="resnet18", layers=list(_LAYERS), pre_trained=False, pre_processor=processor)
    network = model.model.feature_extractor.feature_extractor
    missing = network.load_state_dict(load_file(options["weights"]), strict=False).missing_keys
    if missing:
        raise ValueError(f"anomalib's resnet18 has other tensors: {missing[:3]}")
    model.model.train()
    for frame in make_frames(8):
        model.model(model.pre_processor.transform(_as_tensor(frame)))
    patches = torch.cat(list(model.model.embedding_store))
    drawn = torch.Generator().manual_seed(0)
    chosen = patches[torch.randint(len(patches), (options["memory_patches"],), generator=drawn)]
    model.model.memory_bank = chosen + 0.01 * patches.std() * torch.randn(chosen.shape, generator=drawn)
    model.model.embedding_store.clear()
    return model.eval()


def _as_tensor(frame: Frame) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(frame[..., ::-1])).permute(2, 0, 1)[None].float() / 255
