"""Writes a bundle's text encoder: the text tower as ONNX, compared with torch, and the tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper
from torch import nn

from nand_edge.bundle import TEXT_ENCODER
from nand_edge.clip_tokens import ClipTokenizer
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import TextEncoderRecord
from nand_edge.prompts import april_gan_abnormal, april_gan_normal
from nand_edge_export.clip import Clip
from nand_edge_export.graph.builder import IR_VERSION, OPSET
from nand_edge_export.graph.conversion import EXAMPLE_BATCH, convert
from nand_edge_export.text_encoder.tokens import portable_tokenizer

GRAPH = f"{TEXT_ENCODER}/model.onnx"
WEIGHTS = "model.weights.bin"
TOKENIZER = f"{TEXT_ENCODER}/tokenizer.json"
TOKENS, FEATURES = "tokens", "features"

MAX_FEATURE_ERROR = 2e-5
"""What a number of a unit text feature may be off by; a normality's mean of them is then well within 1e-4."""

_LARGEST_IN_ONE = 1 << 30
"""Bytes from which on the weights stand beside the graph: a protobuf holds at most 2 GiB."""


def write_text_encoder(clip: Clip, folder: Path) -> TextEncoderRecord:
    """Write the text tower of a CLIP into the folder of a bundle.

    Args:
        clip: The CLIP.
        folder: The bundle's folder.

    Returns:
        The record for the manifest.

    Raises:
        NandEdgeError: The CLIP has another tokenizer than OpenAI's, or its text tower cannot be converted or does not
            compute what torch does.
    """
    tokenizer = portable_tokenizer(clip)
    (folder / TEXT_ENCODER).mkdir()
    tokenizer.write(folder / TOKENIZER)
    _save(_graph(clip, tokenizer), folder / GRAPH)
    return TextEncoderRecord(
        graph=GRAPH,
        tokenizer=TOKENIZER,
        context_length=tokenizer.context_length,
        max_feature_error=_checked(clip, ClipTokenizer.read(folder / TOKENIZER), folder / GRAPH),
    )


class _TextTower(nn.Module):
    """Token numbers int64 [N, T] to unit text features float32 [N, D]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_text(tokens, normalize=True)
        return features


def _graph(clip: Clip, tokenizer: ClipTokenizer) -> onnx.ModelProto:
    examples = torch.from_numpy(tokenizer(["a photo of a crack"] * EXAMPLE_BATCH))
    graph = convert(_TextTower(clip.model).eval(), [examples], [TOKENS], [FEATURES])
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], producer_name="nand-edge", ir_version=IR_VERSION)


def _save(model: onnx.ModelProto, path: Path) -> None:
    large = model.ByteSize() > _LARGEST_IN_ONE
    onnx.save_model(model, path, save_as_external_data=large, location=WEIGHTS if large else None)
    onnx.checker.check_model(str(path), full_check=True)


def _checked(clip: Clip, tokenizer: ClipTokenizer, path: Path) -> float:
    """Largest difference from torch on prompts."""
    prompts = [*april_gan_normal("solar cell")[::5], *april_gan_abnormal("carpet")[::5], "x" * 300, "dark stain"]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run([FEATURES], {TOKENS: tokenizer(prompts)})[0]
    with torch.inference_mode():
        expected = clip.model.encode_text(clip.tokenizer(prompts), normalize=True).numpy()
    error = float(np.max(np.abs(found - expected)))
    if not error <= MAX_FEATURE_ERROR:
        raise NandEdgeError(
            f"text encoder of the CLIP {clip.name!r}",
            found=f"text features that differ from torch by {error:.1e}",
            needed=f"at most {MAX_FEATURE_ERROR:.0e}",
            do="export without --text-encoder",
        )
    return error
