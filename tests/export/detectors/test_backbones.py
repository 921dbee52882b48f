from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors import efficientnet_lite0
from nand_edge_export.detectors.backbones import load_backbone, read_weights
from nand_edge_export.detectors.patchcore import PatchFeatures


@pytest.fixture(scope="module")
def resnet() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    weights: dict[str, torch.Tensor] = timm.create_model("resnet18", pretrained=False).state_dict()
    return weights


def test_the_default_recognises_a_flower_as_imagenet_taught_it() -> None:
    images = pytest.importorskip("sklearn.datasets").load_sample_images().images
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    weights = read_weights(efficientnet_lite0.packaged_file())
    network.load_state_dict(efficientnet_lite0.timm_names(weights, "weights"))
    square = torch.tensor(images[1][:, 106:533]).permute(2, 0, 1)[None].float()
    image = torch.nn.functional.interpolate(square, size=(224, 224), mode="bicubic", antialias=True) / 127.5 - 1.0
    with torch.no_grad():
        assert int(network(image).argmax()) == 985  # daisy


def test_the_default_gives_strides_8_and_16_and_nothing_after_them() -> None:
    backbone = load_backbone("tf_efficientnet_lite0", 96)
    features = PatchFeatures(backbone)
    assert (features.width, features.grid) == (40 + 112, (12, 12))
    assert len(backbone.network.blocks) == 5
    assert backbone.weights.sha256.startswith("57934424")


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    weights = read_weights(efficientnet_lite0.packaged_file())
    weights["_blocks.3._bn0.weight"] = torch.ones(7)
    save_file({key: tensor.contiguous() for key, tensor in weights.items()}, tmp_path / "other.safetensors")
    with pytest.raises(NandEdgeError, match=r"_blocks\.3\._bn0\.weight' of shape \[7\]"):
        load_backbone(f"tf_efficientnet_lite0:{tmp_path / 'other.safetensors'}", 96)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_residual_network_from_a_file_gives_layers_2_and_3(
    tmp_path: Path, resnet: dict[str, torch.Tensor], *, wrapped: bool
) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save({"state_dict": {f"module.{key}": value for key, value in resnet.items()}} if wrapped else resnet, path)
    backbone = load_backbone(f"resnet18:{path}", 64)
    image = torch.randn(1, 3, 64, 64)
    reference = timm.create_model("resnet18", pretrained=False, features_only=True, out_indices=(2, 3)).eval()
    reference.load_state_dict({key: value for key, value in resnet.items() if key in reference.state_dict()})
    taken = backbone.network.forward_intermediates(image, indices=list(backbone.stages), intermediates_only=True)
    for feature, expected in zip(taken, reference(image), strict=True):
        torch.testing.assert_close(feature, expected)


def test_the_paper_s_backbone_gives_all_of_its_layers_2_and_3() -> None:
    features = PatchFeatures(load_backbone("wide_resnet50_2:random", 64))
    assert (features.width, features.grid) == (512 + 1024, (8, 8))


def test_random_weights_are_the_same_every_time_and_leave_other_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = (load_backbone("resnet18:random", 64) for _ in range(2))
    torch.testing.assert_close(torch.rand(3), expected)
    assert first.weights == second.weights
    assert (first.weights.name, first.weights.licence) == ("random", "none")


def test_a_vision_transformer_is_resized_to_the_input(tmp_path: Path) -> None:
    path = tmp_path / "vit.safetensors"
    save_file(timm.create_model("vit_tiny_patch16_224", pretrained=False).state_dict(), path)
    features = PatchFeatures(load_backbone(f"vit_tiny_patch16_224:{path}", 96))
    assert (features.width, features.grid) == (2 * 192, (6, 6))


def test_weights_with_nan_are_refused(tmp_path: Path, resnet: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "resnet18.safetensors"
    save_file({**resnet, "conv1.weight": resnet["conv1.weight"] * float("nan")}, path)
    with pytest.raises(NandEdgeError, match=r"NaN or infinity in 'conv1\.weight'"):
        load_backbone(f"resnet18:{path}", 64)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18", pretrained=False), tmp_path / "whole_model.pth")
    with pytest.raises(NandEdgeError, match="tensors alone"):
        load_backbone(f"resnet18:{tmp_path / 'whole_model.pth'}", 64)


def test_a_file_that_lacks_a_layer_is_refused(tmp_path: Path, resnet: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "resnet18.safetensors"
    save_file({key: value for key, value in resnet.items() if key != "layer2.0.conv1.weight"}, path)
    with pytest.raises(NandEdgeError, match=r"'layer2\.0\.conv1\.weight' missing"):
        load_backbone(f"resnet18:{path}", 64)


def test_a_misspelt_name_is_answered_with_near_ones() -> None:
    with pytest.raises(NandEdgeError, match="resnet18"):
        load_backbone("resnett18", 64)


def test_without_network_the_way_out_is_named() -> None:
    with pytest.raises(NandEdgeError, match=r"--backbone resnet26:FILE, or use tf_efficientnet_lite0"):
        load_backbone("resnet26", 64)
