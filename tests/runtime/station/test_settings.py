"""A settings file that a station cannot do is answered with the line, the key and what to do, and never a traceback."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.commands.serve import _settings_of
from nand_edge_runtime.station.settings import MAX_BYTES, read_settings, validated

LEAST = """\
bundle = "solar-cell.nand"

[[camera]]
name = "top"
source = "rtsp://user:hunter2@camera/1"
"""

SEE = "see docs/station.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "line-3.toml"


def complaint(file: Path, text: str | bytes) -> str:
    """What is said of a file with this content."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(NandEdgeError) as raised:
        read_settings(file)
    said = str(raised.value)
    assert said.startswith(f"settings {str(file)!r}: found ")
    assert "hunter2" not in said
    assert "\n" not in said
    return said


def test_the_least_that_a_station_needs(file: Path) -> None:
    file.write_text(LEAST, encoding="utf-8")
    settings = read_settings(file)
    assert settings.bundle == file.parent / "solar-cell.nand"
    assert settings.state_folder == file.parent / "line-3.state"
    assert (settings.name, settings.threshold, settings.normalities) == ("station", None, None)
    assert [camera.name for camera in settings.camera] == ["top"]
    assert (settings.web.host, settings.output) == ("127.0.0.1", ())


def test_paths_count_from_the_settings_folder(file: Path) -> None:
    file.write_text(
        """
        bundle = "../bundles/cell.nand"
        state_folder = "/var/lib/line-3"
        normalities = ["stain", "own/thread.normality"]
        [[camera]]
        name = "top"
        source = "pictures/top"
        [camera.line_scan]
        millimetres_per_line = 0.1
        millimetres_per_column = 0.1
        flat = "white.png"
        [[camera]]
        name = "side"
        source = "0"
        [web]
        tls_certificate = "page.pem"
        tls_key = "/etc/page.key"
        [[output]]
        kind = "mqtt"
        name = "broker"
        host = "broker"
        tls.ca_file = "ca.pem"
        """,
        encoding="utf-8",
    )
    settings, folder = read_settings(file), file.parent
    assert settings.bundle == folder / "../bundles/cell.nand"
    assert settings.state_folder == Path("/var/lib/line-3")
    assert settings.normalities == ("stain", str(folder / "own/thread.normality"))
    top, side = settings.camera
    assert (top.source, side.source) == (str(folder / "pictures/top"), "0")
    assert top.line_scan is not None
    assert (top.line_scan.flat, top.line_scan.dark) == (folder / "white.png", None)
    assert (settings.web.tls_certificate, settings.web.tls_key) == (folder / "page.pem", Path("/etc/page.key"))
    assert settings.output[0].tls.ca_file == folder / "ca.pem"  # type: ignore[union-attr]  # the one output is MQTT's


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ('nmae = "x"\n' + LEAST, ["line 1, nmae: no such key (did you mean 'name'?)"]),
        (LEAST + "deadlin_ms = 5\n", ["line 6, camera[0].deadlin_ms: no such key (did you mean 'deadline_ms'?)"]),
        (LEAST + "\n[engine]\ntharget = 'onnx'\n", ["line 8, engine.tharget: no such key (did you mean 'target'?)"]),
        (LEAST + "\n[wbe]\nport = 1\n", ["line 7, wbe: no such key (did you mean 'web'?)"]),
        (LEAST + "xyzzy = 5\n", ["line 6, camera[0].xyzzy: no such key, needed"]),
        (LEAST + "deadline_ms = 'soon'\n", ["line 6, camera[0].deadline_ms: Input should be a valid number"]),
        (LEAST + "deadline_ms = nan\n", ["camera[0].deadline_ms: Input should be less than or equal to 3600000"]),
        (LEAST + "kind = 'webcam'\n", ["line 6, camera[0].kind: Input should be 'opencv'"]),
        ("threshold = inf\n" + LEAST, ["line 1, threshold: Input should be a finite number"]),
        ("threshold = '0.5x'\n" + LEAST, ["line 1, threshold: Input should be a valid number"]),
        ("recent_megabytes = 0\n" + LEAST, ["line 1, recent_megabytes: Input should be greater than or equal to 1"]),
        ("name = '../etc'\n" + LEAST, ["line 1, name: String should match pattern"]),
        ("name = '" + "x" * 65 + "'\n" + LEAST, ["line 1, name: String should match pattern"]),
        ("web = 8080\n" + LEAST, ["line 1, web: Input should be"]),
        (LEAST.replace("top", "t/../op"), ["line 4, camera[0].name: String should match pattern"]),
        (LEAST.replace("bundle", "#"), ["bundle: missing"]),
        ('bundle = "x.nand"\n', ["camera: missing"]),
        ('bundle = "x.nand"\ncamera = []\n', ["line 2, camera: found 0 of them, needed at least 1"]),
        ('bundle = "x.nand"\n[[camera]]\nname = "top"\n', ["line 2, camera[0].source: missing"]),
        ('bundle = "x.nand"\n[camera]\nname = "top"\n', ["line 2, camera: Input should be a valid tuple"]),
        (
            LEAST + '[[camera]]\nname = "top"\nsource = "1"\n',
            ["line 3, camera: found two of the name 'top', needed a name of its own for each"],
        ),
        (
            LEAST + "[[output]]\nkind = 'modbus'\nname = 'plc'\n",
            ["line 7, output[0].kind: found 'modbus', needed one of 'modbus-tcp', 'opc-ua'"],
        ),
        (LEAST + "[[output]]\nname = 'plc'\n", ["line 6, output[0].kind: missing"]),
        (
            LEAST + "[[output]]\nkind = 'modbus-tcp'\nname = 'plc'\nhost = 'plc'\nprot = 502\n",
            ["line 10, output[0].prot: no such key (did you mean 'port'?)"],
        ),
        (
            LEAST + "[[output]]\nkind = 'gpio'\nname = 'g'\nchip = '/dev/gpiochip0'\n[output.gate]\nline = 1.5\n",
            ["line 11, output[0].gate.line: Input should be a valid integer", "a valid string"],
        ),
        (
            LEAST + 2 * "[[output]]\nkind = 'mqtt'\nname = 'broker'\nhost = 'broker'\n",
            ["line 6, output: found two of the name 'broker', needed a name of its own for each"],
        ),
        (
            LEAST + "[[output]]\nkind = 'mqtt'\nname = 'broker'\nhost = 'broker'\ncameras = ['tpo']\n",
            ["found camera 'tpo' in output 'broker', needed one of top"],
        ),
        (
            LEAST + "[gate]\ndelay_ms = 5\ncamera_delays = { tpo = 7 }\n",
            ["found camera 'tpo' in gate.camera_delays, needed one of top"],
        ),
        (
            LEAST + "[gate]\ndelay_ticks = 500\n",
            ["found gate.delay_ticks with position_unit in millimetres, needed position_unit = \"ticks\""],
        ),
        (
            'position_unit = "ticks"\n' + LEAST + "[gate]\ndelay_mm = 500\n",
            ["found gate.delay_mm with position_unit in ticks, needed position_unit = \"millimetres\""],
        ),
        (
            "nmae = 'x'\n" + LEAST + "deadlin_ms = 5\n[engine]\nthreads = 0\n",
            [
                "found line 1, nmae: no such key (did you mean 'name'?); line 7, camera[0].deadlin_ms: no such key",
                "; line 9, engine.threads: Input should be greater than or equal to 1, needed",
            ],
        ),
        ("".join(f"wrong{number} = 1\n" for number in range(9)) + LEAST, ["(and 4 more)"]),
        ("a = [1\n" + LEAST, ["no TOML", "line 2"]),
        ("name = 'a'\nname = 'b'\n" + LEAST, ["no TOML: Cannot overwrite a value", "line 2"]),
        (b"\xff\xfe", ["text that is not UTF-8"]),
        ("a = " + "[" * 100_000 + "]" * 100_000, ["nested"]),
        ("[" + ".".join("a" * 5000) + "]\n" + LEAST, ["a"]),
        ("# " + "x" * MAX_BYTES, [f"at most {MAX_BYTES} bytes"]),
    ],
)  # fmt: skip
def test_what_a_station_cannot_do_is_said_with_line_and_key(
    text: str | bytes, complaints: list[str], file: Path
) -> None:
    said = complaint(file, text)
    for part in (*complaints, SEE):
        assert part in said


