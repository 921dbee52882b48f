"""What every real server on the other side of an output has."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from pydantic import TypeAdapter

from nand_edge_runtime.outputs import OutputSettings

QUICK = {"timeout_ms": 300, "heartbeat_ms": 50, "reconnect_min_ms": 20, "reconnect_max_ms": 100}
"""Times of an output that a test need not wait long for."""


class Peer:
    """A real server and what it was told, as its own program would understand it."""

    port: int

    def __init__(self) -> None:
        self.verdicts: list[dict[str, Any]] = []
        self.beats: list[int] = []
        self.state = ""

    def settings(self, port: int, **more: Any) -> OutputSettings:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def frames(self) -> list[int]:
        return [one["frame"] for one in self.verdicts]


def output_settings(**values: Any) -> OutputSettings:
    return TypeAdapter(OutputSettings).validate_python(values)  # type: ignore[no-any-return]  # it is one of the union


class Loop:
    """An asyncio loop in a thread, for servers."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def close(self) -> None:
        async def cancel() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()
