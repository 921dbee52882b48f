"""The commands that mend what is missing, as this platform has them."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass

from nand_edge_runtime.doctor.platforms import Platform, System

BASE = {
    "numpy": "numpy>=1.26",
    "cv2": "opencv-python>=4.8",
    "pydantic": "pydantic>=2.6",
    "safetensors": "safetensors>=0.4",
}
"""What the device's side needs besides an engine: modules and the requirements that bring them."""

ONNXRUNTIME, ONNXRUNTIME_GPU = "onnxruntime>=1.17", "onnxruntime-gpu>=1.17"
OPENVINO = "openvino>=2025.0"
TENSORRT = "tensorrt>=10.3"
TENSORRT_RTX = ("tensorrt_rtx_cu13_bindings>=1.7", "tensorrt_rtx_cu13_libs>=1.7")
CUDA_PYTHON = "cuda-python>=12.2"

_NVIDIA_INDEX = "https://pypi.nvidia.com"
_JETPACK_6_INDEX = "https://pypi.jetson-ai-lab.io/jp6/cu126"
_SHELL_CHARACTERS = set(' <>=&|[]"')


@dataclass(frozen=True)
class Remedies:
    """The commands for one platform and one Python.

    Attributes:
        platform: The platform.
        python: The interpreter that packages are installed for.
    """

    platform: Platform
    python: str = sys.executable

    def pip(self, *arguments: str) -> str:
        """A call of pip for this interpreter."""
        return " ".join(self.quoted(argument) for argument in (self.python, "-m", "pip", *arguments))

    def apt(self, *packages: str) -> str:
        """The installation of system packages; empty where the system has no apt."""
        return f"sudo apt-get install -y {' '.join(packages)}" if self.platform.has_apt else ""

    def onnxruntime(self) -> str:
        """The installation of ONNX Runtime."""
        return self.pip("install", *self._onnxruntime())

    def one_onnxruntime(self, installed: list[str]) -> str:
        """The way from several packages of ONNX Runtime, which write the same folder, to one that is whole."""
        again = self.pip("install", "--force-reinstall", "--no-deps", *self._onnxruntime())
        return f"{self.pip('uninstall', '-y', *installed)} && {again}"

    def cuda_provider(self, installed: list[str]) -> str:
        """The installation of ONNX Runtime with what its CUDA provider loads."""
        if self.platform.system is System.JETSON or not self._has_gpu_build():
            requirement = self._onnxruntime()
        else:
            requirement = ("onnxruntime-gpu[cuda,cudnn]>=1.17",)
        others = [name for name in installed if name != "onnxruntime-gpu"]
        first = f"{self.pip('uninstall', '-y', *others)} && " if others else ""
        return first + self.pip("install", *requirement)

    def openvino(self) -> str:
        """The installation of OpenVINO."""
        return self.pip("install", OPENVINO)

    def tensorrt(self) -> str:
        """The installation of TensorRT: JetPack's own on a Jetson, else NVIDIA's index; PyPI has only its name."""
        if self.platform.system is System.JETSON:
            return self.apt("nvidia-tensorrt", "python3-libnvinfer")
        if self.platform.system is System.MACOS:
            return ""
        return self.pip("install", "--extra-index-url", _NVIDIA_INDEX, TENSORRT)

    def system_site_packages(self) -> str:
        """Let a virtual environment see the packages of the system's Python, where JetPack puts TensorRT."""
        return self.quoted(self.python) + f" -m venv --system-site-packages {self.quoted(sys.prefix)}"

    def tensorrt_rtx(self) -> str:
        """The installation of TensorRT-RTX."""
        if self.platform.system not in (System.LINUX, System.WINDOWS):
            return ""
        return self.pip("install", *TENSORRT_RTX)

    def cuda_python(self, cuda: str) -> str:
        """The installation of cuda-python in the major version that the driver runs.

        Args:
            cuda: The newest CUDA that the driver runs, such as "12.4"; empty if unknown.
        """
        major = cuda.partition(".")[0]
        return self.pip("install", f"{CUDA_PYTHON},<{int(major) + 1}" if major else CUDA_PYTHON)

    def driver(self) -> str:
        """The installation of NVIDIA's driver."""
        if self.platform.system is System.LINUX and self.platform.has_apt:
            is_ubuntu = "ubuntu" in self.platform.release.lower()
            return "sudo ubuntu-drivers install" if is_ubuntu else self.apt("nvidia-driver")
        if self.platform.system is System.JETSON:
            return self.apt("nvidia-jetpack")
        return ""

    def _onnxruntime(self) -> tuple[str, ...]:
        if self.platform.jetpack == 6:
            return "--extra-index-url", _JETPACK_6_INDEX, ONNXRUNTIME_GPU
        return (ONNXRUNTIME_GPU,) if self._has_gpu_build() else (ONNXRUNTIME,)

    def _has_gpu_build(self) -> bool:
        """Whether PyPI has `onnxruntime-gpu` for this platform; the same rule as in our requirements."""
        return self.platform.system is System.WINDOWS or (self.platform.system is System.LINUX and self.platform.is_x86)

    def quoted(self, word: str) -> str:
        """A word as this platform's shell takes it."""
        if self.platform.system is System.WINDOWS:
            return f'"{word}"' if _SHELL_CHARACTERS & set(word) else word
        return shlex.quote(word)
