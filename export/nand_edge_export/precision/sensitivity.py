"""Which layers have to stay exact, found by measuring what the rounding of each does to the maps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from nand_edge.samples import MAPS, SCORES
from nand_edge.signature import SUPPRESSION_MAP
from nand_edge_export.precision.frames import Inputs, session_of
from nand_edge_export.precision.layers import find_layers
from nand_edge_export.precision.observation import Range
from nand_edge_export.precision.rounding import Rounding, quantise

_GROUPS = 12
_GROUPS_TAKEN_APART = 3
_PIXELS = 0.99

Told = Callable[[str], None]


class Judge:
    """Says how far the maps and scores of a rounded model are from the exact one's.

    Args:
        model: The exact model, with its weights.
        inputs: The runs to compare on, each with the gate open.
        fused: Whether ONNX Runtime has kernels for the rounded model; else it computes what such kernels would.
    """

    def __init__(self, model: onnx.ModelProto, inputs: Sequence[Inputs], *, fused: bool = True) -> None:
        self._inputs, self._fused = inputs, fused
        session = session_of(model)
        known = {output.name for output in session.get_outputs()}
        self._names = [name for name in (*MAPS, *SCORES) if name in known]
        self._exact = [session.run(self._names, each) for each in inputs]
        highest = [np.abs(values).max() for run in self._exact for values in run]
        self._largest = max(float(np.nanmax(highest)), 1e-12)

    def error(self, model: onnx.ModelProto) -> float:
        """The largest error, as a share of the largest value of a map.

        Of a map's pixels the worst hundredth does not count. Suppression lies in 0..1, so it is taken as it is.
        """
        session = session_of(model, fused=self._fused)
        runs = zip(self._inputs, self._exact, strict=True)
        return max(self._of_run(session.run(self._names, each), exact) for each, exact in runs)

    def _of_run(self, found: Sequence[NDArray[np.float32]], exact: Sequence[NDArray[np.float32]]) -> float:
        errors = []
        for name, values, reference in zip(self._names, found, exact, strict=True):
            difference = np.nan_to_num(np.abs(values - reference), nan=np.inf)
            errors.append(float(np.quantile(difference, _PIXELS)) / (1.0 if name == SUPPRESSION_MAP else self._largest))
        return max(errors)


def keep_sensitive(
    model: onnx.ModelProto,
    ranges: Mapping[str, Range],
    rounding: Rounding,
    judge: Judge,
    *,
    costs: Mapping[str, int] | None = None,
    allowed: float,
    told: Told,
) -> tuple[list[str], float]:
    """The layers to keep exact so that the error is within what is allowed.

    The layers are rounded alone, in groups and the worst groups one by one; then the worst are kept, twice as many
    each time, until the whole is good enough or half of all layers are kept. Where costs are known, the worst are those
    that do most harm for what they cost, and of these each is rounded after all that can be, the least worth first.

    Args:
        model: The exact model, with its weights.
        ranges: Of the values that layers read.
        rounding: How they are rounded.
        judge: Measures the error.
        costs: What each layer costs in a frame where it is exact, by its name, in any unit; None if that is not known.
        allowed: The largest error.
        told: Told what is being done.

    Returns:
        Names of the layers to keep, and the error that is left.
    """
    names = [layer.name for layer in find_layers(model.graph)]

    def error_of(rounded: Collection[str]) -> float:
        trial = onnx.ModelProto()
        trial.CopyFrom(model)
        quantise(trial, [layer for layer in find_layers(trial.graph) if layer.name in rounded], ranges, rounding)
        return judge.error(trial)

    kept: list[str] = []
    error = error_of(names)
    if error <= allowed:
        return kept, error
    ranked = _ranking(names, error_of, costs or {}, told)
    count = 1
    while error > allowed and 2 * len(kept) < len(names):
        kept = ranked[: min(count, (len(names) + 1) // 2)]
        told(f"keeping {len(kept)} of {len(names)} layers exact (error {error:.3f})")
        error = error_of(set(names) - set(kept))
        count *= 2
    for name in reversed(kept) if costs and error <= allowed else ():
        told(f"keeping {len(kept)} of {len(names)} layers exact: fewer?")
        fewer = [each for each in kept if each != name]
        if (left := error_of(set(names) - set(fewer))) <= allowed:
            kept, error = fewer, left
    return kept, error


def _ranking(
    names: Sequence[str], error_of: Callable[[Collection[str]], float], costs: Mapping[str, int], told: Told
) -> list[str]:
    """All layers, those first whose rounding alone does most harm, for what it spares where that is known.

    Errors of roundings add up as variances do, by their squares.
    """
    edges = np.linspace(0, len(names), min(_GROUPS, len(names)) + 1).astype(int)
    groups = [list(names[start:end]) for start, end in itertools.pairwise(edges)]
    harm: dict[str, float] = {}
    errors = []
    for place, group in enumerate(groups):
        told(f"how sensitive is each layer: group {place + 1} of {len(groups)}")
        errors.append(error_of(group))
        # A layer's share, until it is looked at alone.
        harm.update(dict.fromkeys(group, errors[-1] ** 2 / len(group)))
    for place in np.argsort(errors)[::-1][:_GROUPS_TAKEN_APART]:
        if len(groups[place]) > 1:
            for name in groups[place]:
                told(f"how sensitive is each layer: {name}")
                harm[name] = error_of([name]) ** 2
    return sorted(names, key=lambda name: -harm[name] / max(costs.get(name, 0), 1))
