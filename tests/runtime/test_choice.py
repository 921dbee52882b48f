from __future__ import annotations

import importlib.util
import json
import logging
import os
from pathlib import Path
from typing import Any

import cv2
import onnx
import pytest
from broken_packages import DIES, break_package
from toy_bundle import Spot, toy_graph

from nand_edge.bundle import CHOICE, Bundle, add_engine, open_bundle, set_threshold, write_manifest
from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import AccuracyRecord, EngineRecord, EngineState, Target
from nand_edge_runtime import Inspector
from nand_edge_runtime.backends import BackendOptions, TargetUnavailableError
from nand_edge_runtime.choosing import Automatic, Candidate, Choice, Measurement, Trial
from nand_edge_runtime.choosing.candidates import permitted_candidates
from nand_edge_runtime.choosing.remembering import recall, remember

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
ONNX, OPENVINO = Candidate("onnx"), Candidate("openvino")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    return tmp_path / "cache/nand-edge/choices"


def choose(bundle: Path | Bundle, **settings: Any) -> tuple[Choice, list[str]]:
    """The choice of an inspector, and the names of the candidates that it measured."""
    measured: list[str] = []
    wish = Automatic(on_trial=lambda candidate, *_: measured.append(candidate.name), seconds=0.05, **settings)
    with Inspector(bundle, target=wish, threads=1) as inspector:
        assert inspector.choice is not None
        assert inspector.target.value == inspector.choice.ranked[0].candidate.target
        return inspector.choice, measured


def reasons(choice: Choice) -> dict[str, str]:
    return {trial.candidate.name: trial.reason for trial in choice.passed_over}


def replace_graph(folder: Path, content: bytes | onnx.ModelProto) -> None:
    """Put another graph into a bundle, whole by its manifest."""
    manifest = open_bundle(folder).manifest
    (folder / "graph.onnx").write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    write_manifest(folder, manifest)


def put_times(folder: Path, times: dict[str, tuple[float, float]]) -> None:
    """Write into `choice.json` that engines took so many milliseconds with the gate shut and open."""
    path = folder / CHOICE
    document = json.loads(path.read_text())
    for trial in document["entries"][-1]["trials"]:
        trial["measured"]["shut_ms"], trial["measured"]["open_ms"] = times[trial["target"]]
    path.write_text(json.dumps(document))


def test_the_choice_is_measured_once_and_is_no_part_of_the_bundle(own_bundle: Path) -> None:
    before = open_bundle(own_bundle)
    first, measured = choose(own_bundle)
    assert "onnx fp32" in measured
    fastest = first.ranked[0].measured
    assert fastest is not None
    assert 0 < fastest.shut_ms <= fastest.open_ms * 1.5
    assert fastest.compared == 2
    assert (own_bundle / CHOICE).is_file()
    assert open_bundle(own_bundle).sha256 == before.sha256
    second, measured = choose(own_bundle)
    assert measured == []
    assert second.ranked == first.ranked
    assert second.origin == f"remembered in {own_bundle / CHOICE}"
    assert "onnx fp32" in choose(own_bundle, again=True)[1]
    assert len(json.loads((own_bundle / CHOICE).read_text())["entries"]) == 1
    assert CHOICE not in write_manifest(own_bundle, before.manifest).files


@needs_openvino
def test_the_reject_rate_weighs_what_was_measured(own_bundle: Path) -> None:
    choose(own_bundle)
    put_times(own_bundle, {"onnx": (1.0, 9.0), "openvino": (2.0, 3.0)})
    for rate, fastest in ((0.0, ONNX), (0.05, ONNX), (0.5, OPENVINO), (1.0, OPENVINO)):
        choice, measured = choose(own_bundle, reject_rate=rate)
        assert choice.ranked[0].candidate == fastest
        assert measured == []
    assert Measurement(1.0, 9.0, 0, None, "CPU", 0).cost_ms(0.25) == 3.0


def test_a_changed_bundle_is_measured_again(own_bundle: Path) -> None:
    choose(own_bundle)
    bundle = open_bundle(own_bundle)
    bundle = set_threshold(bundle, bundle.manifest.threshold.model_copy(update={"value": 0.4}))
    choice, measured = choose(bundle)
    assert "onnx fp32" in measured
    assert choice.origin.startswith(f"measured anew, {own_bundle / CHOICE} differs in bundle; remembered in ")
    assert len(json.loads((own_bundle / CHOICE).read_text())["entries"]) == 1, "the old one makes room"


