"""Base detector and normality detection as two models of PyTorch, eager or compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nand_benchmarks.eager import TwoModels
from nand_benchmarks.frames import FRAME, make_contrasts
from nand_benchmarks.peers.peer import Peer
from nand_benchmarks.subjects import Subject, logit_scale, make_parts
from nand_edge_export.reference import pillow_resize


class TwoPyTorchModels(Peer):
    """Two complete models, as somebody without a toolkit runs them.

    Args:
        options: `subject`, a subject's fields; `threads`; `compiled`, whether `torch.compile` compiles them; and
            perhaps `size`, height and width of the frames.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        torch.set_num_threads(options["threads"])
        subject = Subject(**options["subject"])
        self.about = f"torch {torch.__version__}"
        self._models = TwoModels(make_parts(subject), logit_scale(subject), compiled=options.get("compiled", False))
        (self._frame,) = make_contrasts(1, tuple(options.get("size", FRAME)))

    def judge(self) -> object:
        """Frame to final map and its maximum."""
        return self._models(self._frame).max()

    def final_map(self, file: str) -> None:
        """Write the final map of the frame, resized by Pillow as the reference is, as a .npy file."""
        np.save(file, self._models(self._frame, pillow_resize))
