"""What learns: one linear layer a tap, with its optimiser and its checkpoints."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge_export.training.losses import map_loss
from nand_edge_export.training.recipe import Recipe


@dataclass
class Heads:
    """The layers and all else that a checkpoint holds.

    Attributes:
        layers: One linear layer a tap.
        optimizer: Adam over them.
        step: Steps done.
    """

    layers: nn.ModuleList
    optimizer: torch.optim.Optimizer
    step: int = 0

    @classmethod
    def start(cls, channels: Sequence[int], width: int, recipe: Recipe, device: str) -> Heads:
        """Layers at step 0, as torch begins a linear layer: from each tap's channels to the width of a text feature."""
        torch.manual_seed(recipe.seed)
        layers = nn.ModuleList(nn.Linear(count, width) for count in channels).to(device)
        return cls(layers, torch.optim.Adam(layers.parameters(), lr=recipe.learning_rate, betas=recipe.betas))

    def learn(self, features: Sequence[torch.Tensor], directions: torch.Tensor, masks: torch.Tensor) -> list[float]:
        """One step of the optimiser on the sum of the taps' losses.

        Args:
            features: For each tap, float32 [N, C, rows, columns].
            directions: For each image `logit_scale * (abnormal - normal)`, float32 [N, D].
            masks: Where defects are, float32 [N, S, S].

        Returns:
            The taps' losses.

        Raises:
            NandEdgeError: The loss is no finite number.
        """
        losses = [
            map_loss(defect_map(layer, tap, directions, masks.shape[-1]), masks)
            for layer, tap in zip(self.layers, features, strict=True)
        ]
        total = torch.stack(losses).sum()
        if not bool(torch.isfinite(total)):
            raise NandEdgeError(
                f"the loss of step {self.step + 1}",
                found=str(total.item()),
                needed="a finite number",
                do="take a smaller --learning-rate",
            )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        self.step += 1
        return [float(loss.detach()) for loss in losses]

    def weights(self) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
        """Weight and bias of each layer, on the CPU."""
        states = (layer.state_dict() for layer in self.layers)
        return tuple((state["weight"].cpu().clone(), state["bias"].cpu().clone()) for state in states)

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write a checkpoint, whole or not at all.

        Args:
            path: The file.
            identity: What a training that goes on must have in common with this one.
        """
        state = {
            "layers": self.layers.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "identity": json.dumps(identity),
        }
        with whole_file(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            NandEdgeError: It is damaged, or of a training with another CLIP, other frames or other options.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            found = json.loads(state["identity"])
            different = [name for name, value in identity.items() if found[name] != value]
            if not different:
                self.layers.load_state_dict(state["layers"])
                self.optimizer.load_state_dict(state["optimizer"])
                self.step = int(state["step"])
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, TypeError, ValueError) as error:
            raise _unfit(path, f"a file that cannot be read ({type(error).__name__})", "a whole checkpoint") from error
        if different:
            was, now = (", ".join(f"{name} {values[name]}" for name in different) for values in (found, identity))
            raise _unfit(path, f"a training with {was}", now)


def defect_map(layer: nn.Module, features: torch.Tensor, directions: torch.Tensor, size: int) -> torch.Tensor:
    """One tap's probability of a defect, float32 [N, size, size], by the steps of APRIL-GAN.

    Two logits upsampled with corners aligned and their softmax are the sigmoid of the upsampled difference.
    """
    tokens = functional.normalize(layer(features.flatten(2).transpose(1, 2)), dim=-1)
    difference = torch.einsum("npd,nd->np", tokens, directions).unflatten(1, features.shape[2:])
    upsampled = functional.interpolate(difference[:, None], (size, size), mode="bilinear", align_corners=True)
    return upsampled[:, 0].sigmoid()


def json_like(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they come back from JSON: tuples as lists."""
    read: dict[str, Any] = json.loads(json.dumps(values))
    return read


def _unfit(path: Path, found: str, needed: str) -> NandEdgeError:
    return NandEdgeError(
        f"checkpoint {str(path)!r}",
        found=found,
        needed=needed,
        do="give the same data and options again, or remove the folder of the checkpoint to begin anew",
    )
