"""Where ONNX Runtime put the nodes of a graph: what it moved to the CPU without a word is said aloud."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from nand_edge_runtime.backends.onnx_session import CPU, PROVIDERS
from nand_edge_runtime.backends.protocol import TargetUnavailableError

WORK = frozenset(
    {
        *("Conv", "ConvInteger", "ConvTranspose", "QLinearConv"),
        *("MatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "FusedMatMul", "Einsum"),
        *("Attention", "MultiHeadAttention", "Softmax", "LayerNormalization", "BatchNormalization", "Gelu", "Erf"),
        *("AveragePool", "MaxPool", "GlobalAveragePool", "Resize", "GridSample"),
    }
)
"""Operators over whole images or token grids. The arithmetic of shapes belongs on the CPU, and is not counted."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Placement:
    """What of a graph runs where.

    Attributes:
        provider: The provider that was asked for, by its name on the command line.
        misplaced: Operators of `WORK` on the CPU, with their numbers of nodes, though another provider was asked for.
        placed: Number of nodes of `WORK` that run where they were meant to.
        is_known: Whether this version of ONNX Runtime tells.
    """

    provider: str
    misplaced: dict[str, int]
    placed: int
    is_known: bool = True

    @classmethod
    def of(cls, session: Any, provider: str) -> Placement:
        """What a session says of its nodes, those of branches included."""
        if provider == CPU:
            return cls(provider, {}, 0)
        if not hasattr(session, "get_provider_graph_assignment_info"):
            return cls(provider, {}, 0, is_known=False)
        return cls.of_assignments(session.get_provider_graph_assignment_info(), provider)

    @classmethod
    def of_assignments(cls, assignments: Any, provider: str) -> Placement:
        """What a list of ONNX Runtime's assignments, parts of the graph with their provider, comes to."""
        where: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        for part in assignments:
            kinds = [node.op_type for node in part.get_nodes() if node.op_type in WORK]
            where[part.ep_name == PROVIDERS[CPU]].update(kinds)
        return cls(provider, dict(where[True]), where[False].total())

    @property
    def device(self) -> str:
        """The provider, and what runs on the CPU: "CUDA, Resize on the CPU"."""
        name = "TensorRT" if self.provider == "tensorrt" else self.provider.upper()
        return f"{name}, {', '.join(sorted(self.misplaced))} on the CPU" if self.misplaced else name

    def check(self) -> None:
        """Refuse a graph whose work is all on the CPU, and warn of one of which some is.

        Raises:
            TargetUnavailableError: The provider runs none of the work.
        """
        words = ", ".join(f"{count} x {kind}" for kind, count in sorted(self.misplaced.items()))
        if self.misplaced and not self.placed:
            raise TargetUnavailableError(
                f"provider {self.provider!r} of ONNX Runtime",
                found=f"that it leaves all work to the CPU: {words}",
                needed="a provider that runs the graph",
                do="update onnxruntime-gpu, or use the provider cpu",
            )
        if self.misplaced:
            _log.warning("provider %r of ONNX Runtime leaves to the CPU: %s", self.provider, words)
        if not self.is_known:
            _log.warning(
                "this ONNX Runtime does not tell whether the provider %r leaves work to the CPU; later versions do",
                self.provider,
            )
