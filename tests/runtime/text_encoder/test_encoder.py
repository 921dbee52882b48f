"""A device reads a sentence with the bundle's text encoder: here a toy one, whose tower is a table of vectors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import typer
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from nand_edge.bundle import Bundle, open_bundle, write_manifest
from nand_edge.clip_tokens import ClipTokenizer
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import TextEncoderRecord
from nand_edge.normality import read_normality
from nand_edge.prompts import april_gan_normal
from nand_edge_runtime import Inspector
from nand_edge_runtime.commands.add_normality import add_normality
from nand_edge_runtime.text_encoder import TextEncoder

CONTEXT = 24
WIDTH = 4
MERGES = (("d", "a"), ("da", "r"), ("dar", "k</w>"))


def add_toy_text_encoder(folder: Path, table: np.ndarray | None = None) -> Bundle:
    """Give a bundle a text tower that sums a vector for each token and makes the sum a unit vector."""
    tokenizer = ClipTokenizer(MERGES, CONTEXT)
    if table is None:
        table = np.random.default_rng(0).normal(size=(tokenizer.end + 1, WIDTH)).astype(np.float32)
    (folder / "text_encoder").mkdir()
    tokenizer.write(folder / "text_encoder/tokenizer.json")
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "axes"], ["sums"], keepdims=0),
        helper.make_node("LpNormalization", ["sums"], ["features"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "toy text tower",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", CONTEXT])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", table.shape[1]])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "text_encoder/model.onnx")
    record = TextEncoderRecord(
        graph="text_encoder/model.onnx",
        tokenizer="text_encoder/tokenizer.json",
        context_length=CONTEXT,
        max_feature_error=0.0,
    )
    manifest = open_bundle(folder, check_files=False).manifest.model_copy(update={"text_encoder": record})
    write_manifest(folder, manifest)
    return open_bundle(folder)


@pytest.fixture
def reading_bundle(own_bundle: Path) -> Bundle:
    return add_toy_text_encoder(own_bundle)


def test_a_sentence_becomes_a_normality_that_the_bundle_takes(reading_bundle: Bundle) -> None:
    encoder = TextEncoder.open(reading_bundle)
    assert encoder is not None
    done: list[int] = []
    made = encoder.normality_of("dark stain", name="stain", object_name="cell", on_progress=done.append)
    assert made.features.shape == (1, 2, 1, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(made.features, axis=-1), 1.0, atol=1e-6)
    assert done[-1] == len(april_gan_normal("cell")) + len(made.prompts)
    assert made.phrases[0] == "cell with a dark stain"
    with Inspector(reading_bundle.folder, threads=1) as inspector:
        inspector.set_normalities([made])
        assert inspector.inspect(np.full((48, 64, 3), 230, np.uint8)).normalities == ("stain",)


def test_the_same_words_give_the_same_bits(reading_bundle: Bundle) -> None:
    encoder = TextEncoder.open(reading_bundle)
    assert encoder is not None
    first, second = (encoder.normality_of("crack", name="crack", object_name="cell") for _ in range(2))
    assert np.array_equal(first.features, second.features)


def test_a_bundle_without_one_gives_none(toy_bundle: Path) -> None:
    assert TextEncoder.open(open_bundle(toy_bundle)) is None


def test_words_that_cannot_be_used_are_refused_before_anything_is_loaded(reading_bundle: Bundle) -> None:
    (reading_bundle.folder / "text_encoder/model.onnx").unlink()
    encoder = TextEncoder.open(reading_bundle)
    assert encoder is not None
    with pytest.raises(NandEdgeError, match="not ok"):
        encoder.normality_of("cracks are not ok", name="crack", object_name="cell")


def test_a_tower_that_gives_no_finite_numbers_makes_no_normality(own_bundle: Path) -> None:
    table = np.full((ClipTokenizer(MERGES, CONTEXT).end + 1, WIDTH), np.nan, np.float32)
    encoder = TextEncoder.open(add_toy_text_encoder(own_bundle, table))
    assert encoder is not None
    with pytest.raises(NandEdgeError, match="no finite numbers"):
        encoder.normality_of("dark stain", name="stain", object_name="cell")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "tokenizer.json").write_text("[]"), "tokenizer"),
        (lambda folder: (folder / "tokenizer.json").write_bytes(b"\xff\xfe"), "cannot be read"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"no graph"), "cannot load"),
        (lambda folder: ClipTokenizer(MERGES, 16).write(folder / "tokenizer.json"), "tokenizer for 16 tokens"),
    ],
)
def test_damage_is_told_in_a_sentence(reading_bundle: Bundle, spoil, said: str) -> None:  # noqa: ANN001
    spoil(reading_bundle.folder / "text_encoder")
    encoder = TextEncoder.open(reading_bundle)
    assert encoder is not None
    with pytest.raises(NandEdgeError, match=said):
        encoder.normality_of("dark stain", name="stain", object_name="cell")


def test_features_of_another_width_are_refused(own_bundle: Path) -> None:
    table = np.ones((ClipTokenizer(MERGES, CONTEXT).end + 1, WIDTH + 1), np.float32)
    encoder = TextEncoder.open(add_toy_text_encoder(own_bundle, table))
    assert encoder is not None
    with pytest.raises(NandEdgeError, match=r"\[32, 5\], not \[32, 4\]"):
        encoder.normality_of("dark stain", name="stain", object_name="cell")


def test_a_record_that_leads_out_of_the_bundle_is_refused(reading_bundle: Bundle) -> None:
    record = reading_bundle.manifest.text_encoder
    assert record is not None
    outside = record.model_copy(update={"tokenizer": "../../elsewhere.json"})
    manifest = reading_bundle.manifest.model_copy(update={"text_encoder": outside})
    encoder = TextEncoder.open(dataclasses.replace(reading_bundle, manifest=manifest))
    assert encoder is not None
    with pytest.raises(NandEdgeError, match="elsewhere"):
        encoder.normality_of("dark stain", name="stain", object_name="cell")


def test_the_command_writes_the_file(reading_bundle: Bundle, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(add_normality)
    output = tmp_path / "stain.normality"
    arguments = [str(reading_bundle.folder), "dark stain", "--object", "cell", "-o", str(output)]
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert document["name"] == read_normality(output).name == "stain"
    assert CliRunner().invoke(app, arguments).stdout.startswith(f"{output}: 'dark stain' of a cell")


def test_the_command_says_what_a_bundle_without_a_text_encoder_lacks(toy_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="--text-encoder"):
        add_normality(toy_bundle, "dark stain", output=tmp_path / "stain.normality")


def test_a_bundle_without_a_text_encoder_keeps_its_hash(own_bundle: Path) -> None:
    before = open_bundle(own_bundle)
    assert "text_encoder" not in (own_bundle / "manifest.json").read_text()
    with_one = add_toy_text_encoder(own_bundle)
    assert with_one.sha256 != before.sha256
    without = with_one.manifest.model_copy(update={"text_encoder": None, "files": before.manifest.files})
    assert without.sha256() == before.sha256
