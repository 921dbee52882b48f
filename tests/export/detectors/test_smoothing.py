from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nand_edge_export.detectors.smoothing import smoothing_matrix


@pytest.mark.parametrize(("rows", "columns"), [(32, 32), (13, 28), (1, 5)])
def test_two_products_equal_upsampling_and_then_a_gaussian(rows: int, columns: int) -> None:
    coarse = np.random.default_rng(0).random((rows, columns))
    upsampled = F.interpolate(torch.from_numpy(coarse)[None, None], size=(256, 256), mode="bilinear")[0, 0].numpy()
    # OpenCV's 33 taps reach 4 sigmas; BORDER_REFLECT mirrors the map with its edge pixel.
    expected = cv2.GaussianBlur(upsampled, (33, 33), 4.0, borderType=cv2.BORDER_REFLECT)
    found = smoothing_matrix(rows, 256, 4.0) @ coarse @ smoothing_matrix(columns, 256, 4.0).T
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_even_map_stays_even() -> None:
    np.testing.assert_allclose(smoothing_matrix(32, 256, 4.0).sum(axis=1), 1.0, atol=1e-6)
