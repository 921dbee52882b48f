"""WinCLIP against a plain reading of the paper, in its file, and as what shares or brings its CLIP."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from nand_edge import signature
from nand_edge.bundle import GRAPH, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.detectors.fit_winclip import WinClipMethod
from nand_edge_export.detectors.shots import Shots
from nand_edge_export.detectors.winclip import WinClip, covering_shares
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.fit import Fit, fit
from nand_edge_export.normality import make_normality

SHOTS = (0, 1, 5)
ROWS = COLUMNS = 6


@pytest.fixture(scope="module")
def fits(small_vit: str, good_dir: Path) -> dict[int, Fit]:
    """WinCLIP with each number of shots on a small transformer of 6x6 patches."""
    return {shots: fit(WinClipMethod("fabric", Shots(shots), clip=small_vit), good_dir) for shots in SHOTS}


def detector_of(fits: dict[int, Fit], shots: int) -> WinClip:
    detector = fits[shots].detector
    assert isinstance(detector, WinClip)
    return detector


def window_embeddings(clip: Clip, image: torch.Tensor, side: int) -> dict[tuple[int, int], torch.Tensor]:
    """By the window's first row and column: all patches embedded, those inside the window encoded."""
    visual = clip.model.visual
    patches = visual.conv1(image[None])[0].flatten(1).T + visual.positional_embedding[1:]
    class_token = visual.class_embedding[None] + visual.positional_embedding[:1]
    found = {}
    for row in range(ROWS - side + 1):
        for column in range(COLUMNS - side + 1):
            inside = [(row + i) * COLUMNS + column + j for i in range(side) for j in range(side)]
            tokens = visual.ln_pre(torch.cat([class_token, patches[inside]])[None])
            embedding = visual.ln_post(visual.transformer(tokens))[0, 0] @ visual.proj
            found[row, column] = F.normalize(embedding, dim=0)
    return found


def harmonic_map(scores: dict[tuple[int, int], float], side: int) -> torch.Tensor:
    """For each patch, the harmonic mean of the scores of the windows that cover it."""
    coarse = torch.zeros(ROWS, COLUMNS)
    for row in range(ROWS):
        for column in range(COLUMNS):
            covering = [
                score
                for (top, left), score in scores.items()
                if top <= row < top + side and left <= column < left + side
            ]
            coarse[row, column] = len(covering) / sum(1 / score for score in covering)
    return coarse


def last_patches(clip: Clip, image: torch.Tensor) -> torch.Tensor:
    visual = clip.model.visual
    embedded = visual.conv1(image[None]).flatten(2).transpose(1, 2)
    embedded = torch.cat([visual.class_embedding[None, None], embedded], dim=1) + visual.positional_embedding
    tokens: torch.Tensor = visual.ln_post(visual.transformer(visual.ln_pre(embedded)))[0, 1:]
    return tokens


def plain_winclip(
    clip: Clip, image: torch.Tensor, text_features: torch.Tensor, references: list[torch.Tensor]
) -> torch.Tensor:
    """WinCLIP step by step, window by window, float32 [256, 256]."""

    def anomalous(embedding: torch.Tensor) -> float:
        return float((embedding @ text_features.T / 0.07).softmax(dim=0)[1])

    windows = {side: window_embeddings(clip, image, side) for side in (2, 3)}
    whole = clip.model.encode_image(image[None], normalize=True)[0]
    scales = [torch.full((ROWS, COLUMNS), anomalous(whole))]
    for side, embeddings in windows.items():
        scales.append(harmonic_map({place: anomalous(each) for place, each in embeddings.items()}, side))
    coarse = len(scales) / sum(1 / scale for scale in scales)
    if references:
        patches = torch.cat([last_patches(clip, reference) for reference in references])
        own = last_patches(clip, image)
        farness = (1 - F.cosine_similarity(own[:, None], patches[None], dim=2)).amin(dim=1) / 2
        scales = [farness.reshape(ROWS, COLUMNS)]
        for side, embeddings in windows.items():
            known = torch.stack([v for r in references for v in window_embeddings(clip, r, side).values()])
            scores = {place: float((1 - known @ each).min() / 2) for place, each in embeddings.items()}
            scales.append(harmonic_map(scores, side))
        coarse = (coarse + torch.stack(scales).mean(dim=0)) / 2
    return F.interpolate(coarse[None, None], size=256, mode="bilinear", align_corners=False)[0, 0]


