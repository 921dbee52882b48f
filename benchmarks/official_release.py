"""APRIL-GAN's official release, step by step in plain torch, and how far NAND Edge is from it at full size.

`python benchmarks/official_release.py` makes random weights for ViT-L-14-336 and for projections with the release's
keys, writes both as checkpoints, and compares the maps of one image at 518 pixels; the true weights are not needed,
since the steps are the same for all. The functions read tensors by the names that they have in the checkpoints and
share no code with the product or with open_clip. They follow the release's `test.py`, `model.py` and its own copy of
open_clip (github.com/ByChelsea/VAND-APRIL-GAN), written anew.
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import open_clip
import torch
from PIL import Image
from torch.nn import functional
from torchvision.transforms import functional as pictures

from nand_edge.images import read_frame
from nand_edge.prompts import april_gan_abnormal, april_gan_normal
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod

Weights = Mapping[str, torch.Tensor]
Activation = Callable[[torch.Tensor], torch.Tensor]

IMAGE_SIZE = 518
TAPS = (6, 12, 18, 24)
HEAD_WIDTH = 64
SCALE = 100.0
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
CLIP_FILE, PROJECTION_FILE = "clip.pt", "visa_pretrained.pth"
RESULT = Path(__file__).parent / "results" / "official-release.json"


def quick_gelu(values: torch.Tensor) -> torch.Tensor:
    """The activation that OpenAI's weights were trained with."""
    return values * torch.sigmoid(1.702 * values)


def prepare(path: Path) -> torch.Tensor:
    """An image file as the release's transform gives it, [1, 3, 518, 518]."""
    size = [IMAGE_SIZE, IMAGE_SIZE]
    image = pictures.resize(Image.open(path).convert("RGB"), size, pictures.InterpolationMode.BICUBIC)
    pixels: torch.Tensor = pictures.normalize(pictures.to_tensor(pictures.center_crop(image, size)), MEAN, DEVIATION)
    return pixels[None]


