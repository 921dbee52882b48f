"""CLIP models by name: the embedded one, any of open_clip's by tag, by file, or with random weights for timing."""

from __future__ import annotations

import difflib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.transformer import QuickGELU
from safetensors import SafetensorError

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import WeightsSource
from nand_edge_export.hub import use_cache_without_network
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.tensors import require_finite, sha256_of_tensors

NAND_TINY = "nand-tiny"
NAND_TINY_FOLDER = Path(__file__).with_name("nand_tiny")
RANDOM = "random"
GELU_SUFFIX = "-gelu"
"""After a model's name: GELU in the place of the QuickGELU that the weights were trained with."""

_TEXT_BATCH = 64
_POSITION_EMBEDDING = "visual.positional_embedding"
_LICENCES = {NAND_TINY: "Apache-2.0", RANDOM: "none"}


@dataclass(frozen=True)
class Clip:
    """A CLIP model with both towers.

    Attributes:
        name: How the user named it: `nand-tiny`, `MODEL:TAG`, `MODEL:FILE` or `MODEL:random`.
        model: The open_clip model in evaluation mode.
        tokenizer: Its tokenizer: texts to token numbers.
        preprocessing: What its image tower needs.
        sha256: Hash of its weights; see `hash_weights`.
        weights: Where the weights came from.
    """

    name: str
    model: Any
    tokenizer: Any
    preprocessing: Preprocessing
    sha256: str
    weights: WeightsSource

    def text_features(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Mean of the prompts' unit text features, again of length 1: float32 [D].

        Raises:
            NandEdgeError: There are no prompts, or a feature is not finite.
        """
        if not prompts:
            raise NandEdgeError("text features", found="no prompts", needed="at least one", do="give some words")
        features = []
        with torch.inference_mode():
            for start in range(0, len(prompts), _TEXT_BATCH):
                tokens = self.tokenizer(list(prompts[start : start + _TEXT_BATCH]))
                features.append(self.model.encode_text(tokens, normalize=True))
        mean = torch.nn.functional.normalize(torch.cat(features).mean(dim=0), dim=0).numpy().astype(np.float32)
        if not np.isfinite(mean).all():
            raise NandEdgeError(
                f"CLIP {self.name!r}",
                found="text features that are no finite numbers",
                needed="weights without NaN",
                do="use another weights file",
            )
        return mean


def load_clip(name: str, *, image_size: int | None = None, seed: int = 0) -> Clip:
    """Load a CLIP model.

    Args:
        name: `nand-tiny`; `MODEL:TAG` (open_clip's hub or its cache); `MODEL:FILE` (a checkpoint, read without
            pickle); `MODEL:random`. The activation is the one that the weights were trained with, see
            `uses_quick_gelu`; `MODEL-gelu:...` computes with GELU all the same.
        image_size: Side of the input; vision transformers get their position embedding resized.
        seed: Of random weights.

    Raises:
        NandEdgeError: Unknown model or tag, missing or unsuitable file, no network, NaN weights, an image size that
            does not fit.
    """
    torch.manual_seed(seed)
    model_name, source, gelu = _split(name)
    model = _create(name, model_name, source, image_size, gelu=gelu)
    model.eval().requires_grad_(requires_grad=False)
    # open_clip's causal mask is infinite on purpose and no weight.
    weights = {key: tensor for key, tensor in model.state_dict().items() if not key.endswith("attn_mask")}
    require_finite(weights, f"CLIP {name!r}")
    cfg = open_clip.get_model_preprocess_cfg(model)
    size = cfg["size"] if isinstance(cfg["size"], int) else cfg["size"][0]
    sha256 = hash_weights(model)
    return Clip(
        name=name,
        model=model,
        tokenizer=open_clip.get_tokenizer(model_name),
        preprocessing=Preprocessing(image_size or size, tuple(cfg["mean"]), tuple(cfg["std"])),
        sha256=sha256,
        weights=WeightsSource(name=name, sha256=sha256, licence=_licence(name, source)),
    )


def empty_image_tower(name: str, image_size: int, *, quick_gelu: bool) -> torch.nn.Module:
    """The image tower of a CLIP without its weights, to be filled from a detector file.

    Raises:
        NandEdgeError: The installed open_clip does not know the model, or has no such size of it.
    """
    model_name, source, _ = _split(name)
    try:
        with _open_clip_is_quiet():
            model = open_clip.create_model(model_name, force_image_size=image_size, quick_gelu=quick_gelu)
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise _not_loaded(name, source, error) from error
    tower: torch.nn.Module = model.visual.eval().requires_grad_(requires_grad=False)
    return tower


def hash_weights(model: torch.nn.Module) -> str:
    """SHA-256 over the activation and names, shapes and values of all weights but the image tower's position embedding.

    That one is resized to the input size, while the text features are the same at every size.
    """
    weights = {name: tensor for name, tensor in model.state_dict().items() if name != _POSITION_EMBEDDING}
    if has_quick_gelu(model):
        weights["activation is QuickGELU"] = torch.ones(1)
    return sha256_of_tensors(weights)


def has_quick_gelu(model: torch.nn.Module) -> bool:
    """Whether the activation of a model of open_clip is QuickGELU."""
    return any(isinstance(module, QuickGELU) for module in model.modules())


def uses_quick_gelu(model_name: str, source: str) -> bool:
    """Whether weights were trained with QuickGELU, `x * sigmoid(1.702 x)`, as OpenAI's were, and not with GELU.

    A tag says so itself. For a file it stands in the `open_clip_config.json` beside it (so the hub publishes models);
    else in the model's name (`ViT-B-16-quickgelu`); else it is QuickGELU where all published weights of the model are,
    as of `ViT-L-14-336`. For one that was published with both, such as `ViT-B-16`, the name decides.

    Raises:
        NandEdgeError: The configuration beside the file cannot be read.
    """
    tags = open_clip.list_pretrained_tags_by_model(model_name)
    published = {tag: bool(open_clip.get_pretrained_cfg(model_name, tag).get("quick_gelu", False)) for tag in tags}
    if source in published:
        return published[source]
    beside = Path(source).with_name("open_clip_config.json")
    if Path(source).is_file() and beside.is_file():
        return _configured_quick_gelu(beside)
    named = bool(open_clip.get_model_config(model_name).get("quick_gelu", False))
    return named or (bool(published) and all(published.values()))


def _configured_quick_gelu(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["model_cfg"].get("quick_gelu", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NandEdgeError(
            f"CLIP configuration {str(path)!r}",
            found=f"a file that cannot be read ({type(error).__name__})",
            needed="what the hub published beside the weights",
            do="copy it again or remove it",
        ) from error


def _split(name: str) -> tuple[str, str, bool]:
    """Model name for open_clip, the source of its weights, and whether GELU was asked for."""
    if name == NAND_TINY:
        return f"local-dir:{NAND_TINY_FOLDER}", NAND_TINY, False
    asked_model, separator, source = name.partition(":")
    if not separator or not source:
        raise _unknown(name, f"{name!r}", f"{NAND_TINY!r}, MODEL:TAG, MODEL:FILE or MODEL:{RANDOM}")
    model_name = asked_model.removesuffix(GELU_SUFFIX)
    if model_name not in open_clip.list_models():
        raise _unknown(name, f"model {model_name!r}", "one of open_clip.list_models()", _near(model_name))
    return model_name, source, model_name != asked_model


def _near(model_name: str) -> str:
    near = difflib.get_close_matches(model_name, open_clip.list_models(), n=3)
    return f"use {' or '.join(near)}, for example" if near else "correct the name"


def _create(name: str, model_name: str, source: str, image_size: int | None, *, gelu: bool) -> Any:
    options: dict[str, Any] = {"force_image_size": image_size} if image_size else {}
    if source != NAND_TINY:
        options["quick_gelu"] = not gelu and uses_quick_gelu(model_name, source)
    try:
        with _open_clip_is_quiet():
            if source == NAND_TINY:
                return open_clip.create_model(model_name, **options)
            if source == RANDOM:
                return open_clip.create_model(model_name, pretrained=None, **options)
            if source in open_clip.list_pretrained_tags_by_model(model_name):
                use_cache_without_network()
                return open_clip.create_model(model_name, pretrained=source, **options)
            if Path(source).is_file():
                return open_clip.create_model(model_name, pretrained=source, weights_only=True, **options)
    except (RuntimeError, OSError, ValueError, KeyError, AssertionError, TypeError, SafetensorError) as error:
        raise _not_loaded(name, source, error) from error
    tags = ", ".join(open_clip.list_pretrained_tags_by_model(model_name)) or "none"
    raise _unknown(name, f"{source!r}, neither a tag nor a file", f"a file, or one of the tags: {tags}")


@contextmanager
def _open_clip_is_quiet() -> Iterator[None]:
    """Keep its log lines off the screen, and its warning of an activation that we set ourselves."""
    logging.getLogger().addFilter(_not_from_open_clip)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="QuickGELU mismatch")
            yield
    finally:
        logging.getLogger().removeFilter(_not_from_open_clip)


def _not_from_open_clip(record: logging.LogRecord) -> bool:
    """Keep open_clip's log lines off the screen: what matters of them is in the error."""
    return "open_clip" not in record.pathname


def _licence(name: str, source: str) -> str:
    return _LICENCES.get(source, f"as the publisher of {name} states")


def _unknown(name: str, found: str, needed: str, do: str = "correct the name") -> NandEdgeError:
    return NandEdgeError(f"CLIP {name!r}", found=found, needed=needed, do=do)


def _not_loaded(name: str, source: str, error: Exception) -> NandEdgeError:
    first_line = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
    if Path(source).is_file():
        return NandEdgeError(
            f"CLIP {name!r}",
            found=f"a file that cannot be loaded ({first_line})",
            needed="a checkpoint of this very model, as safetensors or a state dict without pickled code",
            do="check the model's name and the file",
        )
    return NandEdgeError(
        f"CLIP {name!r}",
        found=f"no such weights here, and they could not be fetched ({first_line})",
        needed="a network connection, or the weights in the hub's cache",
        do=f"connect, give a file as MODEL:FILE, or use --clip {NAND_TINY}, which needs no download",
    )
