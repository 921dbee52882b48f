from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import prepare
from nand_benchmarks.settings import parse
from nand_benchmarks.variants import REFERENCE, VARIANTS, Variant

pytestmark = pytest.mark.torch


def test_a_subject_that_several_scripts_measure_is_made_once_with_all_its_engines(tmp_path: Path) -> None:
    needed = prepare.needed(parse("", ["--work", str(tmp_path)]))
    assert len({subject.key for subject in needed}) == len(needed)
    engines = {(subject.clip, subject.image_size, subject.memory_patches): of for subject, of in needed.items()}
    assert engines["ViT-L-14-336:random", 518, 0] == (Variant("openvino", "bf16"),)
    assert engines["ViT-B-16:random", 224, 0] == VARIANTS
    assert engines["nand-tiny", None, 4000] == VARIANTS
    assert engines["nand-tiny", None, 64000] == (REFERENCE,)


def test_quick_needs_nothing_large(tmp_path: Path) -> None:
    for subject in prepare.needed(parse("", ["--quick", "--work", str(tmp_path)])):
        assert subject.clip == "nand-tiny"
        assert subject.memory_patches <= 500
