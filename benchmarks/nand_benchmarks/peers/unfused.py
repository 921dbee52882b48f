"""Base detector and normality detection as two ONNX graphs in two sessions, with OpenCV and numpy between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from nand_benchmarks.eager import BaseModel, NormalityModel
from nand_benchmarks.frames import FRAME, make_contrasts, opencv_resize
from nand_benchmarks.peers.peer import Peer
from nand_benchmarks.subjects import Subject, logit_scale, make_parts
from nand_edge_export.preprocessing import Preprocessing


class UnfusedSessions(Peer):
    """Two sessions of ONNX Runtime.

    Args:
        options: `subject`, a subject's fields; `threads`; `folder`, where the two graphs are written.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        import onnxruntime

        torch.set_num_threads(options["threads"])
        subject = Subject(**options["subject"])
        parts = make_parts(subject)
        scale = logit_scale(subject) or parts.encoder.projections.logit_scale
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options["threads"]
        # Not spinning between frames is what a client with two sessions wants: one would take the other's cores.
        settings.add_session_config_entry("session.intra_op.allow_spinning", options.get("spinning", "1"))
        self.about = f"onnxruntime {onnxruntime.__version__}"
        self._sessions: list[tuple[Any, Preprocessing]] = []
        models: tuple[BaseModel | NormalityModel, ...] = (BaseModel(parts), NormalityModel(parts, scale))
        for model in models:
            file = Path(options["folder"]) / f"{type(model).__name__}-{subject.key}.onnx"
            _export(model.eval(), file)
            session = onnxruntime.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])
            self._sessions.append((session, model.preprocessing))
        (self._frame,) = make_contrasts(1, FRAME)

    def judge(self) -> object:
        """Frame to final map and its maximum."""
        base, suppression = (self._map(*side) for side in self._sessions)
        return (base * (1 - suppression)).max()

    def _map(self, session: Any, preprocessing: Preprocessing) -> Any:
        scale, offset = preprocessing.scale_and_offset()
        image = opencv_resize(self._frame[None], preprocessing).transpose(0, 3, 1, 2).astype(np.float32)
        return session.run(None, {"image": image * scale + offset})[0][0]


def _export(model: BaseModel | NormalityModel, file: Path) -> None:
    side = model.preprocessing.size
    program = torch.onnx.export(
        model, (torch.zeros(1, 3, side, side),), input_names=["image"], dynamo=True, verbose=False
    )
    if program is None:
        raise ValueError("torch.onnx.export gave no program")
    file.parent.mkdir(parents=True, exist_ok=True)
    program.save(file, external_data=True)
