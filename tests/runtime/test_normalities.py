from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nand_edge.bundle import open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.normality import Normality, write_normality
from nand_edge_runtime.normalities import activate


def test_a_file_that_was_written_again_is_read_again(
    toy_bundle: Path, own_normality: Normality, tmp_path: Path
) -> None:
    bundle, file = open_bundle(toy_bundle), tmp_path / "shade.normality"
    write_normality(own_normality, file)
    before = activate(bundle, [file]).tensors.features
    write_normality(replace(own_normality, features=own_normality.features[:, ::-1].copy()), file)
    np.testing.assert_array_equal(activate(bundle, [file]).tensors.features, before[:, :, ::-1])


def test_what_was_read_before_is_not_changed_by_those_who_got_it(toy_bundle: Path) -> None:
    bundle = open_bundle(toy_bundle)
    first = activate(bundle, ["bright"]).tensors.features
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(activate(bundle, ["bright"]).tensors.features, expected)


def test_a_file_that_went_away_is_missed(toy_bundle: Path, own_normality: Normality, tmp_path: Path) -> None:
    bundle, file = open_bundle(toy_bundle), tmp_path / "shade.normality"
    write_normality(own_normality, file)
    activate(bundle, [file])
    file.unlink()
    with pytest.raises(NandEdgeError, match="found no such file"):
        activate(bundle, [file])
