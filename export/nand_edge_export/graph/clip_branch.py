"""The CLIP branch: suppression and maximum for suspicious frames, with an exact early exit where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from onnx import TensorProto, helper

from nand_edge import signature
from nand_edge_export.graph.builder import Builder
from nand_edge_export.graph.maps import SUSPICIOUS_OUTPUTS, body, maximum
from nand_edge_export.graph.suppression import Suppression

_MARGIN = 2.0**-16
"""How far a bound must be on its side of the threshold, as a share of the score. The bounds hold exactly within one
graph; engines may fuse a graph with an early exit otherwise than one without, which moves scores by less than this."""


@dataclass(frozen=True)
class ClipBranch:
    """The CLIP branch of one graph; its nodes go into the body that is open when `outputs` is called.

    With the early exit, after m of L taps each suppression map is known to lie between `S_m / L` and
    `(S_m + L - m) / L`, where `S_m` sums the taps so far. So are the final map and its maximum; as soon as that tells
    the verdict of every frame, the other taps are left out (the bounds are the method's, the verdict is the full
    graph's).

    Attributes:
        suppression: The suppression of the graph.
        tokens: Gives a tap's unit tokens [n, P, D] of the suspicious frames, counted from 0.
        names: The graph's outputs, by the signature's names.
        broken: bool [], whether the normalities hold a number that is not finite.
        early_exit: Whether taps are left out where the verdict is certain without them.
    """

    suppression: Suppression
    tokens: Callable[[int], str]
    names: Sequence[str]
    broken: str
    early_exit: bool

    @property
    def _builder(self) -> Builder:
        return self.suppression.builder

    def outputs(self, base_map: str) -> Mapping[str, str]:
        """The branch's outputs by the signature's names, for the base maps [n, M, M] of the suspicious frames."""
        names = [name for name in SUSPICIOUS_OUTPUTS if name in self.names]
        if self.early_exit:
            return dict(zip(names, self._from_tap(0, base_map, None, names), strict=True))
        total = self._sum(0, None)
        for place in range(1, self.suppression.taps):
            total = self._sum(place, total)
        return dict(zip(names, self._results(base_map, self.suppression.kept_share(total), names), strict=True))

    def _sum(self, place: int, total: str | None) -> str:
        tap_map = self.suppression.tap_map(place, self.tokens(place))
        return tap_map if total is None else self._builder.op("Add", total, tap_map)

    def _results(self, base_map: str, kept: str, names: Sequence[str], taps: int | None = None) -> list[str]:
        op, constant = self._builder.op, self._builder.constant
        final = op("Mul", base_map, kept)
        values = {signature.ANOMALY_MAP: final, signature.SCORE: maximum(self._builder, final)}
        if signature.SUPPRESSION_MAP in names:
            values[signature.SUPPRESSION_MAP] = op("Sub", constant(1.0), kept)
        count = constant(float(taps or self.suppression.taps))
        values[signature.TAPS_RUN] = op("Expand", count, op("Shape", values[signature.SCORE]))
        return [values[name] for name in names]

    def _from_tap(self, place: int, base_map: str, total: str | None, names: Sequence[str]) -> list[str]:
        """Run one more tap, and those after it only while the verdict of some frame is open."""
        builder, done, taps = self._builder, place + 1, self.suppression.taps
        total = self._sum(place, total)
        if done == taps:
            return self._results(base_map, self.suppression.kept_share(total), names)
        most_kept, least_kept = self._bounds(total, taps - done)
        upper, lower = (maximum(builder, builder.op("Mul", base_map, kept)) for kept in (most_kept, least_kept))
        passes, is_certain = self._verdicts(upper, lower)
        with builder.branch() as leaving:
            across = builder.op("Reshape", passes, builder.constant([-1, 1, 1]))
            kept = builder.op("Where", across, most_kept, least_kept)
            bounds = self._results(base_map, kept, names, done)
        with builder.branch() as staying:
            values = self._from_tap(done, base_map, total, names)
        size = self.suppression.map_size
        outputs = [builder.name(f"{name}_after_{done}") for name in names]
        builder.nodes.append(
            helper.make_node(
                "If",
                [is_certain],
                outputs,
                name=f"early_exit_{done}",
                then_branch=body(f"exit_after_{done}", leaving, bounds, names, size),
                else_branch=body(f"stay_after_{done}", staying, values, names, size),
            )
        )
        return outputs

    def _bounds(self, total: str, left: int) -> tuple[str, str]:
        """Most and least that can be kept, float32 [n, M, M] each, while `left` taps are still out.

        One is added tap by tap: so no rounding makes the sum of all taps higher than this bound.
        """
        highest = total
        for _ in range(left):
            highest = self._builder.op("Add", highest, self._builder.constant(1.0))
        return self.suppression.kept_share(total), self.suppression.kept_share(highest)

    def _verdicts(self, upper: str, lower: str) -> tuple[str, str]:
        """Which frames certainly pass, bool [n], and whether all verdicts are certain, bool [].

        A NaN in the scores or the threshold makes nothing certain, nor do normalities with a number that is not finite,
        since they may break a tap that is still out.
        """
        op, constant = self._builder.op, self._builder.constant
        passes = op("Less", op("Mul", upper, constant(1.0 + _MARGIN)), signature.THRESHOLD)
        rejects = op("GreaterOrEqual", op("Mul", lower, constant(1.0 - _MARGIN)), signature.THRESHOLD)
        certain = op("Cast", op("Or", passes, rejects), to=TensorProto.FLOAT)
        all_certain = op("Greater", op("ReduceMin", certain, keepdims=0), constant(0.5))
        return passes, op("And", all_certain, op("Not", self.broken))
