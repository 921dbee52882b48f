"""Which packages are installed, in which version, and whether they can be imported."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, distribution, version
from types import ModuleType

from nand_edge.installation import explain_import_error
from nand_edge_runtime.doctor.findings import Finding
from nand_edge_runtime.doctor.remedies import Remedies
from nand_edge_runtime.isolation import first_line

ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "onnxruntime-qnn")
"""Packages that all write the folder `onnxruntime`."""

SHOWN = (
    "nand-edge", "numpy", "opencv-python", "opencv-python-headless", "opencv-contrib-python", *ONNXRUNTIMES, "openvino",
    "tensorrt", "tensorrt-rtx", "tensorrt_rtx_cu13_bindings", "tensorrt_rtx_cu13_libs", "cuda-python", "cuda-bindings",
    "pydantic", "safetensors", "typer", "rich",
)  # fmt: skip
"""What decides whether and how a bundle runs; JetPack's own OpenCV has no such record and is asked itself."""


def installed_versions(names: tuple[str, ...] = SHOWN) -> dict[str, str]:
    """The versions of those that are installed, without importing them."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def requirements_of(name: str, extra: str) -> list[str]:
    """What an extra of an installed package requires, such as `nvidia-cuda-runtime~=13.0`."""
    try:
        required = distribution(name).requires or []
    except PackageNotFoundError:
        return []
    return [each.partition(";")[0].strip() for each in required if f'extra == "{extra}"' in each]


def import_or_finding(
    module: str, remedies: Remedies, *, missing: str, package: str, stops: bool = True
) -> ModuleType | Finding:
    """Import a module, or say why it cannot be imported and what mends that.

    Args:
        module: The module.
        remedies: This platform's commands.
        missing: The command where the module is not installed.
        package: The package that brings it, for installing it again where it is broken.
        stops: Whether a target cannot run without it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]:
            return Finding(f"no Python package {module}", missing, stops)
        explained = explain_import_error(error, module)
        if explained is not None and "system library" in explained.found:
            command = explained.do.partition("`")[2].partition("`")[0]
            has_command = remedies.platform.has_apt and command.startswith("sudo apt-get")
            return Finding(f"{module} finds {explained.found}", command if has_command else "", stops)
        reason = first_line(error)
    except Exception as error:  # noqa: BLE001 - a broken package raises what it likes while it is imported
        reason = f"{type(error).__name__}: {first_line(error)}"
    again = remedies.pip("install", "--force-reinstall", "--no-deps", package)
    return Finding(f"{module} is installed and cannot be imported: {reason}", again, stops)
