"""Mends what OpenVINO makes of an ONNX input with a default: it folds the default into a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nand_edge.signature import TEXT_FEATURES

if TYPE_CHECKING:
    import openvino

_THEN_AND_ELSE = (0, 1)


def free_text_features(model: openvino.Model, width: int) -> None:
    """Make the text features an input of the model again; nothing happens where they are one.

    Args:
        model: The model as OpenVINO read it, changed in place.
        width: Length D of a text feature.

    Raises:
        RuntimeError: The text features are neither an input nor a constant of the model.
    """
    if any(TEXT_FEATURES in port.get_names() for port in model.inputs):
        return
    parameter = _parameter(width)
    parameter.output(0).set_names({TEXT_FEATURES})
    parameter.set_friendly_name(TEXT_FEATURES)
    if not _replace_constant(model, parameter.output(0), width):
        raise RuntimeError(f"the model has no {TEXT_FEATURES}")
    model.add_parameters([parameter])
    model.validate_nodes_and_infer_types()


def _replace_constant(body: openvino.Model, source: Any, width: int) -> bool:
    """Let readers of the constant in `body`, and in the branches below it, read `source`; False if there are none."""
    found = False
    for node in body.get_ordered_ops():
        if node.get_type_name() == "Constant" and node.get_friendly_name() == TEXT_FEATURES:
            for reader in node.output(0).get_target_inputs():
                reader.replace_source_output(source)
            found = True
        elif node.get_type_name() == "If":
            found |= _replace_in_branches(node, source, width)
    return found


def _replace_in_branches(gate: Any, source: Any, width: int) -> bool:
    """The same in the branches of an `If`, which see outer values only through parameters of their own."""
    parameters: list[Any] = [None, None]
    for branch in _THEN_AND_ELSE:
        body, parameter = gate.get_function(branch), _parameter(width)
        if _replace_constant(body, parameter.output(0), width):
            body.add_parameters([parameter])
            body.validate_nodes_and_infer_types()
            parameters[branch] = parameter
    if parameters == [None, None]:
        return False
    gate.set_input(source, *parameters)
    return True


def _parameter(width: int) -> Any:
    from openvino import PartialShape, opset13

    return opset13.parameter(PartialShape([-1, 2, width]), np.float32)