def position_embedding(trained: torch.Tensor, side: int) -> torch.Tensor:
    """The position embedding [1 + n * n, C] resized to a grid of `side` x `side`; the class token keeps its own."""
    old = round((len(trained) - 1) ** 0.5)
    grid = trained[1:].T.reshape(1, -1, old, old)
    grid = functional.interpolate(grid, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([trained[:1], grid.flatten(2)[0].T])


def blocks(
    weights: Weights, prefix: str, tokens: torch.Tensor, activation: Activation, mask: torch.Tensor | None = None
) -> Iterator[torch.Tensor]:
    """Outputs [N, P, C] of the transformer's blocks, one after the other."""
    count = sum(key.startswith(prefix) and key.endswith("attn.in_proj_weight") for key in weights)
    for number in range(count):
        part = {key.removeprefix(f"{prefix}{number}."): weights[key] for key in weights if f"{prefix}{number}." in key}
        tokens = tokens + _attention(part, _layer_norm(part, "ln_1", tokens), mask)
        hidden = activation(_linear(part, "mlp.c_fc", _layer_norm(part, "ln_2", tokens)))
        tokens = tokens + _linear(part, "mlp.c_proj", hidden)
        yield tokens


def patch_tokens(
    weights: Weights, image: torch.Tensor, activation: Activation, taps: Sequence[int] = TAPS
) -> list[torch.Tensor]:
    """Patch tokens [N, P, C] after the tapped blocks, before the last layer norm, without the class token."""
    kernel = weights["visual.conv1.weight"]
    patches = functional.conv2d(image, kernel, stride=kernel.shape[-1])
    side = patches.shape[-1]
    patches = patches.flatten(2).transpose(1, 2)
    tokens = torch.cat([weights["visual.class_embedding"].expand(len(image), 1, -1), patches], dim=1)
    tokens = tokens + position_embedding(weights["visual.positional_embedding"], side)
    tokens = _layer_norm(weights, "visual.ln_pre", tokens)
    outputs = list(blocks(weights, "visual.transformer.resblocks.", tokens, activation))
    return [outputs[tap - 1][:, 1:] for tap in taps]


def text_feature(weights: Weights, tokens: torch.Tensor, activation: Activation) -> torch.Tensor:
    """Mean of the prompts' unit features, again of length 1: from token numbers [P, 77] to [D]."""
    length = tokens.shape[1]
    embedded = weights["token_embedding.weight"][tokens] + weights["positional_embedding"]
    later = torch.full((length, length), -torch.inf, dtype=embedded.dtype).triu(1)
    *_, last = blocks(weights, "transformer.resblocks.", embedded, activation, later)
    ends = _layer_norm(weights, "ln_final", last)[torch.arange(len(tokens)), tokens.argmax(dim=1)]
    features = functional.normalize(ends @ weights["text_projection"], dim=-1)
    return functional.normalize(features.mean(dim=0), dim=0)


def layer_maps(
    projections: Weights, tokens: Sequence[torch.Tensor], text: torch.Tensor, size: int = IMAGE_SIZE
) -> list[torch.Tensor]:
    """Each tap's probability of the second text, [N, size, size]: logits upsampled first, then the softmax.

    Args:
        projections: What the release's checkpoints hold under `trainable_linearlayer`.
        tokens: As `patch_tokens` gives them.
        text: The two text features, [2, D].
        size: Side of the maps, pixels.
    """
    maps = []
    for number, tap in enumerate(tokens):
        projected = tap @ projections[f"fc.{number}.weight"].T + projections[f"fc.{number}.bias"]
        logits = SCALE * (projected / projected.norm(dim=-1, keepdim=True)) @ text.T
        side = round(logits.shape[1] ** 0.5)
        logits = logits.transpose(1, 2).reshape(len(logits), 2, side, side)
        logits = functional.interpolate(logits, size=(size, size), mode="bilinear", align_corners=True)
        maps.append(logits.softmax(dim=1)[:, 1])
    return maps


def nearest_maps(
    memory: Sequence[torch.Tensor], tokens: Sequence[torch.Tensor], size: int = IMAGE_SIZE
) -> list[torch.Tensor]:
    """Each tap's 1 - cosine to the nearest patch of the reference images (few-shot), [N, size, size].

    Args:
        memory: For each tap, patch tokens [patches, C] of the reference images.
        tokens: As `patch_tokens` gives them.
        size: Side of the maps, pixels.
    """
    maps = []
    for known, tap in zip(memory, tokens, strict=True):
        lengths = known.norm(dim=-1)[:, None] * tap.norm(dim=-1)[:, None]
        farness = (1.0 - known @ tap.transpose(1, 2) / lengths).amin(dim=1)
        side = round(tap.shape[1] ** 0.5)
        grid = farness.reshape(len(tap), 1, side, side)
        maps.append(functional.interpolate(grid, size=(size, size), mode="bilinear", align_corners=True)[:, 0])
    return maps


def _attention(part: Weights, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    together = tokens @ part["attn.in_proj_weight"].T + part["attn.in_proj_bias"]
    query, key, value = (piece.unflatten(-1, (-1, HEAD_WIDTH)).transpose(1, 2) for piece in together.chunk(3, dim=-1))
    likeness = query @ key.transpose(-1, -2) / HEAD_WIDTH**0.5
    if mask is not None:
        likeness = likeness + mask
    mixed = (likeness.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
    return _linear(part, "attn.out_proj", mixed)


def _layer_norm(part: Weights, name: str, tokens: torch.Tensor) -> torch.Tensor:
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    deviation = (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    return centred / deviation * part[f"{name}.weight"] + part[f"{name}.bias"]


def _linear(part: Weights, name: str, tokens: torch.Tensor) -> torch.Tensor:
    return tokens @ part[f"{name}.weight"].T + part[f"{name}.bias"]


def compare_at_full_size(folder: Path) -> dict[str, object]:
    """Compare the product's maps with the release's steps for ViT-L-14-336 and random weights, in `folder`."""
    torch.manual_seed(0)
    weights, projections = write_checkpoints(folder, "ViT-L-14-336")
    image = folder / "noise.png"
    noise = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8).numpy()
    Image.fromarray(noise).resize((900, 900), Image.Resampling.BICUBIC).save(image)

    began = time.perf_counter()
    fitted = AprilGanMethod(
        "carpet", clip=f"ViT-L-14-336:{folder / CLIP_FILE}", projection=str(folder / PROJECTION_FILE)
    ).fit()
    loaded = time.perf_counter()
    with torch.inference_mode():
        ours = fitted.base_map(read_frame(image))
    done = time.perf_counter()
    with torch.inference_mode():
        prompts = [open_clip.tokenize(ensemble("carpet")) for ensemble in (april_gan_normal, april_gan_abnormal)]
        text = torch.stack([text_feature(weights, tokens, quick_gelu) for tokens in prompts])
        tokens = patch_tokens(weights, prepare(image), quick_gelu)
        theirs = torch.stack(layer_maps(projections, tokens, text, size=len(ours))).sum(dim=0)[0]
    return {
        "model": "ViT-L-14-336",
        "weights": "random, as checkpoints with the names of OpenAI's and of the release's",
        "activation": "QuickGELU",
        "image_size": fitted.detector.input_size,
        "map_size": len(ours),
        "map_range": [round(float(theirs.min()), 3), round(float(theirs.max()), 3)],
        "max_map_error": float((ours - theirs).abs().max()),
        "seconds": {"load": round(loaded - began, 1), "one frame": round(done - loaded, 1)},
        "torch": torch.__version__,
        "machine": platform.machine(),
    }


def write_checkpoints(folder: Path, model: str) -> tuple[Weights, Weights]:
    """Write and give random weights of an open_clip model and of projections, with the keys of the published files.

    Biases and token embeddings are larger than at the start of a training, so that every term of every step counts.
    """
    generator = torch.Generator().manual_seed(1)
    weights = dict(open_clip.create_model(model, pretrained=None).state_dict())
    for key in [*(key for key in weights if key.endswith("bias")), "visual.class_embedding"]:
        weights[key] = weights[key] + 0.1 * torch.randn(weights[key].shape, generator=generator)
    weights["token_embedding.weight"] = 20 * weights["token_embedding.weight"]
    width, channels = weights["text_projection"].shape[1], len(weights["visual.class_embedding"])
    projections = {}
    for number in range(len(TAPS)):
        projections[f"fc.{number}.weight"] = torch.randn(width, channels, generator=generator) / channels**0.5
        projections[f"fc.{number}.bias"] = 0.1 * torch.randn(width, generator=generator)
    torch.save(weights, folder / CLIP_FILE)
    torch.save({"trainable_linearlayer": projections}, folder / PROJECTION_FILE)
    return weights, projections


def main() -> None:
    """Compare at full size, print the figures and keep them in `results/`."""
    with tempfile.TemporaryDirectory() as folder:
        found = compare_at_full_size(Path(folder))
    text = json.dumps(found, indent=2) + "\n"
    print(text, end="")
    RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
