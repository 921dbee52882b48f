"""The text encoder that an export writes reads sentences as the workstation does, without torch."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import ftfy
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.clip_tokens import ClipTokenizer
from nand_edge.errors import NandEdgeError
from nand_edge.normality import read_normality
from nand_edge_export.clip import Clip, load_clip
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.normality import make_normality
from nand_edge_export.text_encoder import write_text_encoder
from nand_edge_export.text_encoder.tokens import portable_tokenizer
from nand_edge_runtime.text_encoder import TextEncoder

SENTENCES = (
    ("dark stain", "solar cell"),
    ("scratches on the head are fine from Monday", "metal nut"),
    ("torn", "carpet"),
    ("crack and dent", "hazelnut"),
    ("Verfärbung", "Käse"),
)


@pytest.fixture(scope="module")
def reading_bundle(export: Export, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with a text encoder; not to be changed."""
    folder = tmp_path_factory.mktemp("text") / "fabric.nand"
    return export_bundle(dataclasses.replace(export, text_encoder=True), folder)


@pytest.mark.parametrize(("text", "object_name"), SENTENCES)
def test_a_sentence_gives_the_workstations_normality(
    reading_bundle: Bundle, clip: Clip, text: str, object_name: str
) -> None:
    encoder = TextEncoder.open(reading_bundle)
    assert encoder is not None
    here = encoder.normality_of(text, name="words", object_name=object_name)
    there = make_normality(clip, text, object_name, name="words")
    np.testing.assert_allclose(here.features, there.features, rtol=0, atol=1e-4)
    without_vectors = [dataclasses.replace(made, features=there.features, bias=there.bias) for made in (here, there)]
    assert dataclasses.astuple(without_vectors[0])[:7] == dataclasses.astuple(without_vectors[1])[:7]
    here.require_encoder(reading_bundle.manifest.clip)


def test_typed_phrases_are_taken_as_they_are(reading_bundle: Bundle, clip: Clip) -> None:
    encoder = TextEncoder.open(reading_bundle)
    assert encoder is not None
    phrases = ("cell with a shadow", "shadow on a cell")
    here = encoder.normality_of("shadow", name="shadow", object_name="cell", phrases=phrases)
    there = make_normality(clip, "shadow", "cell", name="shadow", phrases=phrases)
    assert (here.phrases, here.phrases_from) == (phrases, "typed")
    np.testing.assert_allclose(here.features, there.features, rtol=0, atol=1e-4)


def test_its_files_are_in_the_manifest_with_their_hashes(reading_bundle: Bundle) -> None:
    record = reading_bundle.manifest.text_encoder
    assert record is not None
    assert {record.graph, record.tokenizer} <= set(reading_bundle.manifest.files)
    assert record.max_feature_error < 2e-5
    assert record.context_length == 32


def test_an_altered_text_encoder_is_refused(reading_bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "copy.nand"
    shutil.copytree(reading_bundle.folder, copy)
    record = reading_bundle.manifest.text_encoder
    assert record is not None
    path = copy / record.tokenizer
    path.write_bytes(path.read_bytes().replace(b"i n", b"n i", 1))
    with pytest.raises(NandEdgeError, match=r"tokenizer\.json"):
        open_bundle(copy)


def test_a_bundle_has_none_unless_it_is_asked_for(bundle: Bundle) -> None:
    assert bundle.manifest.text_encoder is None
    assert TextEncoder.open(bundle) is None
    assert "text_encoder" not in json.loads((bundle.folder / "manifest.json").read_text())


def test_the_device_makes_a_normality_where_torch_cannot_be_imported(reading_bundle: Bundle, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'open_clip', 'ftfy', 'regex', 'onnx', 'nand_edge_export'): sys.modules[name] = None\n"
        "import typer\n"
        "from nand_edge_runtime.commands.add_normality import add_normality\n"
        "typer.run(add_normality)\n"
    )
    output = tmp_path / "stain.normality"
    arguments = [str(reading_bundle.folder), "dark stain", "--object", "fabric", "-o", str(output), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["phrases_from"] == "rules"
    made = read_normality(output)
    np.testing.assert_allclose(made.features, reading_bundle.normality("stain").features, rtol=0, atol=1e-4)


def test_a_transformer_clip_of_the_usual_context_is_written_too(small_vit: str, tmp_path: Path) -> None:
    record = write_text_encoder(load_clip(small_vit), tmp_path)
    assert record.context_length == 77
    assert sorted(path.name for path in (tmp_path / "text_encoder").iterdir()) == ["model.onnx", "tokenizer.json"]


def test_a_clip_with_another_tokenizer_is_refused(clip: Clip, tmp_path: Path) -> None:
    class SentencePiece:
        context_length = 64

    with pytest.raises(NandEdgeError, match="the tokenizer SentencePiece"):
        write_text_encoder(dataclasses.replace(clip, tokenizer=SentencePiece()), tmp_path)


@cache
def tokenizers() -> tuple[Any, ClipTokenizer]:
    """The original and ours."""
    clip = load_clip("nand-tiny")
    return clip.tokenizer, portable_tokenizer(clip)


LETTERS = (
    "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 '-,.;:!?()/&%#"
    "\u00e4\u00f6\u00fc\u00df\u00e9\u00e8\u00f1\u00e7\u00e5\u00f8\u0153\u00e6\u2019\u201c\u201d\u00b0\u00b5\u00d7\u00bd\u00b2"
    "\u6c5a\u308c\u90e8\u54c1\u044f\u0432\uff21\ufb01"
)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=LETTERS, max_size=60))
def test_the_tokenizer_gives_the_originals_numbers(text: str) -> None:
    original, ours = tokenizers()
    # What looks like text that was decoded wrongly, open_clip's ftfy guesses right; we leave it alone.
    assume(ftfy.fix_encoding(text) == text)
    np.testing.assert_array_equal(ours([text]), original([text]).numpy())
