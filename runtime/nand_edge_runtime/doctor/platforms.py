"""Which kind of system this is, as far as it decides how things are installed."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class System(str, Enum):
    """A kind of system."""

    LINUX = "linux"
    JETSON = "jetson"
    WINDOWS = "windows"
    MACOS = "macos"
    OTHER = "other"


@dataclass(frozen=True)
class Platform:
    """The system.

    Attributes:
        system: Its kind.
        architecture: `x86_64` or `aarch64`, or what the system calls it.
        release: The system's name and version, as it tells them.
        board: The board's name where the system tells it, as Jetsons do.
        l4t: On a Jetson, the release of Jetson Linux, such as "36.4.3".
        has_apt: Whether packages of the system come by apt.
        python: Python's version.
    """

    system: System
    architecture: str
    release: str
    board: str
    l4t: str
    has_apt: bool
    python: str

    @property
    def jetpack(self) -> int | None:
        """The major version of JetPack that goes with the release of Jetson Linux."""
        return {"35": 5, "36": 6, "38": 7}.get(self.l4t.partition(".")[0])

    @property
    def is_x86(self) -> bool:
        """Whether the processor is of the family x86-64."""
        return self.architecture == "x86_64"


def read_platform(root: Path = Path("/")) -> Platform:
    """Read what this system is.

    Args:
        root: Where Linux's files are looked for.
    """
    l4t = _l4t(root)
    return Platform(
        system=System.JETSON if l4t else _system(),
        architecture={"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine()),
        release=_release(root),
        board=_text(root / "proc/device-tree/model").strip("\0\n "),
        l4t=l4t,
        has_apt=(root / "usr/bin/apt-get").exists(),
        python=platform.python_version(),
    )


def _system() -> System:
    names = {"linux": System.LINUX, "win32": System.WINDOWS, "darwin": System.MACOS}
    return names.get(sys.platform, System.OTHER)


def _l4t(root: Path) -> str:
    # The file begins like this: # R36 (release), REVISION: 4.3, GCID: ...
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", _text(root / "etc/nv_tegra_release"))
    return f"{found[1]}.{found[2]}" if found else ""


def _release(root: Path) -> str:
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text(root / "etc/os-release"), re.MULTILINE)
    return found[1] if found else f"{platform.system()} {platform.release()}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
