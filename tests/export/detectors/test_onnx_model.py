"""Somebody's ONNX model as base detector: what is read of it, how it runs for any number of frames, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_models as hand_made
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.detectors.onnx_graph import BASE_MAP, IMAGE, MapRange, standalone
from nand_edge_export.detectors.onnx_interface import Choice, Wishes
from nand_edge_export.detectors.onnx_model import OnnxModel

Made = Callable[..., OnnxModel]
SIDE = hand_made.SIDE


@pytest.fixture
def made_of(tmp_path: Path) -> Made:
    """From a hand-made model to the detector that it becomes."""

    def make(model: onnx.ModelProto, *, map_range: MapRange | None = None, **wishes: object) -> OnnxModel:
        return OnnxModel.from_file(hand_made.save(model, tmp_path), Wishes(**wishes), map_range)  # type: ignore[arg-type]

    return make


def choices(model: onnx.ModelProto, folder: Path, **wishes: object) -> dict[str, Choice]:
    found: list[Choice] = []
    path = hand_made.save(model, folder)
    OnnxModel.from_file(path, Wishes(**wishes), on_choices=found.extend)  # type: ignore[arg-type]
    return {choice.option: choice for choice in found}


def frames(count: int, height: int = SIDE, width: int = SIDE) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def graph_maps(detector: OnnxModel, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the detector's part of the one graph gives for frames, all at once."""
    assert detector.preprocessing is not None
    graph = detector.graph()
    assert graph is not None
    session = onnxruntime.InferenceSession(standalone(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    (maps,) = session.run([BASE_MAP], {IMAGE: detector.preprocessing.prepare(pictures).numpy()})
    return np.asarray(maps)


def operators(detector: OnnxModel) -> list[str]:
    graph = detector.graph()
    assert graph is not None
    return [node.op_type for node in graph.node]


def enlarged(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps [N, height, width] on the grid of 256 x 256, bilinear."""
    planes = torch.nn.functional.interpolate(torch.from_numpy(maps)[:, None], (256, 256), mode="bilinear")
    return planes[:, 0].numpy()


def original_maps(model: onnx.ModelProto, values: NDArray[np.generic]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    maps = np.asarray(session.run(None, {"pixels": values})[0])
    return maps.reshape(len(maps), *(side for side in maps.shape[1:] if side != 1))


MEAN, STD = (np.array(v, np.float32).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def normalised(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Frames [N, H, W, 3] BGR as most networks want them, written down once more."""
    pixels = pictures[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    return np.asarray((pixels - MEAN) / STD, np.float32)


MODELS = {
    "dynamic batch": hand_made.edges(),
    "opset 9": hand_made.edges(opset=9),
    "opset 13": hand_made.edges(opset=13),
    "opset 21": hand_made.edges(opset=21),
    "If with bodies": hand_made.with_branch(),
    "function of its own": hand_made.with_function(),
    "batch of 1": hand_made.edges(batch=1),
    "batch of 2": hand_made.edges(batch=2),
    "patches of 2 frames in chunks": hand_made.patches(2),
    "patches of 1 frame in chunks": hand_made.patches(1),
    "fixed batch of 2 for good": hand_made.ranked(2),
    "fixed batch of 1 for good": hand_made.ranked(1),
}


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("name", MODELS)
def test_any_number_of_frames_gives_the_original_models_maps(made_of: Made, name: str, count: int) -> None:
    model, pictures = MODELS[name], frames(count)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 1
    expected = [original_maps(model, np.repeat(normalised(picture[None]), batch, axis=0))[:1] for picture in pictures]
    found = graph_maps(made_of(model), pictures)
    np.testing.assert_allclose(found, enlarged(np.concatenate(expected)), atol=1e-5)


@pytest.mark.parametrize(
    "name", ["batch of 1", "batch of 2", "patches of 2 frames in chunks", "patches of 1 frame in chunks"]
)
def test_a_fixed_batch_is_freed_where_frames_stay_apart(made_of: Made, name: str) -> None:
    assert "Loop" not in operators(made_of(MODELS[name]))


@pytest.mark.parametrize("batch", [1, 2])
def test_else_frames_run_in_chunks(made_of: Made, batch: int) -> None:
    assert operators(made_of(hand_made.ranked(batch))).count("Loop") == 1


def test_a_model_that_mixes_frames_gives_each_frame_the_map_that_it_has_alone(made_of: Made) -> None:
    """The map is divided by the largest number in the batch, so that frames would depend on each other."""
    mixed = hand_made.edges(
        extra=[
            helper.make_node("ReduceMax", ["heat"], ["highest"]),
            helper.make_node("Div", ["heat", "highest"], ["share"]),
        ],
        outputs={"share": ["N", 1, SIDE, SIDE]},
    )
    maps = graph_maps(made_of(mixed), frames(3))
    expected = [original_maps(mixed, normalised(picture[None])) for picture in frames(3)]
    np.testing.assert_allclose(maps, enlarged(np.concatenate(expected)), atol=1e-5)


def test_a_camera_model_gets_its_own_layout_colors_levels_and_size(made_of: Made) -> None:
    made = made_of(hand_made.camera(), color="BGR")
    pictures = frames(2, 24, 40)
    expected = (pictures * np.array([0.001, 0.002, 0.004])).sum(axis=3).astype(np.float32)
    np.testing.assert_allclose(graph_maps(made, pictures), enlarged(expected), atol=1e-5)
    assert made.preprocessing is not None
    assert made.preprocessing.sides == (24, 40)
    assert TensorProto.UINT8 not in [
        attribute.i
        for node in made.graph().node
        for attribute in node.attribute
        if attribute.name == "to"  # type: ignore[union-attr]
    ]


def test_a_gray_model_in_half_precision(made_of: Made) -> None:
    nodes = [
        helper.make_node("Mul", ["pixels", "two"], ["doubled"]),
        helper.make_node("Cast", ["doubled"], ["heat"], to=TensorProto.FLOAT),
    ]
    made = made_of(
        hand_made.model(
            nodes,
            {"heat": ["N", 1, SIDE, SIDE]},
            constants={"two": np.array(2, np.float16)},
            input_shape=["N", 1, SIDE, SIDE],
            dtype=TensorProto.FLOAT16,
        )
    )
    pictures = frames(1)
    gray = (pictures[..., ::-1] * np.array([0.299, 0.587, 0.114])).sum(axis=3).astype(np.float32) / 255
    np.testing.assert_allclose(graph_maps(made, pictures), enlarged(2 * gray), atol=2e-3)


def test_what_is_guessed_is_told_with_the_reason(tmp_path: Path) -> None:
    found = choices(hand_made.edges(), tmp_path)
    assert list(found) == ["--input", "--layout", "--color", "--range", "--mean", "--std", "--size", "--map-output"]
    assert (found["--layout"].value, found["--range"].value, found["--size"].value) == ("NCHW", "0..1", "32x32")
    assert found["--mean"] == Choice(
        "--mean", "0.485, 0.456, 0.406", "ImageNet's; the model does not normalise by itself"
    )
    levels = choices(hand_made.camera(), tmp_path)
    assert (levels["--layout"].value, levels["--range"].value, levels["--mean"].value) == ("NHWC", "0..255", "0")


@pytest.mark.parametrize(
    ("operator", "constant", "expected"),
    [
        ("Sub", 0.45, "0..1"),
        ("Sub", 114.0, "0..255"),
        ("Div", 255.0, "0..255"),
        ("Mul", 1 / 255, "0..255"),
        ("Mul", 2.0, "0..1"),
    ],
)
def test_a_model_that_normalises_by_itself_tells_its_range(
    tmp_path: Path, operator: str, constant: float, expected: str
) -> None:
    nodes = [
        helper.make_node(operator, ["pixels", "constant"], ["normal"]),
        helper.make_node("Conv", ["normal", "kernel"], ["edges"]),
        helper.make_node("Abs", ["edges"], ["heat"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "constant": np.array([constant], np.float32),
        "kernel": hand_made.weights((1, 3, 1, 1)),
    }
    found = choices(hand_made.model(nodes, {"heat": ["N", 1, SIDE, SIDE]}, constants=constants), tmp_path)
    assert (found["--range"].value, found["--mean"].value, found["--std"].value) == (expected, "0", "1")


def test_a_model_that_resizes_by_itself_gets_frames_of_that_size(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["pixels"], ["batch"], end=1),
        helper.make_node("Concat", ["batch", "rest"], ["sizes"], axis=0),
        helper.make_node("Resize", ["pixels", "", "", "sizes"], ["resized"], mode="linear"),
        helper.make_node("Conv", ["resized", "kernel"], ["heat"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {
        "rest": np.array([3, 48, 80]),
        "kernel": hand_made.weights((1, 3, 1, 1)),
    }
    free = hand_made.model(
        nodes, {"heat": ["N", 1, 48, 80]}, constants=constants, input_shape=["N", 3, "height", "width"]
    )
    found = choices(free, tmp_path, mean=(0.0,), std=(1.0,))
    assert (found["--size"].value, found["--size"].reason) == ("48x80", "the model itself resizes to it")
    assert choices(free, tmp_path, mean=(0.0,), size=(64, 32))["--size"] == Choice("--size", "64x32", "given")


def test_options_change_what_goes_into_the_model(made_of: Made) -> None:
    pictures = frames(1)
    made = made_of(hand_made.edges(), color="BGR", range="0..255", mean=(10.0, 20.0, 30.0), std=(2.0,))
    values = (pictures.transpose(0, 3, 1, 2) - np.array([10, 20, 30]).reshape(3, 1, 1)) / 2
    expected = original_maps(hand_made.edges(), values.astype(np.float32))
    np.testing.assert_allclose(graph_maps(made, pictures), enlarged(expected), rtol=1e-5, atol=1e-4)


def test_weights_in_a_file_beside_the_model_are_taken_in(tmp_path: Path) -> None:
    path = hand_made.save(hand_made.edges(), tmp_path, outside=True)
    write_detector(OnnxModel.from_file(path), tmp_path / "edges.detector")
    for file in (path, tmp_path / "model.weights"):
        file.unlink()
    again = read_detector(tmp_path / "edges.detector")
    assert isinstance(again, OnnxModel)
    expected = original_maps(hand_made.edges(), normalised(frames(2)))
    np.testing.assert_allclose(graph_maps(again, frames(2)), enlarged(expected), atol=1e-5)


def test_a_detector_file_cannot_make_other_files_be_read(tmp_path: Path) -> None:
    """Somebody puts the name of another file of this computer into the model inside a detector file."""
    made = OnnxModel.from_file(hand_made.save(hand_made.edges(), tmp_path))
    evil = onnx.ModelProto()
    evil.ParseFromString(made.tensors()["model"].numpy().tobytes())
    tensor = evil.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    made._content = evil.SerializeToString()
    write_detector(made, tmp_path / "evil.detector")
    with pytest.raises(NandEdgeError, match="lie in a file outside of it"):
        read_detector(tmp_path / "evil.detector").graph()


def test_a_detector_file_whose_settings_belong_to_another_model_is_refused(tmp_path: Path) -> None:
    made = OnnxModel.from_file(hand_made.save(hand_made.edges(), tmp_path))
    made.settings["map_output"] = "elsewhere"
    write_detector(made, tmp_path / "mixed.detector")
    with pytest.raises(NandEdgeError, match="no 'elsewhere' among its inputs and outputs"):
        read_detector(tmp_path / "mixed.detector").graph()


def test_weights_outside_the_models_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = hand_made.save(hand_made.edges(), tmp_path / "inner", outside=True)
    model = onnx.load_model(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../secret"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(NandEdgeError, match="leaves the folder"):
        OnnxModel.from_file(path)


def no_map() -> onnx.ModelProto:
    return hand_made.edges(
        extra=[helper.make_node("GlobalMaxPool", ["heat"], ["score"])], outputs={"score": ["N", 1, 1, 1]}
    )


def two_maps() -> onnx.ModelProto:
    return hand_made.edges(
        extra=[helper.make_node("Neg", ["heat"], ["other"])],
        outputs={"heat": ["N", 1, SIDE, SIDE], "other": ["N", 1, SIDE, SIDE]},
    )


def negative() -> onnx.ModelProto:
    return hand_made.edges(
        extra=[helper.make_node("Neg", ["heat"], ["coldness"])], outputs={"coldness": ["N", 1, SIDE, SIDE]}
    )


def broken() -> onnx.ModelProto:
    return hand_made.edges(
        extra=[helper.make_node("Log", ["edges"], ["logarithm"])], outputs={"logarithm": ["N", 1, SIDE, SIDE]}
    )


def custom() -> onnx.ModelProto:
    made = hand_made.edges(
        extra=[helper.make_node("Sharpen", ["heat"], ["sharp"], domain="com.somebody")],
        outputs={"sharp": ["N", 1, SIDE, SIDE]},
    )
    made.opset_import.append(helper.make_opsetid("com.somebody", 1))
    return made


def five_channels() -> onnx.ModelProto:
    return hand_made.model(
        [helper.make_node("Abs", ["pixels"], ["heat"])], {"heat": ["N", 5, 8, 9]}, input_shape=["N", 5, 8, 9]
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (no_map(), r"no output that can be an anomaly map \(it gives score float32 \[1, 1, 1, 1\]\)"),
        (two_maps(), "several outputs that can be an anomaly map: heat, other.*--map-output heat"),
        (negative(), "--map-offset .*--clamp-map"),
        (broken(), "NaN or infinity for pictures of noise"),
        (custom(), r"custom operators com\.somebody\.Sharpen"),
        (five_channels(), "5 channels as NCHW, 9 as NHWC"),
    ],
    ids=["no map", "two maps", "negative map", "NaN", "custom operators", "five channels"],
)
def test_a_model_that_cannot_be_a_detector_is_refused_with_the_reason(
    made_of: Made, model: onnx.ModelProto, reason: str
) -> None:
    with pytest.raises(NandEdgeError, match=reason):
        made_of(model)


def test_a_map_below_zero_is_lifted_or_clamped_when_that_is_asked_for(made_of: Made) -> None:
    expected = -enlarged(original_maps(hand_made.edges(), normalised(frames(1))))
    lifted = graph_maps(made_of(negative(), map_range=MapRange(offset=50.0)), frames(1))
    np.testing.assert_allclose(lifted, expected + 50, atol=1e-5)
    assert not graph_maps(made_of(negative(), map_range=MapRange(clamp=True)), frames(1)).any()


def test_one_of_several_maps_is_chosen_by_name(made_of: Made) -> None:
    made = made_of(two_maps(), map_output="heat")
    assert made.settings["map_output"] == "heat"
    with pytest.raises(NandEdgeError, match="name one of the model's outputs"):
        made_of(two_maps(), map_output="warmth")


def test_a_model_in_an_opset_that_cannot_be_converted_is_refused(made_of: Made) -> None:
    """`ImageDecoder` came with opset 20, and no function of older operators says what it does."""
    nodes = [
        helper.make_node("ImageDecoder", ["bytes"], ["decoded"]),
        helper.make_node("Cast", ["decoded"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["floats"], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["pixels", "brightest"], ["heat"]),
    ]
    constants: dict[str, NDArray[np.generic]] = {"bytes": np.zeros(16, np.uint8)}
    with pytest.raises(NandEdgeError, match="opset 20, which cannot be converted"):
        made_of(hand_made.model(nodes, {"heat": ["N", 3, SIDE, SIDE]}, constants=constants, opset=20))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no graph with outputs"),
        (b"\x08\x08\x3a\x04abc", "no whole ONNX model"),
        (b"PK\x03\x04", "no whole ONNX model"),
    ],
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(NandEdgeError, match=reason):
        OnnxModel.from_file(path)


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"layout": "CHW"}, "--layout: found 'CHW'"),
        ({"range": "0..2"}, "--range: found '0..2'"),
        ({"layout": "NHWC"}, "3 channels as NCHW, 32 as NHWC, needed 1 or 3 as NHWC"),
        ({"color": "gray"}, "an input of 3 channels"),
        ({"mean": (1.0, 2.0)}, "--mean: found 2 numbers"),
        ({"std": (0.0,)}, "--std"),
        ({"size": (64, 64)}, "--size 64x64.*a model for 32x32"),
        ({"input": "frames"}, r"inputs pixels \[N, 3, 32, 32\]"),
    ],
)
def test_an_option_that_does_not_fit_the_model_is_refused(
    made_of: Made, wishes: dict[str, object], reason: str
) -> None:
    with pytest.raises(NandEdgeError, match=reason):
        made_of(hand_made.edges(), **wishes)


def test_the_command_takes_a_model_shows_its_guesses_and_chooses_the_threshold(
    tmp_path: Path, good_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = hand_made.save(hand_made.edges(batch=2), tmp_path)
    output = tmp_path / "edges.detector"
    assert main(["fit", str(good_dir), "--onnx", str(model), "--range", "0..255", "-o", str(output), "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert (report["kind"], report["threshold_chosen_by"]) == ("onnx", "maximum of 12 good frames")
    assert "ImageNet's; the model does not normalise" in " ".join(captured.err.replace("│", " ").split())
    assert read_detector(output).threshold is not None


def test_export_takes_a_model_as_it_is_with_a_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = hand_made.save(hand_made.edges(), tmp_path)
    words = tmp_path / "stain.normality"
    assert main(["normality", "dark stain", "--object", "fabric", "-o", str(words)]) == 0
    arguments = ["export", "--detector", str(model), "--normality", str(words), "-o", str(tmp_path / "a.nand")]
    assert main(arguments) == 1
    assert "give --threshold" in " ".join(capsys.readouterr().err.split())
    assert main([*arguments, "--threshold", "1.5"]) == 0
    assert "--map-output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--method", "onnx"], "--onnx: found none"),
        (["--onnx", "nowhere.onnx"], "no such file"),
        (["--onnx", "nowhere.onnx", "--size", "256"], "--size: found '256'"),
        (["--onnx", "nowhere.onnx", "--mean", "a,b"], "--mean: found 'a,b'"),
        (["--onnx", "nowhere.onnx", "--backbone", "resnet18"], "--backbone: found it with --method onnx"),
        (["--method", "patchcore", "--onnx", "nowhere.onnx"], "--onnx: found it with --method patchcore"),
    ],
)
def test_the_command_refuses_options_that_make_no_sense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert main(["fit", "-o", str(tmp_path / "x.detector"), *arguments]) == 1
    error = capsys.readouterr().err
    assert reason in " ".join(error.split())
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_constants_of_all_bodies_are_found_outside_of_them(made_of: Made) -> None:
    graph = made_of(hand_made.with_branch()).graph()
    assert graph is not None
    (branch,) = (node for node in graph.node if node.op_type == "If")
    assert not [tensor for body in branch.attribute for tensor in body.g.initializer]
    assert {0.5} <= {
        float(numpy_helper.to_array(each)) for each in graph.initializer if not each.dims and each.data_type == 1
    }
