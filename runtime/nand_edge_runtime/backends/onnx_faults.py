"""What to say when ONNX Runtime raises."""

from __future__ import annotations

from nand_edge_runtime.backends.protocol import TargetUnavailableError

_OUT_OF_MEMORY = ("failed to allocate memory", "bad_alloc", "out of memory", "bad allocation", "alloc_failed")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def is_about_memory(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def memory_fault(file: str, what: str, error: BaseException) -> TargetUnavailableError:
    """Too little memory for `what`."""
    return TargetUnavailableError(
        f"engine {file!r} in ONNX Runtime",
        found=f"too little memory for {what} ({first_line(error)[-160:]})",
        needed="room for the weights and for what is between the layers",
        do="end other programs, give smaller frames and batches, or choose a bundle with a smaller CLIP",
    )