@pytest.mark.parametrize("shots", SHOTS)
@torch.no_grad()
def test_the_map_is_the_papers(small_vit: str, good_dir: Path, unseen_frames: NDArray[np.uint8], shots: int) -> None:
    chosen, clip = list_images(good_dir)[:shots], load_clip(small_vit)
    detector = WinClipMethod("fabric", Shots(shots), clip=small_vit).fit(chosen).detector
    image, *references = (
        clip.preprocessing.prepare(frame[None])[0] for frame in (unseen_frames[2], *map(read_frame, chosen))
    )
    expected = plain_winclip(clip, image, detector.tensors()["text_features"], references)
    torch.testing.assert_close(detector(image[None])[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shots", SHOTS)
def test_the_threshold_comes_from_all_frames_that_are_no_reference(
    fits: dict[int, Fit], good_dir: Path, shots: int
) -> None:
    total = len(list_images(good_dir))
    assert fits[shots].frames == shots
    assert len(fits[shots].unseen_scores) == total - shots
    threshold = fits[shots].detector.threshold
    assert threshold is not None
    assert threshold.value == max(fits[shots].unseen_scores)


@pytest.mark.parametrize("shots", [0, 5])
def test_a_detector_file_gives_the_same_map(
    fits: dict[int, Fit], tmp_path: Path, unseen_frames: NDArray[np.uint8], shots: int
) -> None:
    detector = detector_of(fits, shots)
    write_detector(detector, tmp_path / "fabric.detector")
    again = read_detector(tmp_path / "fabric.detector")
    assert again.record() == detector.record()
    assert again.threshold == detector.threshold
    assert detector.preprocessing is not None
    image = detector.preprocessing.prepare(unseen_frames)
    torch.testing.assert_close(again(image), detector(image), rtol=0, atol=0)


@pytest.fixture(scope="module")
def shared(
    small_vit: str, fits: dict[int, Fit], export: Export, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Export, Bundle]:
    """Five-shot WinCLIP beside a normality detection on the same CLIP."""
    clip = load_clip(small_vit)
    made = dataclasses.replace(
        export,
        detector=fits[5].detector,
        clip=clip,
        encoder=ClipEncoder(clip, projection="random"),
        normalities=[make_normality(clip, "dark stain", "fabric", name="stain")],
    )
    return made, export_bundle(made, tmp_path_factory.mktemp("shared") / "shared.nand")


def test_with_the_normality_detections_clip_the_image_is_encoded_once(shared: tuple[Export, Bundle]) -> None:
    made, bundle = shared
    assert bundle.manifest.detector.shares_clip
    graph = onnx.load(bundle.folder / GRAPH, load_external_data=False).graph
    convolutions = [node.name for node in nodes_of(graph) if node.op_type == "Conv"]
    assert len(convolutions) == 1
    (gate,) = (node for node in graph.node if node.name == "gate")
    inside = [node.op_type for branch in gate.attribute for node in branch.g.node]
    assert "Softmax" not in inside, "no block of the transformer is left for the gate"
    assert made.detector.preprocessing is not None, "the detector that was given is not changed"


def test_with_another_clip_it_brings_its_own(
    fits: dict[int, Fit], export: Export, tmp_path: Path, unseen_frames: NDArray[np.uint8]
) -> None:
    """The embedded CLIP is the normality detection's; its stem stays inside the gate."""
    made = dataclasses.replace(export, detector=fits[1].detector)
    bundle = export_bundle(made, tmp_path / "own.nand", frames=list(unseen_frames))
    assert not bundle.manifest.detector.shares_clip
    graph = onnx.load(bundle.folder / GRAPH, load_external_data=False).graph
    outside = [node.name for node in graph.node if node.op_type == "Conv"]
    assert len(outside) == 1
    assert outside[0].startswith("detector/")


@pytest.mark.parametrize("batch", [1, 3])
def test_the_shared_graph_gives_the_map_of_the_detector_alone(
    shared: tuple[Export, Bundle], unseen_frames: NDArray[np.uint8], batch: int
) -> None:
    made, bundle = shared
    frames = unseen_frames[:batch]
    session = onnxruntime.InferenceSession(str(bundle.folder / GRAPH), providers=["CPUExecutionProvider"])
    for gate in (-np.inf, np.inf):
        inputs = {signature.FRAMES: frames, signature.THRESHOLD: np.array(gate, np.float32)}
        (base_map,) = session.run([signature.BASE_MAP], inputs)
        assert made.detector.preprocessing is not None
        with torch.no_grad():
            expected = made.detector(made.detector.preprocessing.prepare(frames)).numpy()
        # The graph's resize may miss Pillow's by a grey level; the export compares the arithmetic to 1e-4.
        np.testing.assert_allclose(base_map, expected, atol=2e-3)


def nodes_of(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    bodies = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [*graph.node, *(node for body in bodies for node in nodes_of(body))]


def test_each_patch_shares_equally_in_the_windows_that_cover_it() -> None:
    expected = [[1, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]]
    torch.testing.assert_close(covering_shares(4, 2), torch.tensor(expected))


def test_a_clip_without_patches_is_refused() -> None:
    with pytest.raises(NandEdgeError, match=r"no vision transformer of open_clip.*ViT-B-16-plus-240"):
        WinClipMethod("fabric", clip="nand-tiny").fit()


def test_a_grid_smaller_than_a_window_is_refused(small_vit: str) -> None:
    with pytest.raises(NandEdgeError, match="windows of 3x3 on a grid of 2 patches"):
        WinClipMethod("fabric", clip=small_vit, image_size=16).fit()


def test_more_references_than_good_frames_are_refused(small_vit: str, good_dir: Path) -> None:
    with pytest.raises(NandEdgeError, match="99 reference frames wanted of 11"):
        fit(WinClipMethod("fabric", Shots(99), clip=small_vit), good_dir)
