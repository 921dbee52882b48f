"""CLIP models by name: the embedded one, any of open_clip's by tag, by file, or with random weights for timing."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import WeightsSource
from nand_edge_export.hub import use_cache_without_network
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.tensors import require_finite, sha256_of_tensors

NAND_TINY = "nand-tiny"
NAND_TINY_FOLDER = Path(__file__).with_name("nand_tiny")
RANDOM = "random"
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
            pickle); `MODEL:random`.
        image_size: Side of the input; vision transformers get their position embedding resized.
        seed: Of random weights.

    Raises:
        NandEdgeError: Unknown model or tag, missing or unsuitable file, no network, NaN weights, an image size that
            does not fit.
    """
    torch.manual_seed(seed)
    model_name, source = _split(name)
    model = _create(name, model_name, source, image_size)
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


def hash_weights(model: torch.nn.Module) -> str:
    """SHA-256 over names, shapes and values of all weights but the image tower's position embedding.

    That one is resized to the input size, while the text features are the same at every size.
    """
    state = model.state_dict()
    return sha256_of_tensors({name: tensor for name, tensor in state.items() if name != _POSITION_EMBEDDING})


def _split(name: str) -> tuple[str, str]:
    """Model name for open_clip, and the source of its weights."""
    if name == NAND_TINY:
        return f"local-dir:{NAND_TINY_FOLDER}", NAND_TINY
    model_name, separator, source = name.partition(":")
    if not separator or not source:
        raise _unknown(name, f"{name!r}", f"{NAND_TINY!r}, MODEL:TAG, MODEL:FILE or MODEL:{RANDOM}")
    if model_name not in open_clip.list_models():
        raise _unknown(name, f"model {model_name!r}", "one of open_clip.list_models()", _near(model_name))
    return model_name, source


def _near(model_name: str) -> str:
    near = difflib.get_close_matches(model_name, open_clip.list_models(), n=3)
    return f"use {' or '.join(near)}, for example" if near else "correct the name"


def _create(name: str, model_name: str, source: str, image_size: int | None) -> Any:
    options: dict[str, Any] = {"force_image_size": image_size} if image_size else {}
    logging.getLogger().addFilter(_not_from_open_clip)
    try:
        if source == NAND_TINY:
            return open_clip.create_model(model_name, **options)
        if source == RANDOM:
            return open_clip.create_model(model_name, pretrained=None, **options)
        if source in open_clip.list_pretrained_tags_by_model(model_name):
            use_cache_without_network()
            quick_gelu = bool(open_clip.get_pretrained_cfg(model_name, source).get("quick_gelu", False))
            return open_clip.create_model(model_name, pretrained=source, force_quick_gelu=quick_gelu, **options)
        if Path(source).is_file():
            return open_clip.create_model(model_name, pretrained=source, weights_only=True, **options)
    except (RuntimeError, OSError, ValueError, KeyError, AssertionError, TypeError, SafetensorError) as error:
        raise _not_loaded(name, source, error) from error
    finally:
        logging.getLogger().removeFilter(_not_from_open_clip)
    tags = ", ".join(open_clip.list_pretrained_tags_by_model(model_name)) or "none"
    raise _unknown(name, f"{source!r}, neither a tag nor a file", f"a file, or one of the tags: {tags}")


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