def test_a_bundle_and_a_source_make_a_station_with_defaults(tmp_path: Path) -> None:
    settings = _settings_of(
        tmp_path / "étui v1.2.nand", "0", port=None, state_folder=None, frames_per_second=None, loop=False
    )
    assert (settings.name, settings.camera[0].name, settings.web.port) == ("tui-v1-2", "camera", 8080)
    with pytest.raises(NandEdgeError) as raised:
        _settings_of(
            tmp_path / "a.nand", "rtsp://user:hunter2@x/1", port=99_999, state_folder=None, frames_per_second=None,
            loop=False,
        )  # fmt: skip
    assert "web.port: Input should be less than or equal to 65535" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="no such file"):
        read_settings(tmp_path / "nowhere.toml")
    with pytest.raises(NandEdgeError, match="no plain file"):
        read_settings(tmp_path)


def test_an_empty_file_lacks_what_every_station_needs(file: Path) -> None:
    said = complaint(file, "")
    assert "bundle: missing" in said
    assert "camera: missing" in said


@given(st.text(max_size=200))
def test_no_text_makes_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_text(text, encoding="utf-8", errors="replace", newline="")
    with pytest.raises(NandEdgeError):
        read_settings(file)


values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
tables = st.sampled_from(["name", "bundle", "state_folder", "normalities", "threshold", "camera", "output", "engine",
                          "gate", "history", "web", "log", "position_unit", "recent_megabytes"])  # fmt: skip


@given(st.dictionaries(tables, values, max_size=5))
def test_no_value_makes_a_traceback(given: dict[str, object]) -> None:
    least = {"bundle": "x.nand", "state_folder": "state", "camera": [{"name": "top", "source": "0"}]}
    with suppress(NandEdgeError):
        validated({**least, **given}, what="settings", folder=Path("/line"))