def test_measurements_for_other_uses_stay_and_older_versions_make_room(own_bundle: Path) -> None:
    bundle = open_bundle(own_bundle)
    setting = {"bundle": "a", "candidates": ["onnx fp32"], "option threads": 1, "version of onnxruntime": "1.30"}
    int8 = Candidate("onnx", "int8")
    uses = [(setting, ONNX), ({**setting, "option threads": 2}, ONNX), ({**setting, "candidates": [int8.name]}, int8)]
    for use, candidate in uses:
        remember(bundle, use, (Trial(candidate, Measurement(1, 2, 3, None, "CPU", 0)),))
    assert all(recall(bundle, use).trials for use, _ in uses)
    newer = {**setting, "version of onnxruntime": "1.31"}
    remember(bundle, newer, (Trial(ONNX, Measurement(1, 2, 3, None, "CPU", 0)),))
    assert [bool(recall(bundle, use).trials) for use in (newer, *(use for use, _ in uses))] == [
        True,
        False,
        True,
        False,
    ]
    assert recall(bundle, setting).why == f"measured anew, {own_bundle / CHOICE} differs in version of onnxruntime"


def test_another_version_of_a_package_is_measured_again_and_another_device_keeps_its_own(own_bundle: Path) -> None:
    choose(own_bundle)
    document = json.loads((own_bundle / CHOICE).read_text())
    setting = document["entries"][0]["setting"]
    name = next(name for name in setting if name.startswith("version of onnxruntime"))
    older = {**document["entries"][0], "setting": {**setting, name: "1.0"}}
    elsewhere = {**document["entries"][0], "setting": {**setting, "processor": "another"}}
    (own_bundle / CHOICE).write_text(json.dumps({**document, "entries": [older, elsewhere]}))
    choice, measured = choose(own_bundle)
    assert measured
    assert f"differs in {name}" in choice.origin or "differs in processor" in choice.origin
    entries = json.loads((own_bundle / CHOICE).read_text())["entries"]
    assert [entry["setting"]["processor"] for entry in entries] == ["another", setting["processor"]]
    assert entries[1]["setting"][name] == setting[name]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '{"version": 1, "entries": 3}',
        '{"version": 1, "entries": [{"setting": {}}]}',
        '{"version": 1, "entries": [{"setting": {"candidates": ["onnx fp32"]}, "trials": []}]}',
        "x" * (5 << 20),
    ],
)
def test_a_damaged_file_is_as_good_as_none(own_bundle: Path, content: str) -> None:
    (own_bundle / CHOICE).write_text(content)
    remembered = recall(open_bundle(own_bundle), {"candidates": ["onnx fp32"]})
    assert remembered.trials is None
    assert remembered.why.startswith(f"measured anew: {own_bundle / CHOICE} cannot be read (")


def test_a_damaged_file_is_written_anew(own_bundle: Path) -> None:
    (own_bundle / CHOICE).write_text("half a fi")
    choice, measured = choose(own_bundle)
    assert measured
    assert choice.origin.startswith(
        f"measured anew: {own_bundle / CHOICE} cannot be read (JSONDecodeError); remembered"
    )
    assert choose(own_bundle)[1] == []


def test_where_the_folder_cannot_be_written_the_cache_remembers(own_bundle: Path, cache: Path) -> None:
    (own_bundle / CHOICE).mkdir()  # for root, too, nothing can be written there
    choice, measured = choose(own_bundle)
    assert measured
    place = cache / f"{open_bundle(own_bundle).sha256}.json"
    assert choice.origin.endswith(f"remembered in {place}")
    assert choose(own_bundle)[1] == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not hold for root")
def test_a_read_only_folder_is_no_fault(own_bundle: Path, cache: Path) -> None:
    own_bundle.chmod(0o555)
    try:
        assert str(cache) in choose(own_bundle)[0].origin
    finally:
        own_bundle.chmod(0o755)


