"""What all engine builders have in common."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nand_edge.bundle import Bundle
from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_export.engines import BUILDERS, BuildOptions, load_builder
from nand_edge_export.engines.build import build_engine
from nand_edge_export.engines.device import compute_capability_here


def test_every_target_has_a_builder() -> None:
    assert set(BUILDERS) == set(Target)


def test_for_onnx_in_fp32_there_is_nothing_to_build(bundle: Bundle) -> None:
    with pytest.raises(NandEdgeError, match=r"its graph\.onnx is that engine"):
        build_engine(bundle, Target.ONNX)


def test_building_needs_neither_torch_nor_onnx() -> None:
    program = """
import sys
sys.modules.update(dict.fromkeys(("torch", "onnx", "open_clip", "timm"), None))
from nand_edge_export.commands.build import build
from nand_edge_export.engines import load_builder
from nand_edge.manifest import Target
load_builder(Target.OPENVINO)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(compute_capability_here() is not None, reason="this machine has a GPU")
def test_tensorrt_says_what_it_lacks_on_a_machine_without_it(bundle: Bundle) -> None:
    with pytest.raises(NandEdgeError, match=r"nand-edge\[tensorrt\]|to build on the device"):
        build_engine(bundle, Target.TENSORRT)


def test_an_unknown_target_is_refused_in_one_sentence(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(bundle.folder), "--target", "tpu"]) == 1

    error = capsys.readouterr().err
    assert error == "target: found 'tpu', needed one of onnx, openvino, tensorrt, tensorrt-rtx; correct it.\n"


@pytest.mark.parametrize(
    ("limits", "found"),
    [({"max_batch": 0}, "max_batch: found 0"), ({"min_side": 64, "max_side": 32}, "max_side: found 32 pixels")],
)
def test_limits_that_cannot_be_are_refused(limits: dict[str, int], found: str) -> None:
    with pytest.raises(NandEdgeError, match=found):
        BuildOptions(**limits)


def test_a_builder_knows_its_target() -> None:
    assert load_builder(Target.OPENVINO).target is Target.OPENVINO
