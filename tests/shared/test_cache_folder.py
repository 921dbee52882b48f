from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nand_edge.cache_folder import cache_folder


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="Linux's rule")
def test_it_is_where_the_platform_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "nand-edge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache/nand-edge"
    assert not cache_folder().exists(), "asking for it makes nothing"
