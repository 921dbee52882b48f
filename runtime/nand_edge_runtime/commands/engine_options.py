"""The options by which commands say how an engine is to run."""

from __future__ import annotations

from typing import Annotated

import typer

Provider = Annotated[str, typer.Option(help="ONNX Runtime's provider: cpu, cuda or tensorrt.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads for one frame.")]
Precision = Annotated[
    str, typer.Option(help="fp32, fp16, bf16, int8 or fp8: faster, less exact; see `nand-edge build --precision`.")
]
Spinning = Annotated[
    bool, typer.Option(help="Let ONNX Runtime's idle threads wait in a busy loop: faster, at the cost of a core each.")
]
CudaGraphs = Annotated[bool, typer.Option("--cuda-graphs", help="Record a run on the GPU once and play it again.")]