def test_where_nothing_can_be_written_the_choice_holds_for_this_run(own_bundle: Path, cache: Path) -> None:
    (own_bundle / CHOICE).mkdir()
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder should be")
    choice, _ = choose(own_bundle)
    assert choice.ranked
    assert choice.origin.endswith("not remembered: neither the bundle's folder nor the user's cache can be written")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_an_engine_that_kills_its_process_is_passed_over(
    own_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.syspath_prepend(break_package(tmp_path / "packages", "openvino", DIES))
    with caplog.at_level(logging.INFO):
        choice, _ = choose(own_bundle)
    assert [trial.candidate for trial in choice.ranked] == [ONNX]
    assert reasons(choice)["openvino fp32"].startswith("its process was ended by SIGSEGV")
    assert "target auto passes over openvino fp32: its process was ended by SIGSEGV" in caplog.text
    assert reasons(choose(own_bundle)[0]) == reasons(choice), "remembered, too"


def test_a_package_that_is_broken_is_passed_over(
    own_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(break_package(tmp_path / "packages", "openvino"))
    choice, _ = choose(own_bundle)
    assert "no OpenVINO that can be imported (its core is gone)" in reasons(choice)["openvino fp32"]


@needs_openvino
def test_an_engine_file_that_is_none_is_passed_over(own_bundle: Path) -> None:
    replace_graph(own_bundle, b"not a graph")
    choice, _ = choose(own_bundle)
    assert [trial.candidate for trial in choice.ranked] == [OPENVINO]
    assert "found a graph that ONNX Runtime" in reasons(choice)["onnx fp32"]


@needs_openvino
def test_an_engine_that_computes_something_else_is_passed_over(own_bundle: Path) -> None:
    replace_graph(own_bundle, toy_graph(1 / 200))
    choice, _ = choose(own_bundle)
    assert [trial.candidate for trial in choice.ranked] == [OPENVINO]
    assert "maps are off by" in reasons(choice)["onnx fp32"]


def test_when_none_is_left_one_sentence_has_all_reasons(
    own_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(break_package(tmp_path / "packages", "openvino"))
    replace_graph(own_bundle, b"not a graph")
    with pytest.raises(TargetUnavailableError) as caught:
        choose(own_bundle)
    told = str(caught.value)
    assert told.startswith(
        "target 'auto' of bundle 'own': found no engine that runs here (onnx fp32: engine 'graph.onnx'"
    )
    assert "; openvino fp32: target 'openvino': found no OpenVINO" in told
    assert "\n" not in told
    assert not (own_bundle / CHOICE).exists(), "it is looked at anew, once it is mended"
    assert main(["bench", str(own_bundle), "--target", "auto", "--frames", "1"]) == 1
    assert "see what `nand-edge doctor` says of this machine.\n" in capsys.readouterr().err


def test_an_engine_for_another_gpu_is_passed_over(own_bundle: Path) -> None:
    for target in (Target.TENSORRT, Target.TENSORRT_RTX):
        engine = EngineRecord(
            target=target, file="graph.onnx", state=EngineState.BUILT_NOT_RUN, compute_capability="1.0"
        )
        add_engine(open_bundle(own_bundle), engine)
    manifest = open_bundle(own_bundle).manifest
    assert {engine.target for engine in manifest.engines} >= {Target.TENSORRT_RTX}
    choice, _ = choose(own_bundle)
    assert reasons(choice)["tensorrt-rtx fp32"].startswith("target 'tensorrt-rtx'")


@needs_openvino
def test_frames_that_an_engine_refuses_go_to_the_next_one(
    own_bundle: Path, spot: Spot, caplog: pytest.LogCaptureFixture
) -> None:
    """A graph for frames of 256 x 256 only, the size of the samples; the other engine takes any."""
    graph = toy_graph(1 / 255)
    for dimension, size in zip(graph.graph.input[0].type.tensor_type.shape.dim, (1, 256, 256, 3), strict=True):
        dimension.dim_value = size
    replace_graph(own_bundle, graph)
    choose(own_bundle)
    put_times(own_bundle, {"onnx": (1.0, 1.0), "openvino": (2.0, 2.0)})
    with Inspector(own_bundle, target="auto", threads=1) as inspector:
        assert inspector.target is Target.ONNX
        assert inspector.inspect(spot(size=(256, 256))).verdict.value == "pass"
        with caplog.at_level(logging.WARNING):
            assert inspector.inspect(spot(inside=230)).verdict.value == "pass"
        assert inspector.target is Target.OPENVINO
        assert inspector.choice is not None
        assert reasons(inspector.choice)["onnx fp32"].startswith("engine 'graph.onnx' in ONNX Runtime: found an error")
    assert "target auto goes on with openvino fp32, for onnx fp32: engine 'graph.onnx'" in caplog.text
    refused = choose(own_bundle, frame_size=(48, 64))[0]
    assert [trial.candidate for trial in refused.ranked] == [OPENVINO], "known before, where the size is told"


def accuracy(**fields: Any) -> AccuracyRecord:
    return AccuracyRecord(
        **{
            "frames": 100,
            "compared_with": "onnx fp32",
            "max_map_error": 0.1,
            "p99_map_error": 0.01,
            "max_score_error": 0.1,
            "verdicts_changed": 0,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"state": EngineState.BUILT_NOT_RUN}, "nobody measured what it loses"),
        ({"state": EngineState.PARITY_CHECKED}, ""),
        ({"accuracy": accuracy(verdicts_changed=0)}, ""),
        ({"accuracy": accuracy(verdicts_changed=2)}, "it loses 0.02, 0.005 is allowed"),
        ({"accuracy": accuracy(auroc=0.949, auroc_of_compared=0.953)}, ""),
        ({"accuracy": accuracy(auroc=0.940, auroc_of_compared=0.953)}, "it loses 0.013, 0.005 is allowed"),
        ({"accuracy": accuracy(auroc=0.960, auroc_of_compared=0.953)}, ""),
    ],
)
def test_a_lower_precision_needs_a_record_of_what_it_loses(
    own_bundle: Path, record: dict[str, Any], reason: str
) -> None:
    fields = {"target": Target.ONNX, "file": "int8.onnx", "state": EngineState.BUILT_NOT_RUN, "precision": "int8"}
    bundle = add_engine(open_bundle(own_bundle), EngineRecord(**{**fields, **record}))
    allowed, refused = permitted_candidates(bundle, BackendOptions(), precision=None, max_loss=0.005, has_gpu=False)
    int8 = Candidate("onnx", "int8")
    assert (int8 in allowed) == (not reason)
    assert refused.get(int8, "").startswith(reason)
    assert {ONNX, OPENVINO} <= set(allowed), "fp32 needs none"


def test_a_named_precision_is_the_users_own_decision(own_bundle: Path) -> None:
    engine = EngineRecord(target=Target.OPENVINO, file="graph.onnx", state=EngineState.BUILT_NOT_RUN, precision="bf16")
    bundle = add_engine(open_bundle(own_bundle), engine)
    allowed, _ = permitted_candidates(bundle, BackendOptions(), precision="bf16", max_loss=0, has_gpu=False)
    assert allowed == [Candidate("openvino", "bf16")]


def test_a_named_precision_that_the_bundle_does_not_have(own_bundle: Path) -> None:
    with pytest.raises(TargetUnavailableError, match=r"in int8: found no engine, .* --target TARGET --precision int8"):
        Inspector(own_bundle, target="auto", precision="int8")


def test_a_provider_leaves_onnx_runtime_alone(own_bundle: Path) -> None:
    bundle = open_bundle(own_bundle)
    allowed, _ = permitted_candidates(
        bundle, BackendOptions(provider="cuda"), precision=None, max_loss=0, has_gpu=False
    )
    assert allowed == [Candidate("onnx", "fp32", "cuda")]
    with_gpu, _ = permitted_candidates(bundle, BackendOptions(), precision=None, max_loss=0, has_gpu=True)
    assert Candidate("onnx", "fp32", "cuda") in with_gpu


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(NandEdgeError, match="reject_rate of the choice: found 2, needed 0 to 1"):
        Automatic(reject_rate=2)


def test_a_trial_survives_being_written() -> None:
    for trial in (
        Trial(Candidate("openvino", "bf16"), Measurement(1.5, 2.5, 0.1, None, "CPU, bf16", 4)),
        Trial(Candidate("onnx", "fp32", "cuda"), reason="no GPU"),
    ):
        assert Trial.from_json(json.loads(json.dumps(trial.to_json()))) == trial


def test_commands_tell_the_choice(
    own_bundle: Path, tmp_path: Path, spot: Spot, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "part.png"
    cv2.imwrite(str(picture), spot())
    bundle = str(own_bundle)
    assert main(["inspect", bundle, str(picture), "--target", "auto", "--json"]) == 0
    shown = capsys.readouterr()
    assert "target auto takes " in shown.err
    assert "with 5% of the frames in the CLIP branch" in shown.err
    assert json.loads(shown.out)["choice"]["ranked"][0]["cost_ms"] > 0
    arguments = ["bench", bundle, "--target", "auto", "--frames", "2", "--size", "64x48", "--reject-rate", "0.5"]
    assert main([*arguments, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["choice"]["reject_rate"] == 0.5
    assert document["choice"]["ranked"][0]["target"] == document["target"]
    assert main(["verify", bundle, "--target", "auto", "--json"]) == 0
    (engine,) = json.loads(capsys.readouterr().out)["engines"]
    assert engine["outcome"] == "agrees"
