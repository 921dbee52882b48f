"""Which parts of an OpenVINO model stay float32 when the rest of it is computed in bfloat16."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from nand_edge_export.graph.names import NETWORKS

_BODIES = ("then_body", "else_body", "body")
_SEARCH = "/memory_search/"
_PRECISE = "/precise_"
_DEPTHWISE = "GroupConvolution"
# OpenVINO names what it adds itself after the operator's type: shapes and the like.
_OWN_NAME = re.compile(r"[A-Z]\w*_\d+")
_VALUES = ("Const", "Parameter", "Result")


def keep_precise(model: Path) -> int:
    """Mark what stays float32 under the hint `bf16`; changes an .xml file that OpenVINO wrote.

    These stay: all that is not a network's, so normalising, comparing with the words, joining the maps and scores;
    what stands behind PatchCore's search; and depthwise convolutions, which are hardly faster in bfloat16 and make most
    of the error of a convolutional network: on real frames its maps are off by 0.02 with the marks and 0.05 without.

    OpenVINO's attribute for it cannot be set from Python, only read from a file.

    Args:
        model: The .xml file.

    Returns:
        How many layers were marked.
    """
    tree = ET.parse(model)  # noqa: S314 - written by OpenVINO a moment ago
    count = _mark(tree.getroot())
    tree.write(model, encoding="utf-8", xml_declaration=True)
    return count


def _mark(body: ET.Element) -> int:
    layers = body.find("layers")
    if layers is None:
        return 0
    behind = _behind(body.iterfind("edges/edge"), [each.attrib["id"] for each in layers if _SEARCH in _name(each)])
    count = 0
    for layer in layers:
        for kind in _BODIES:
            nested = layer.find(kind)
            count += _mark(nested) if nested is not None else 0
        if layer.attrib["type"] not in _VALUES and _stays(layer, layer.attrib["id"] in behind):
            _set(layer)
            count += 1
    return count


def _stays(layer: ET.Element, behind_search: bool) -> bool:  # noqa: FBT001 - a fact of the layer
    name = _name(layer)
    if _SEARCH in name:
        return _PRECISE in name
    if layer.attrib["type"] == _DEPTHWISE or behind_search:
        return True
    return not name.startswith(NETWORKS) and not _OWN_NAME.fullmatch(name)


def _name(layer: ET.Element) -> str:
    return layer.attrib.get("name", "")


def _behind(edges: Iterable[ET.Element], layers: Iterable[str]) -> set[str]:
    """The identifiers of all layers that some of the given ones lead to."""
    readers: dict[str, list[str]] = {}
    for edge in edges:
        readers.setdefault(edge.attrib["from-layer"], []).append(edge.attrib["to-layer"])
    found: set[str] = set()
    left = list(layers)
    while left:
        new = set(readers.get(left.pop(), [])) - found
        found |= new
        left.extend(new)
    return found


def _set(layer: ET.Element) -> None:
    information = layer.find("rt_info")
    if information is None:
        information = ET.Element("rt_info")
        has_data = layer.find("data") is not None
        layer.insert(1 if has_data else 0, information)
    ET.SubElement(information, "attribute", {"name": "precise", "version": "0"})
