"""The registry of outputs, each imported only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from nand_edge.installation import explain_import_error
from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.protocol import Output
from nand_edge_runtime.outputs.settings import CommonSettings, OutputSettings

OUTPUTS: dict[str, str] = {
    "modbus-tcp": "nand_edge_runtime.outputs.modbus:ModbusOutput",
    "opc-ua": "nand_edge_runtime.outputs.opc_ua:OpcUaOutput",
    "mqtt": "nand_edge_runtime.outputs.mqtt:MqttOutput",
    "gpio": "nand_edge_runtime.outputs.gpio:GpioOutput",
    "webhook": "nand_edge_runtime.outputs.webhook:WebhookOutput",
}
"""Where each kind's class is; its arguments are its own settings and the gate's."""


def open_output(settings: OutputSettings, gate: GateSettings) -> Output:
    """Make an output of its settings; it connects later.

    Raises:
        NandEdgeError: It needs a package, an environment variable or a file that is not there.
    """
    module, _, name = OUTPUTS[settings.kind].partition(":")
    try:
        kind = cast("Callable[[CommonSettings, GateSettings], Output]", getattr(importlib.import_module(module), name))
        return kind(settings, gate)
    except ImportError as error:
        explained = explain_import_error(error, f"output {settings.name!r} of kind {settings.kind!r}", "station")
        if explained is None:
            raise
        raise explained from error
