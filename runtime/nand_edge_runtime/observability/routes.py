"""What other machines ask a station over HTTP: its metrics, whether it lives, and whether it inspects."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from nand_edge_runtime.observability.metrics import StationMetrics
from nand_edge_runtime.station.control import StationControl, Status
from nand_edge_runtime.station.states import PartState, StationState

_NO_STORE = {"Cache-Control": "no-store"}


def routes(control: StationControl, metrics: StationMetrics) -> list[Route]:
    """The routes `/metrics`, `/healthz` and `/readyz`, for the live page's server.

    Args:
        control: The station.
        metrics: Its metrics.
    """

    def metrics_text(_request: Request) -> Response:
        return Response(metrics.text(), headers={**_NO_STORE, "Content-Type": metrics.content_type})

    async def healthz(_request: Request) -> Response:
        # Answered by the server's loop itself, and so the sign that it turns.
        return JSONResponse({"alive": True}, headers=_NO_STORE)

    def readyz(_request: Request) -> Response:
        status = control.status()
        why = not_ready(status)
        document = {"ready": not why, "state": status.state.value, "why": why or status.why}
        return JSONResponse(document, status_code=503 if why else 200, headers=_NO_STORE)

    # The two that ask the station run in a thread of the pool: its locks must not hold up the server.
    return [
        Route("/metrics", metrics_text, methods=["GET"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]


def not_ready(status: Status) -> str:
    """Why a station does not inspect frames; empty when it does.

    A degraded station inspects as long as its engine runs and one of its cameras does.
    """
    told = f": {status.why}" if status.why else ""
    if status.state not in (StationState.RUNNING, StationState.DEGRADED):
        return f"the station is {status.state.value}{told}"
    engines = [part for part in status.parts if part.name == "engine"]
    for engine in engines:
        if engine.state is not PartState.RUNNING:
            return f"the engine is {engine.state.value}" + (f": {engine.why}" if engine.why else "")
    cameras = [part for part in status.parts if part.name.startswith("camera ")]
    if cameras and not any(part.state in (PartState.RUNNING, PartState.FINISHED) for part in cameras):
        return f"no camera runs{told}"
    return ""
