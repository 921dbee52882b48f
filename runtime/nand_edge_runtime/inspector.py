"""The inspector: one frame in, one inspection out."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.images import as_frame
from nand_edge.inspection import Inspection, decide
from nand_edge.manifest import Target
from nand_edge.region import Region
from nand_edge.samples import GATE_OPEN
from nand_edge.signature import BASE_SCORE, CLIP_RAN, FRAMES, MAPS, REGION, SCORE, TAPS_RUN, THRESHOLD
from nand_edge_runtime.backends import BackendOptions, Inputs, Outputs
from nand_edge_runtime.choosing import Automatic, Choice, ChosenEngine, open_engine
from nand_edge_runtime.normalities import ActiveNormalities, NormalityChoice, activate

if TYPE_CHECKING:
    from typing_extensions import Self

_NO_MAP: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class _InForce:
    """What a frame is judged by; replaced as a whole, so that no frame sees half of a change."""

    normalities: ActiveNormalities
    threshold: float
    region: Region
    complete: bool = False

    def inputs(self) -> Inputs:
        """The graph's inputs besides the frames; the gate's threshold is infinite while no normality is active."""
        threshold = GATE_OPEN if self.complete else self.threshold
        gate = np.array(threshold if self.normalities.names else np.inf, dtype=np.float32)
        return {THRESHOLD: gate, **self.normalities.tensors.inputs(), REGION: self.region.map}


class Inspector:
    """Judges frames with a bundle's engine.

    Safe to use from several threads: frames wait for each other, and a change of normalities or threshold
    holds from the next frame on.

    Example:
        >>> with Inspector("solar-cell.nand") as inspector:
        ...     print(inspector.inspect(cv2.imread("cell.png")).verdict)

    Args:
        bundle: The folder `NAME.nand`, or an opened bundle.
        target: The engine to use, never exchanged for another. `auto` (or an `Automatic`, with its settings) measures
            the bundle's engines here, takes the fastest and remembers it. None takes the bundle's engine for this
            machine's GPU, else ONNX Runtime.
        provider: ONNX Runtime's provider, `cpu`, `cuda` or `tensorrt`.
        normalities: Names in the bundle, paths to .normality files or normalities; `[]` is none, None the bundle's own.
        threshold: What scores are compared with; None takes the bundle's.
        region: Where frames are inspected; None takes the bundle's.
        threads: CPU threads for one frame; None lets the engine choose.
        precision: `fp32`, or one that the bundle has an engine in; see `BackendOptions`.
        spinning: Whether ONNX Runtime's idle threads wait in a busy loop; see `BackendOptions`.
        cuda_graphs: Whether runs on a GPU are recorded and played again; see `BackendOptions`.

    Raises:
        NandEdgeError: The bundle is damaged, no engine of it can run here, or a normality does not fit.
    """

    def __init__(
        self,
        bundle: Bundle | Path | str,
        *,
        target: Target | str | Automatic | None = None,
        provider: str = "cpu",
        normalities: Sequence[NormalityChoice] | None = None,
        threshold: float | None = None,
        region: Region | None = None,
        threads: int | None = None,
        precision: str = "fp32",
        spinning: bool = True,
        cuda_graphs: bool = False,
    ) -> None:
        self._bundle = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
        self._in_force = _InForce(
            normalities=activate(self._bundle, normalities),
            threshold=_finite(self._bundle.manifest.threshold.value if threshold is None else threshold),
            region=region or self._bundle.region(),
        )
        self._engine_lock = threading.Lock()
        self._change_lock = threading.Lock()
        self._closed = False
        self._next_index = 0
        self._identity = self._bundle.sha256
        options = BackendOptions(
            provider=provider, threads=threads, precision=precision, spinning=spinning, cuda_graphs=cuda_graphs
        )
        self._backend = open_engine(self._bundle, target, options)

    @property
    def bundle(self) -> Bundle:
        """The opened bundle."""
        return self._bundle

    @property
    def target(self) -> Target:
        """The target that is really used."""
        return self._backend.target

    @property
    def choice(self) -> Choice | None:
        """How the engine was chosen; None unless the target was `auto`."""
        return self._backend.choice if isinstance(self._backend, ChosenEngine) else None

    @property
    def device(self) -> str:
        """What the engine runs on, in words."""
        return self._backend.device

    @property
    def normalities(self) -> tuple[str, ...]:
        """Names of the active normalities."""
        return self._in_force.normalities.names

    def set_normalities(self, normalities: Sequence[NormalityChoice] | None) -> None:
        """Change the active normalities from the next frame on; the engine stays as it is.

        Args:
            normalities: Names in the bundle, paths to .normality files or normalities; `[]` is none, None the bundle's.

        Raises:
            NandEdgeError: One is unknown, damaged or made for another CLIP; then nothing changes.
        """
        active = activate(self._bundle, normalities)
        with self._change_lock:
            self._in_force = replace(self._in_force, normalities=active)

    @property
    def threshold(self) -> float:
        """What scores are compared with; setting it holds from the next frame on."""
        return self._in_force.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        value = _finite(value)
        with self._change_lock:
            self._in_force = replace(self._in_force, threshold=value)

    @property
    def region(self) -> Region:
        """Where frames are inspected; setting it holds from the next frame on."""
        return self._in_force.region

    @region.setter
    def region(self, value: Region) -> None:
        with self._change_lock:
            self._in_force = replace(self._in_force, region=value)

    @property
    def complete(self) -> bool:
        """Whether every frame goes through the whole CLIP branch, though its verdict is certain without; usually False.

        For those who want to see what the words do to frames that pass anyway, and every map to its last tap.
        """
        return self._in_force.complete

    @complete.setter
    def complete(self, value: bool) -> None:
        with self._change_lock:
            self._in_force = replace(self._in_force, complete=value)

    def inspect(
        self,
        frame: NDArray[Any],
        *,
        name: str | None = None,
        index: int | None = None,
        timestamp: float | None = None,
    ) -> Inspection:
        """Judge one frame.

        Args:
            frame: uint8 [H, W, 3] BGR, as OpenCV gives it, is not copied; grey, BGRA and 16-bit ones are converted.
            name: The frame's name; "frame INDEX" if not given.
            index: Its place in the source; counted on from the last frame if not given.
            timestamp: Seconds since 1970; now if not given.

        Raises:
            NandEdgeError: The frame is empty or of a kind that cannot be converted, has not the proportions that the
                region was drawn for, or the engine refuses it.
        """
        started = time.perf_counter()
        frames = as_frame(frame)[None]
        index = self._next_index if index is None else index
        (inspection,) = self._inspect(frames, started, [name or f"frame {index}"], index, timestamp)
        return inspection

    def inspect_batch(self, frames: Sequence[NDArray[Any]]) -> list[Inspection]:
        """Judge frames of one size in a single run of the engine.

        Each inspection's latency is that of the whole batch: it is what every one of its frames waited.

        Raises:
            NandEdgeError: There is no frame, sizes differ, or `inspect` would refuse one.
        """
        started = time.perf_counter()
        converted = [as_frame(frame) for frame in frames]
        sizes = sorted({f"{frame.shape[1]}x{frame.shape[0]}" for frame in converted})
        if len(sizes) != 1:
            raise NandEdgeError(
                f"batch of {len(converted)} frames",
                found=f"sizes {', '.join(sizes)}" if sizes else "no frame",
                needed="at least one frame, all of one size",
                do="inspect frames of different sizes one by one",
            )
        index = self._next_index
        names = [f"frame {index + place}" for place in range(len(converted))]
        return self._inspect(np.stack(converted), started, names, index, None)

    def close(self) -> None:
        """Free the engine; calling it again does nothing."""
        with self._engine_lock:
            self._closed = True
            self._backend.close()

    def __enter__(self) -> Self:
        """Give the inspector itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _inspect(
        self, frames: NDArray[np.uint8], started: float, names: list[str], index: int, timestamp: float | None
    ) -> list[Inspection]:
        timestamp = time.time() if timestamp is None else timestamp
        prepared = time.perf_counter()
        with self._engine_lock:
            self._require_open()
            in_force = self._in_force
            in_force.region.require_aspect(frames.shape[2], frames.shape[1])
            entered = time.perf_counter()
            outputs = self._backend.run({FRAMES: frames, **in_force.inputs()})
            left = time.perf_counter()
            self._next_index = index + len(frames)
        verdicts = [decide(float(score), in_force.threshold) for score in outputs[SCORE]]
        decided = time.perf_counter()
        latency = {
            "prepare": (prepared - started) * 1e3,
            "engine": (left - entered) * 1e3,
            "verdict": (decided - left) * 1e3,
            "total": (decided - started) * 1e3,
        }
        return [
            Inspection(
                frame=names[place],
                index=index + place,
                timestamp=timestamp,
                threshold=in_force.threshold,
                verdict=verdict,
                normalities=in_force.normalities.names,
                latency_ms=latency,
                bundle=self._identity,
                region=in_force.region.map,
                **_of_frame(outputs, place),
                score_is_bound=0 < int(outputs[TAPS_RUN][place]) < len(self._bundle.manifest.clip.taps),
            )
            for place, verdict in enumerate(verdicts)
        ]

    def _require_open(self) -> None:
        if self._closed:
            raise NandEdgeError(
                f"inspector of bundle {self._bundle.name!r}",
                found="a frame after close()",
                needed="an open inspector",
                do="make a new Inspector",
            )


def _of_frame(outputs: Outputs, place: int) -> dict[str, Any]:
    return {
        "score": float(outputs[SCORE][place]),
        "base_score": float(outputs[BASE_SCORE][place]),
        "clip_ran": bool(outputs[CLIP_RAN][place]),
        "taps_run": int(outputs[TAPS_RUN][place]),
        **{name: outputs[name][place] if name in outputs else _NO_MAP for name in MAPS},
    }


def _finite(threshold: float) -> float:
    if not math.isfinite(threshold):
        raise NandEdgeError(
            "threshold",
            found=str(threshold),
            needed="a finite number",
            do="give the threshold as a number, or leave it out to use the bundle's",
        )
    return float(threshold)
