"""Put a checkpoint's averaged weights into the package: `python -m nand_tiny.publish RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from safetensors.torch import save_file

from nand_tiny.evaluate import load, parse_taps
from nand_tiny.model import CONFIG_FILE, LOGIT_SCALE

MAX_BYTES = 20 << 20
MODEL_FILE = "open_clip_model.safetensors"
PROJECTIONS_FILE = "projections.safetensors"


def publish(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    *,
    taps: Annotated[str, typer.Option(help="Stages whose projections are kept.")] = "4,5",
    output: Annotated[Path, typer.Option(help="Folder of the embedded CLIP.")] = CONFIG_FILE.parent,
) -> None:
    """Write fp16 safetensors: the open_clip model, and the projections of its taps."""
    model, step = load(run)
    clip = {name: tensor.half().contiguous() for name, tensor in model.clip_state().items()}
    projections = {
        f"fc.{number}.{name}": tensor.half().contiguous()
        for number, layer in enumerate(model.projections[tap] for tap in parse_taps(taps))
        for name, tensor in layer.state_dict().items()
    }
    save_file(clip, output / MODEL_FILE)
    save_file(projections, output / PROJECTIONS_FILE, metadata={"logit_scale": str(LOGIT_SCALE)})
    size = sum((output / name).stat().st_size for name in (MODEL_FILE, PROJECTIONS_FILE))
    if size > MAX_BYTES:
        raise typer.BadParameter(f"the weights take {size} bytes, at most {MAX_BYTES} are allowed")
    typer.echo(f"step {step}: {size / (1 << 20):.1f} MiB in {output}")


if __name__ == "__main__":
    typer.run(publish)
