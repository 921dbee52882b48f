"""The engine in a process of its own: a crash in a driver or an engine costs rejects for seconds, not the station."""

from nand_edge_runtime.engine_process.engine import Engine, open_engine_process
from nand_edge_runtime.engine_process.failure import EngineFailure
from nand_edge_runtime.engine_process.settings import EngineSettings

__all__ = ["Engine", "EngineFailure", "EngineSettings", "open_engine_process"]
