"""What takes long at a start is done in a thread of its own, and its fault is raised where somebody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Loading:
    """Begins at once.

    Args:
        load: What is to be done; it must end by itself when the station is told to stop.
    """

    def __init__(self, load: Callable[[], None]) -> None:
        self._load = load
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="loading", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until it is done; what it raised is raised here."""
        self._thread.join()
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            self._load()
        except BaseException as fault:  # noqa: BLE001 - handed to whoever waits
            self._fault = fault
