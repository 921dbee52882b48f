"""The tokenizer of CLIP: texts to token numbers, by byte pairs merged in the order in which they were learnt."""

from __future__ import annotations

import html
import json
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file

FORMAT = "nand-edge clip tokens 1"
_END_OF_WORD = "</w>"
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_MAX_CHARACTERS = 4000
"""Of one text: over ten times what any context holds."""

_PLAIN = str.maketrans({
    **dict.fromkeys("\u02bc\u2018\u2019\u201a\u201b", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    **{letter: unicodedata.normalize("NFKC", letter) for letter in map(chr, (*range(0xFB00, 0xFB07), 0x3000))},
    **{letter: unicodedata.normalize("NFKC", letter) for letter in map(chr, range(0xFF01, 0xFFF0))},
})  # fmt: skip
"""Curly quotes, ligatures, and letters of full and half width, as CLIP's training replaced them."""


class ClipTokenizer:
    """Texts to token numbers.

    Args:
        merges: Pairs of pieces in the order in which they are merged; a piece's bytes are written as letters.
        context_length: Token numbers of a text, with those of start and end.
    """

    def __init__(self, merges: Sequence[tuple[str, str]], context_length: int) -> None:
        letters = list(_letters().values())
        pieces = [
            *letters,
            *(letter + _END_OF_WORD for letter in letters),
            *(first + second for first, second in merges),
        ]
        self.merges = tuple(merges)
        self.context_length = context_length
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.start, self.end = len(pieces), len(pieces) + 1
        self._word = lru_cache(maxsize=4096)(self._merged)

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Token numbers int64 [N, context_length], padded with 0; what is too long is cut before the end's number."""
        tokens = np.zeros((len(texts), self.context_length), np.int64)
        for row, text in zip(tokens, texts, strict=True):
            numbers = [self.start, *self.encode(text)][: self.context_length - 1]
            row[: len(numbers) + 1] = [*numbers, self.end]
        return tokens

    def encode(self, text: str) -> list[int]:
        """The token numbers of a text, without start and end."""
        return [number for word in _words(_clean(text)) for number in self._word(word)]

    def write(self, path: Path) -> None:
        """Write it as JSON; whole or not at all."""
        document = {
            "format": FORMAT,
            "context_length": self.context_length,
            "merges": [f"{first} {second}" for first, second in self.merges],
        }
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(document, ensure_ascii=False, indent=0), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> ClipTokenizer:
        """Read what `write` wrote.

        Raises:
            NandEdgeError: The file is damaged.
        """
        try:
            document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            merges = [(first, second) for first, second in (merge.split(" ") for merge in document["merges"])]
            if document["format"] == FORMAT:
                return cls(merges, int(document["context_length"]))
            found = "another format"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            found = f"a file that cannot be read ({type(error).__name__})"
        raise NandEdgeError(
            f"tokenizer {str(path)!r}",
            found=found,
            needed=f"a file of the format {FORMAT!r}",
            do="copy the bundle again from where it was exported",
        )

    def _merged(self, word: str) -> tuple[int, ...]:
        letters = _letters()
        pieces = [letters[byte] for byte in word.encode("utf-8", "replace")]
        pieces[-1] += _END_OF_WORD
        while len(pieces) > 1:
            first, second = min(pairwise(pieces), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if (first, second) not in self._ranks:
                break
            pieces = _joined(pieces, first, second)
        return tuple(self._numbers[piece] for piece in pieces)


def _joined(pieces: list[str], first: str, second: str) -> list[str]:
    """The pieces with each `first, second` as one, from the left."""
    joined: list[str] = []
    place = 0
    while place < len(pieces):
        if pieces[place] == first and pieces[place + 1 : place + 2] == [second]:
            joined.append(first + second)
            place += 2
        else:
            joined.append(pieces[place])
            place += 1
    return joined


def _clean(text: str) -> str:
    """In lower case, with single spaces, without what differs only in how it is written."""
    text = html.unescape(html.unescape(text[:_MAX_CHARACTERS])).translate(_PLAIN)
    return " ".join(unicodedata.normalize("NFC", text).split()).lower()


def _words(text: str) -> list[str]:
    """Letters together, each digit alone, contractions, and what is neither together."""
    words: list[str] = []
    place = 0
    while place < len(text):
        contraction = next((each for each in _CONTRACTIONS if text.startswith(each, place)), "")
        kind = _kind(text[place])
        end = place + (len(contraction) or 1)
        if not contraction and kind in "L*":
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != " ":
            words.append(text[place:end])
        place = end
    return words


def _kind(letter: str) -> str:
    """`L` for a letter, `N` for a digit or number, a space, or `*`."""
    if letter.isspace():
        return " "
    category = unicodedata.category(letter)[0]
    return category if category in "LN" else "*"


@lru_cache(maxsize=1)
def _letters() -> dict[int, str]:
    """A printable letter for each byte: its own where it has one, else one from 256 on."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in own]
    return {**{byte: chr(byte) for byte in own}, **{byte: chr(256 + place) for place, byte in enumerate(others)}}
