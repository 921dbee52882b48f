"""The tokenizer of CLIP without torch: pieces, numbers, and the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from nand_edge.clip_tokens import ClipTokenizer
from nand_edge.errors import NandEdgeError

MERGES = (("a", "b"), ("ab", "c</w>"), ("b", "c</w>"))


@pytest.fixture
def tokenizer() -> ClipTokenizer:
    return ClipTokenizer(MERGES, 8)


def test_pieces_are_merged_in_the_order_in_which_they_were_learnt(tokenizer: ClipTokenizer) -> None:
    assert tokenizer.encode("abc") == [513]
    assert len(tokenizer.encode("bcab")) == 4  # `b c` and `a b` were learnt at other places of a word
    assert tokenizer.encode("xbc")[-1] == 514


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("ABC", "abc"),
        ("  abc \n abc", "abc abc"),
        ("abc&amp;", "abc&"),
        ("\u201cabc\u201d", '"abc"'),
        ("\uff41\uff42\uff43", "abc"),
    ],
)
def test_what_only_looks_different_has_the_same_numbers(tokenizer: ClipTokenizer, text: str, same_as: str) -> None:
    assert tokenizer.encode(text) == tokenizer.encode(same_as)


def test_texts_are_padded_and_what_is_too_long_keeps_its_end(tokenizer: ClipTokenizer) -> None:
    tokens = tokenizer(["abc", "a " * 50, ""])
    assert tokens.shape == (3, 8)
    assert tokens[0].tolist() == [tokenizer.start, 513, tokenizer.end, 0, 0, 0, 0, 0]
    assert tokens[1, 0] == tokenizer.start
    assert tokens[1, -1] == tokenizer.end
    assert tokens[2].tolist() == [tokenizer.start, tokenizer.end, 0, 0, 0, 0, 0, 0]


def test_digits_stand_alone_and_contractions_together(tokenizer: ClipTokenizer) -> None:
    assert tokenizer.encode("12") == [*tokenizer.encode("1"), *tokenizer.encode("2")]
    assert tokenizer.encode("it's") == [*tokenizer.encode("it"), *tokenizer.encode("'s")]


def test_text_cannot_smuggle_in_the_numbers_of_start_and_end(tokenizer: ClipTokenizer) -> None:
    assert not {tokenizer.start, tokenizer.end} & set(tokenizer.encode("<start_of_text> abc <end_of_text>"))


@pytest.mark.parametrize("text", ["\ud800", "\x00\x01", "e\u0301", "😀" * 9, "a" * 100_000])
def test_no_text_is_too_odd(tokenizer: ClipTokenizer, text: str) -> None:
    assert tokenizer([text]).shape == (1, 8)


def test_it_is_read_as_it_was_written(tokenizer: ClipTokenizer, tmp_path: Path) -> None:
    tokenizer.write(tmp_path / "tokenizer.json")
    again = ClipTokenizer.read(tmp_path / "tokenizer.json")
    assert again.merges == MERGES
    assert again.context_length == 8


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "other", "context_length": 8, "merges": []}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(NandEdgeError, match="tokenizer"):
        ClipTokenizer.read(path)
