"""Real exports of anomalib as base detectors, written by anomalib itself in an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image

from nand_edge.command_line import main
from nand_edge_export.detectors.onnx_graph import BASE_MAP, IMAGE, standalone
from nand_edge_export.detectors.onnx_interface import Choice
from nand_edge_export.detectors.onnx_model import OnnxModel

pytestmark = pytest.mark.anomalib

Exported = Callable[[str], Path]


def pictures(side: int, count: int = 3) -> NDArray[np.uint8]:
    """Smooth noise, uint8 [N, side, side, 3] BGR."""
    coarse = np.random.default_rng(3).integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(picture).resize((side, side))) for picture in coarse])


def anomalib_maps(path: Path, frames: NDArray[np.uint8], batch: int) -> NDArray[np.float32]:
    """What anomalib's file gives for each frame alone, fed as anomalib says: RGB, 0..1."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = frames[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    alone = [session.run(["anomaly_map"], {"input": np.repeat(image[None], batch, axis=0)})[0][:1] for image in images]
    return np.concatenate(alone)[:, 0]


def grid(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear to 256 x 256, by Pillow's float images, which agree with half-pixel centres when enlarging."""
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 256), Image.Resampling.BILINEAR)) for each in maps])


@pytest.mark.parametrize(
    ("name", "side", "batch"),
    [("patchcore", 256, 2), ("patchcore-any-size", 128, 1), ("padim", 128, 1), ("efficient-ad", 256, 1)],
)
def test_an_export_is_read_by_itself_and_keeps_its_maps(
    anomalib_export: Exported, name: str, side: int, batch: int
) -> None:
    path = anomalib_export(name)
    found: list[Choice] = []
    detector = OnnxModel.from_file(path, on_choices=found.extend)
    told = {choice.option: choice.value for choice in found}
    assert told["--map-output"] == "anomaly_map"
    assert (told["--range"], told["--mean"], told["--size"]) == ("0..1", "0", f"{side}x{side}")

    graph = detector.graph()
    assert graph is not None
    assert "Loop" not in [node.op_type for node in graph.node]
    frames = pictures(side)
    assert detector.preprocessing is not None
    session = onnxruntime.InferenceSession(standalone(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    (maps,) = session.run([BASE_MAP], {IMAGE: detector.preprocessing.prepare(frames).numpy()})
    np.testing.assert_allclose(maps, grid(anomalib_maps(path, frames, batch)), atol=1e-4)


def test_its_patchcore_at_256_pixels_has_a_fixed_batch_of_two(anomalib_export: Exported) -> None:
    """The reason why batches are freed: if this fails, anomalib does it by itself now."""
    model = onnx.load_model(anomalib_export("patchcore"), load_external_data=False)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2


def test_from_its_file_to_a_bundle(
    anomalib_export: Exported, good_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector, words, bundle = tmp_path / "p.detector", tmp_path / "stain.normality", tmp_path / "p.nand"
    assert main(["fit", str(good_dir), "--onnx", str(anomalib_export("padim")), "-o", str(detector)]) == 0
    assert main(["normality", "dark stain", "--object", "fabric", "-o", str(words)]) == 0
    capsys.readouterr()
    arguments = ["export", "--detector", str(detector), "--normality", str(words), "-o", str(bundle), "--json"]
    assert main([*arguments, "--samples", str(good_dir)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["max_map_error"] <= 1e-4
