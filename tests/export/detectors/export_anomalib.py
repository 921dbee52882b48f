"""Runs in the environment of anomalib: `python export_anomalib.py NAME FOLDER` writes a real export of a small model.

No weights can be fetched, so backbones are random, which changes no shape and no operator of the graph.
"""

from __future__ import annotations

import sys
import warnings

warnings.filterwarnings("ignore")

import torch  # noqa: E402
from anomalib.models import EfficientAd, Padim, Patchcore  # noqa: E402
from anomalib.models.components import AnomalibModule  # noqa: E402


def patchcore(side: int) -> AnomalibModule:
    processor = Patchcore.configure_pre_processor((side, side))
    model = Patchcore(backbone="resnet18", layers=["layer2", "layer3"], pre_trained=False, pre_processor=processor)
    collect(model, side)
    model.model.subsample_embedding(0.05)
    return model


def padim(side: int) -> AnomalibModule:
    processor = Padim.configure_pre_processor((side, side))
    layers = ["layer1", "layer2", "layer3"]
    model = Padim(backbone="resnet18", layers=layers, pre_trained=False, n_features=20, pre_processor=processor)
    collect(model, side)
    model.model.fit()
    return model


def efficient_ad(side: int) -> AnomalibModule:
    """Teacher and student as they are made, with the statistics that training would have put in."""
    model = EfficientAd(pre_processor=EfficientAd.configure_pre_processor((side, side)))
    networks = model.model.eval()
    with torch.no_grad():
        features = networks.teacher(good(side))
    networks.mean_std["mean"].data = features.mean((0, 2, 3), keepdim=True)
    networks.mean_std["std"].data = features.std((0, 2, 3), keepdim=True)
    for name, value in {"qa_st": 0.0, "qb_st": 1.0, "qa_ae": 0.0, "qb_ae": 1.0}.items():
        networks.quantiles[name].data = torch.tensor(value)
    return model


def good(side: int) -> torch.Tensor:
    return torch.rand(8, 3, side, side)


def collect(model: AnomalibModule, side: int) -> None:
    model.model.train()
    for images in good(side).split(4):
        model.model(model.pre_processor.transform(images))


MODELS = {
    # Over 1,024 patches in the example batch of two: anomalib then fixes the batch.
    "patchcore": (patchcore, 256, True),
    "patchcore-any-size": (patchcore, 128, False),
    "padim": (padim, 128, True),
    "efficient-ad": (efficient_ad, 256, True),
}

if __name__ == "__main__":
    name, folder = sys.argv[1:]
    torch.manual_seed(0)
    make, side, fixed = MODELS[name]
    make(side).eval().to_onnx(folder, input_size=(side, side) if fixed else None)
