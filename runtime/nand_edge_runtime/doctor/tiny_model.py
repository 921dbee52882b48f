"""An ONNX model of one addition: enough to see whether an engine and its provider really start."""

from __future__ import annotations

import base64

INPUT, OUTPUT = "x", "y"
"""float32 [2] each; the output is twice the input."""

ONNX_MODEL = base64.b64decode(
    "CAgSADo4Cg4KAXgKAXgSAXkiA0FkZBIEdGlueVoPCgF4EgoKCAgBEgQKAggCYg8KAXkSCgoICAESBAoCCAJCBAoAEA0="
)
"""Opset 13, which every supported engine reads; without the package onnx, which a device does not have."""
