"""Which engine fits a GPU, and what its head tells before it is loaded."""

from __future__ import annotations

import pytest

from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_runtime.backends.cuda_plan import can_load, fitting, parse_version, version_of

# The first bytes of an engine that TensorRT-RTX 1.7.1.116 built for compute capability 8.6.
HEAD = bytes.fromhex("76747274 00000000 02000000 00000000 3cf89f00 00000000 01070174 76747274 04000000")


def records(*capabilities: str, precision: str = "fp32") -> list[EngineRecord]:
    return [
        EngineRecord(
            target=Target.TENSORRT_RTX,
            file=f"engines/{capability}.engine",
            state=EngineState.BUILT_NOT_RUN,
            compute_capability=capability,
            precision=precision,
        )
        for capability in capabilities
    ]


def test_a_head_tells_the_version_that_wrote_it() -> None:
    assert version_of(HEAD) == (1, 7, 1, 116)


@pytest.mark.parametrize("head", [b"", HEAD[:27], b"\x08\x09" + HEAD[2:]], ids=["empty", "cut short", "other content"])
def test_a_head_of_another_form_tells_nothing(head: bytes) -> None:
    assert version_of(head) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("10.3.0", (10, 3, 0)), ("1.7.1.116", (1, 7, 1, 116)), ("10.3.0.post1", (10, 3, 0)), ("x", ())],
)
def test_a_package_tells_its_version_in_words(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_version(text) == numbers


def test_only_a_version_compatible_engine_goes_on_with_a_later_version() -> None:
    assert not can_load((10, 3, 0, 0), (10, 4, 0, 0), version_compatible=False)
    assert can_load((10, 3, 0, 0), (11, 0, 0, 0), version_compatible=True)
    assert not can_load((11, 0, 0, 0), (10, 3, 0, 0), version_compatible=True)


def test_the_engine_built_for_the_fewest_gpus_is_taken() -> None:
    built = records("7.5+", "8.0+", "8.6,8.9", "8.6", "12.0")
    order = ["8.6", "8.6,8.9", "8.0+", "7.5+"]
    for expected in order:
        found = fitting(built, "8.6", "fp32")
        assert found is not None
        assert found.compute_capability == expected
        built.remove(found)
    assert fitting(built, "8.6", "fp32") is None
    assert fitting(records("8.6", precision="fp16"), "8.6", "fp32") is None
