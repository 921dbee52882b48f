"""The model in training: an open_clip model whose early trunk and word table stay fixed, and one projection a tap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import nn

from nand_edge_export.detectors.efficientnet_lite0 import packaged_file, timm_names

CONFIG_FILE = Path(__file__).resolve().parents[2] / "export/nand_edge_export/clip/nand_tiny/open_clip_config.json"
TAPS = (3, 4, 5)
TAP_CHANNELS = (40, 112, 320)
FROZEN_BLOCKS = 2
LOGIT_SCALE = 20.0
"""Factor of the cosines in training and ever after: with 100, as large CLIPs have it, small towers start saturated."""


class WordTable(nn.Module):
    """Token embeddings: a fixed table of what words mean, and a learned map into the text tower.

    Only the map is learned, so that words which no caption contains still land near their neighbours.
    """

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.map = nn.Linear(table.shape[1], table.shape[1], bias=False)
        nn.init.eye_(self.map.weight)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Token numbers [N, T] to embeddings [N, T, width]."""
        mapped: torch.Tensor = self.map(nn.functional.embedding(tokens, self.get_buffer("table")))
        return mapped

    def folded(self) -> torch.Tensor:
        """The plain embedding table that gives the same embeddings, [vocabulary, width]."""
        return self.get_buffer("table") @ self.map.weight.detach().T


class NandTiny(nn.Module):
    """An open_clip CLIP with a projection a tap.

    Args:
        table: float32 [49408, width], the fixed word table.
    """

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        config: dict[str, Any] = json.loads(CONFIG_FILE.read_text(encoding="utf-8"))["model_cfg"]
        self.clip: Any = open_clip.CLIP(**config)
        load_imagenet_trunk(self.clip.visual.trunk)
        self.clip.token_embedding = WordTable(table)
        self.projections = nn.ModuleList(nn.Linear(channels, config["embed_dim"]) for channels in TAP_CHANNELS)
        self.clip.visual.trunk.to(memory_format=torch.channels_last)
        for module in self.frozen_modules():
            module.requires_grad_(requires_grad=False)

    def frozen_modules(self) -> list[nn.Module]:
        """The trunk's stem and first blocks: edges and textures as ImageNet taught them."""
        trunk = self.clip.visual.trunk
        return [trunk.conv_stem, trunk.bn1, *trunk.blocks[:FROZEN_BLOCKS]]

    def train(self, mode: bool = True) -> NandTiny:  # noqa: FBT001, FBT002 - torch's signature
        """Switch to training, but keep the statistics of every BatchNorm."""
        super().train(mode)
        for module in self.clip.visual.trunk.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - the common base class
                module.eval()
        return self

    def encode_image(self, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Images [N, 3, S, S] to unit patch tokens [N, D, h, w], one tensor a tap, and unit image features [N, D]."""
        trunk = self.clip.visual.trunk
        with torch.no_grad():
            x = trunk.bn1(trunk.conv_stem(images.contiguous(memory_format=torch.channels_last)))
            for block in trunk.blocks[:FROZEN_BLOCKS]:
                x = block(x)
        taken = []
        for block in trunk.blocks[FROZEN_BLOCKS:]:
            x = block(x)
            taken.append(x)
        stages = [taken[0], taken[2], taken[4]]
        tokens = [
            nn.functional.normalize(projection(stage.permute(0, 2, 3, 1)), dim=-1).permute(0, 3, 1, 2)
            for projection, stage in zip(self.projections, stages, strict=True)
        ]
        pooled = self.clip.visual.head(trunk.forward_head(trunk.bn2(trunk.conv_head(x))))
        return tokens, nn.functional.normalize(pooled, dim=-1)

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        """Token numbers [N, 32] to unit text features [N, D]; the same as open_clip's, without the empty places.

        The tower looks only backwards, so what stands after the end of the longest text changes nothing.
        """
        ends = tokens.argmax(dim=-1)
        length = int(ends.max()) + 1
        clip = self.clip
        x = clip.token_embedding(tokens[:, :length]) + clip.positional_embedding[:length]
        x = clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask[:length, :length]))
        return nn.functional.normalize(x[torch.arange(len(x)), ends] @ clip.text_projection, dim=-1)

    def clip_state(self) -> dict[str, torch.Tensor]:
        """The state dict that a plain open_clip model of the same config loads."""
        state = dict(self.clip.state_dict())
        state = {name: tensor for name, tensor in state.items() if not name.startswith("token_embedding.")}
        state["token_embedding.weight"] = self.clip.token_embedding.folded()
        return {name: tensor for name, tensor in state.items() if name != "attn_mask"}


def load_imagenet_trunk(trunk: nn.Module) -> None:
    """Fill timm's `tf_efficientnet_lite0`, without its classifier, with the packaged ImageNet weights."""
    source = torch.load(packaged_file(), map_location="cpu", weights_only=True)
    known = timm_names(source, "ImageNet weights")
    trunk.load_state_dict({name: known[name] for name in trunk.state_dict()})
