"""What TensorRT has and TensorRT-RTX has not; the calls run here through TensorRT-RTX, whose Python API they share."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nand_edge.errors import NandEdgeError
from nand_edge_export.engines.tensorrt import configure
from nand_edge_export.engines.tensorrt_options import HardwareCompatibility, Span, TensorRTOptions, parse_span
from nand_edge_export.engines.timing_cache import TimingCache

pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX:DeprecationWarning")


@pytest.fixture
def trt() -> Any:
    """A real module with TensorRT's API."""
    return pytest.importorskip("tensorrt_rtx_bindings", reason="the extra rtx is not installed")


@pytest.fixture
def config(trt: Any) -> Any:
    """A real builder configuration; its builder must live as long."""
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    configuration = builder.create_builder_config()
    return SimpleNamespace(real=configuration, builder=builder)


def test_compatibility_and_search_reach_the_builder(trt: Any, config: Any) -> None:
    configure(trt, config.real, TensorRTOptions(version_compatible=True, level=4))

    assert config.real.get_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    assert config.real.builder_optimization_level == 4


@pytest.mark.parametrize(
    ("asked", "level"),
    [(HardwareCompatibility.AMPERE, "AMPERE_PLUS"), (HardwareCompatibility.SAME, "SAME_COMPUTE_CAPABILITY")],
)
def test_hardware_compatibility_reaches_the_builder(trt: Any, asked: HardwareCompatibility, level: str) -> None:
    # TensorRT-RTX has the levels, but its configuration takes none.
    own = SimpleNamespace(hardware_compatibility_level=None)
    configure(trt, own, TensorRTOptions(hardware_compatible=asked))

    assert own.hardware_compatibility_level == getattr(trt.HardwareCompatibilityLevel, level)


def test_without_wishes_the_builder_keeps_its_own(trt: Any, config: Any) -> None:
    before = config.real.builder_optimization_level
    configure(trt, config.real, TensorRTOptions())

    assert not config.real.get_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    assert config.real.hardware_compatibility_level == trt.HardwareCompatibilityLevel.NONE
    assert config.real.builder_optimization_level == before


def test_a_version_without_what_is_asked_for_says_so(config: Any) -> None:
    old = SimpleNamespace(
        __name__="tensorrt", __version__="10.3", BuilderFlag=SimpleNamespace(), HardwareCompatibilityLevel=object()
    )
    with pytest.raises(NandEdgeError, match=r"tensorrt 10\.3, which has none"):
        configure(old, config.real, TensorRTOptions(version_compatible=True))
    with pytest.raises(NandEdgeError, match=r"needed TensorRT 10\.11 or later"):
        configure(old, config.real, TensorRTOptions(hardware_compatible=HardwareCompatibility.SAME))


class TestTimingCache:
    """Timings are kept for the next build, outside of the bundle."""

    def test_they_go_to_the_users_cache_folder(
        self, trt: Any, config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        cache = TimingCache(trt, config.real, None, "8.6")
        cache.write()

        assert cache.path == tmp_path / f"nand-edge/tensorrt/timing-{trt.__version__}-sm86.cache"
        assert cache.path.stat().st_size > 0

    def test_a_named_file_is_read_and_written(self, trt: Any, config: Any, tmp_path: Path) -> None:
        named = tmp_path / "timing.cache"
        TimingCache(trt, config.real, named, "8.6").write()
        before = named.read_bytes()
        TimingCache(trt, config.real, named, "8.6").write()
        assert named.read_bytes() == before

    def test_a_named_file_that_cannot_be_written_is_refused_before_the_build(
        self, trt: Any, config: Any, tmp_path: Path
    ) -> None:
        with pytest.raises(NandEdgeError, match="does not exist"):
            TimingCache(trt, config.real, tmp_path / "nowhere/timing.cache", "8.6")

    def test_a_cache_folder_that_cannot_be_written_costs_a_warning(
        self,
        trt: Any,
        config: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        TimingCache(trt, config.real, None, "8.6").write()
        assert "timings not kept" in caplog.text


def test_spans_are_read_as_people_write_them() -> None:
    assert parse_span("1:4:16") == Span(1, 4, 16)
    assert parse_span("480") == Span(480, 480, 480)


@pytest.mark.parametrize("text", ["", "1:2", "a", "1:2:3:4", "-1", "4:2:8", "0:1:2"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(NandEdgeError, match="span"):
        parse_span(text)


def test_a_level_that_there_is_not_is_refused() -> None:
    with pytest.raises(NandEdgeError, match="level: found 6, needed 0 to 5"):
        TensorRTOptions(level=6)
