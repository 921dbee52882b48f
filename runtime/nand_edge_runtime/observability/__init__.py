"""Watching a station: metrics, health, logs, and what it tells the service manager."""

from nand_edge_runtime.observability.logs import set_up_logging
from nand_edge_runtime.observability.metrics import StationMetrics, metrics_of
from nand_edge_runtime.observability.routes import routes
from nand_edge_runtime.observability.service_manager import ServiceManager
from nand_edge_runtime.observability.settings import LogSettings

__all__ = ["LogSettings", "ServiceManager", "StationMetrics", "metrics_of", "routes", "set_up_logging"]
