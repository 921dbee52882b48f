"""The text encoder: from a sentence to a normality, without torch, on the device's processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.clip_tokens import ClipTokenizer
from nand_edge.errors import NandEdgeError
from nand_edge.from_words import normality_from_words
from nand_edge.manifest import TextEncoderRecord
from nand_edge.normality import Normality
from nand_edge_runtime.backends.onnx_session import open_session
from nand_edge_runtime.backends.protocol import BackendOptions

_BATCH = 32


class TextEncoder:
    """The text tower of a bundle's CLIP. It holds no memory but while it reads a sentence.

    Args:
        bundle: A bundle with a text encoder.
        record: Its entry in the manifest.
        threads: How many threads it may take, one by default, which leaves the cores to the inspection; None for all.
    """

    def __init__(self, bundle: Bundle, record: TextEncoderRecord, *, threads: int | None = 1) -> None:
        self._bundle, self._record, self._threads = bundle, record, threads

    @classmethod
    def open(cls, bundle: Bundle, *, threads: int | None = 1) -> TextEncoder | None:
        """The bundle's text encoder, or None when it has none."""
        record = bundle.manifest.text_encoder
        return None if record is None else cls(bundle, record, threads=threads)

    def normality_of(
        self,
        text: str,
        *,
        name: str,
        object_name: str,
        phrases: Sequence[str] | None = None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> Normality:
        """Make a normality of a sentence, as `nand-edge normality` does on the workstation.

        Args:
            text: What is to count as normal, in words.
            name: The normality's short name.
            object_name: What is inspected.
            phrases: State-level phrases; None derives them from the words by rule.
            on_progress: Told how many prompts are embedded.

        Raises:
            NandEdgeError: The words cannot be used, the package `inflect` is missing, or the text encoder is damaged.
        """
        reading = _Reading(self._bundle, self._record, self._threads, on_progress)
        clip = self._bundle.manifest.clip
        return normality_from_words(
            reading.text_features,
            text,
            object_name,
            name=name,
            clip_sha256=clip.sha256,
            clip_model=clip.model,
            phrases=phrases,
        )


class _Reading:
    """Tokenizer and graph, loaded with the first prompts: words that cannot be used cost nothing."""

    def __init__(
        self, bundle: Bundle, record: TextEncoderRecord, threads: int | None, on_progress: Callable[[int], None]
    ) -> None:
        self._bundle, self._record, self._threads, self._on_progress = bundle, record, threads, on_progress
        self._loaded: tuple[ClipTokenizer, Any] | None = None
        self._done = 0

    def text_features(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Mean of the prompts' unit text features, again of length 1: float32 [D]."""
        tokenizer, session = self._load()
        total = np.zeros(self._bundle.manifest.clip.width, np.float64)
        for start in range(0, len(prompts), _BATCH):
            batch = list(prompts[start : start + _BATCH])
            total += self._run(session, tokenizer(batch)).sum(axis=0, dtype=np.float64)
            self._done += len(batch)
            self._on_progress(self._done)
        length = float(np.linalg.norm(total))
        if not np.isfinite(length) or length == 0.0:
            raise self._damaged("text features that are no finite numbers")
        return np.asarray(total / length, np.float32)

    def _run(self, session: Any, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        try:
            features = np.asarray(session.run(None, {session.get_inputs()[0].name: tokens})[0], np.float32)
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            raise self._damaged(f"a graph that does not run ({str(error).splitlines()[0][:160]})") from error
        width = self._bundle.manifest.clip.width
        if features.shape != (len(tokens), width):
            raise self._damaged(f"text features {list(features.shape)}, not {[len(tokens), width]}")
        return features

    def _load(self) -> tuple[ClipTokenizer, Any]:
        if self._loaded is None:
            tokenizer = ClipTokenizer.read(self._bundle.path(self._record.tokenizer))
            if tokenizer.context_length != self._record.context_length:
                raise self._damaged(f"a tokenizer for {tokenizer.context_length} tokens")
            options = BackendOptions(threads=self._threads, spinning=False)
            self._loaded = tokenizer, open_session(self._bundle, self._record.graph, options)
        return self._loaded

    def _damaged(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"text encoder of bundle {self._bundle.name!r}",
            found=found,
            needed="the text encoder as it was exported",
            do="export the bundle again with --text-encoder",
        )
