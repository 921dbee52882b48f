"""Bundles: opened only when whole, unaltered and made for this schema."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from toy_bundle import toy_manifest, toy_normality, write_toy_bundle

from nand_edge.bundle import MANIFEST, Bundle, add_engine, open_bundle, write_manifest
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, EngineState, FileRecord, Target
from nand_edge.normality import write_normality


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_toy_bundle(tmp_path / "line.nand")


def rewrite(folder: Path, **changes: object) -> None:
    """Change fields of the manifest as somebody with an editor would: without its hash."""
    document = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**document, **changes}))


def test_a_whole_bundle_opens(folder: Path) -> None:
    bundle = open_bundle(folder)

    assert bundle.name == "line"
    assert bundle.normality("bright").text == "bright region"
    assert bundle.path("graph.onnx").is_file()
    assert set(bundle.manifest.files) >= {"graph.onnx", "normalities/bright.normality", "samples/reference.safetensors"}


def test_a_copy_is_the_same_bundle_and_another_content_is_another(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy.nand"))
    assert open_bundle(copy).sha256 == open_bundle(folder).sha256

    write_normality(toy_normality("bright", [0, 1], clip_model="other"), copy / "normalities/bright.normality")
    write_manifest(copy, open_bundle(folder).manifest)
    assert open_bundle(copy).sha256 != open_bundle(folder).sha256


def test_a_file_that_was_cut_short_is_refused(folder: Path) -> None:
    graph = folder / "graph.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])

    with pytest.raises(NandEdgeError, match=r"graph\.onnx with \d+ bytes, needed \d+ bytes; copy the bundle again"):
        open_bundle(folder)


def test_a_file_whose_bytes_changed_is_refused_unless_hashes_are_not_asked_for(folder: Path) -> None:
    graph = folder / "graph.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)

    with pytest.raises(NandEdgeError, match=r"graph\.onnx with sha256"):
        open_bundle(folder)
    assert open_bundle(folder, check_files=False).name == "line"


def test_a_missing_file_is_refused_by_its_name(folder: Path) -> None:
    (folder / "normalities/dark.normality").unlink()

    with pytest.raises(NandEdgeError, match=r"no normalities/dark\.normality"):
        open_bundle(folder, check_files=False)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "no JSON"),
        ('{"schema_version": 2', "no JSON"),
        ("[1, 2]", "no object"),
        ("\xff\xfe", "no JSON"),
        ('{"schema_version": 3}', "Field required"),
        ('{"schema_version": 2}', "schema version 2, needed schema version 3; export it again"),
        ("{}", "schema version None"),
    ],
)
def test_a_manifest_that_is_none_is_refused(folder: Path, content: str, found: str) -> None:
    (folder / MANIFEST).write_bytes(content.encode("latin-1"))

    with pytest.raises(NandEdgeError, match=found):
        open_bundle(folder)


def test_a_manifest_that_was_edited_is_refused(folder: Path) -> None:
    manifest = open_bundle(folder).manifest
    rewrite(folder, threshold={**manifest.threshold.model_dump(), "value": 99.0})

    with pytest.raises(NandEdgeError, match="changed after the export"):
        open_bundle(folder)


def test_a_manifest_with_an_unknown_field_is_refused_by_the_fields_name(folder: Path) -> None:
    rewrite(folder, colour="blue")

    with pytest.raises(NandEdgeError, match="colour"):
        open_bundle(folder)


@pytest.mark.parametrize("relative", ["../secret.txt", "/etc/passwd", "normalities/../../secret.txt"])
def test_a_path_out_of_the_bundle_is_refused(folder: Path, relative: str) -> None:
    (folder.parent / "secret.txt").write_text("")
    manifest = toy_manifest("line").model_copy(update={"files": {relative: FileRecord(sha256="0" * 64, bytes=0)}})
    document = {"manifest_sha256": manifest.sha256(), **manifest.model_dump(mode="json")}
    (folder / MANIFEST).write_text(json.dumps(document))

    with pytest.raises(NandEdgeError, match="leaves the folder"):
        open_bundle(folder)


def test_a_link_out_of_the_bundle_is_refused(folder: Path) -> None:
    graph = folder / "graph.onnx"
    graph.rename(folder.parent / "graph.onnx")
    graph.symlink_to(folder.parent / "graph.onnx")

    with pytest.raises(NandEdgeError, match="leaves the folder"):
        open_bundle(folder)


@pytest.mark.parametrize(("path", "found"), [("missing.nand", "no folder"), (".", r"no manifest\.json")])
def test_what_is_no_bundle_is_refused(tmp_path: Path, path: str, found: str) -> None:
    with pytest.raises(NandEdgeError, match=found):
        open_bundle(tmp_path / path)


def test_an_unknown_normality_is_refused_with_the_names_there_are(folder: Path) -> None:
    with pytest.raises(NandEdgeError, match="bright, dark"):
        open_bundle(folder).normality("striped")


def test_an_engine_takes_the_place_of_one_for_the_same_device(folder: Path) -> None:
    def engine(capability: str, version: str) -> EngineRecord:
        return EngineRecord(
            target=Target.TENSORRT_RTX,
            file=f"engines/{capability}.engine",
            state=EngineState.BUILT_NOT_RUN,
            compute_capability=capability,
            built_with=version,
        )

    bundle: Bundle = open_bundle(folder)
    for capability, version in (("8.6", "1"), ("8.9", "1"), ("8.6", "2")):
        bundle = add_engine(bundle, engine(capability, version))

    built = [(each.compute_capability, each.built_with) for each in open_bundle(folder).manifest.engines[1:]]
    assert built == [("8.9", "1"), ("8.6", "2")]


def test_half_written_files_are_never_listed(folder: Path) -> None:
    (folder / ".graph.onnx.1.part").write_text("half")

    assert not any("part" in name for name in write_manifest(folder, toy_manifest("line")).files)


def test_a_bundle_cannot_be_changed_in_memory(folder: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        open_bundle(folder).folder = Path()  # type: ignore[misc]
