"""The workers: few threads that do the page's slower work, so that neither its loop nor the line waits for it."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

_LOG = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_LOW_PRIORITY = 10
_LONGEST_S = 30.0


class TooBusyError(Exception):
    """There is more to do than the workers get done."""


class Workers:
    """Daemon threads with a bounded queue, started when they are first needed.

    Args:
        name: Of the threads.
        threads: How many.
        waiting: How much may wait.
    """

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._name, self._count = name, threads
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(waiting)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    async def run(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call `work` in a thread and wait for what it gives.

        Raises:
            TooBusyError: Too much waits already, or it took too long.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()

        def call() -> None:
            if future.cancelled():
                return
            try:
                result = work(*arguments)
            except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
                self._hand_over(loop, _fail, future, error)
            else:
                self._hand_over(loop, _finish, future, result)

        self._start()
        try:
            self._queue.put_nowait(call)
        except queue.Full:
            raise TooBusyError from None
        try:
            return await asyncio.wait_for(future, _LONGEST_S)
        except asyncio.TimeoutError:
            raise TooBusyError from None

    def stop(self) -> None:
        """Take on nothing more; what runs is left to end by itself."""
        with self._lock:
            threads, self._threads = self._threads, []
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        for _ in threads:
            with suppress(queue.Full):
                self._queue.put_nowait(None)

    def _start(self) -> None:
        with self._lock:
            for place in range(len(self._threads), self._count):
                thread = threading.Thread(target=self._work, name=f"{self._name} {place}", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _work(self) -> None:
        lower_priority()
        while (call := self._queue.get()) is not None:
            call()

    @staticmethod
    def _hand_over(loop: asyncio.AbstractEventLoop, action: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            loop.call_soon_threadsafe(action, *arguments)


def lower_priority() -> None:
    """Let frames go first, for the rest of this thread. Linux alone knows a thread's own priority."""
    if sys.platform == "linux":
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)
        except OSError as error:
            _LOG.debug("the priority stays as it is (%s)", error.strerror)


def _finish(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
