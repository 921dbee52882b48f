"""The live page: what the station sees and does, in a browser, and what people may change there."""

from __future__ import annotations

from nand_edge_runtime.web.server import WebServer
from nand_edge_runtime.web.settings import WebSettings

__all__ = ["WebServer", "WebSettings"]
