"""A browser's connection: there are not too many, and none is kept open by doing nothing."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_BESIDES_VIEWERS = 128
"""Connections at once beyond those that live pictures go through."""

_LOOK_S = 5.0
_QUIET_S = 20.0
"""How long a connection may stay without a whole request, or its answer be left lying."""


class Connection(H11Protocol):
    """Uvicorn's connection with limits: files that it holds open are files that the station cannot open."""

    most = MOST_BESIDES_VIEWERS
    """At once; set by the server that makes them."""

    _look_again: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _heard = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a connection, or end it at once."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
            return
        self._heard = self.loop.time()
        self._look_again = self.loop.call_later(_LOOK_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        for timer in (self._look_again, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """An answer is on its way: the next request may take its time again."""
        self._heard = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The other side takes less than it asked for."""
        super().pause_writing()
        self._stalled = self.loop.call_later(_QUIET_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It goes on."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def _look(self) -> None:
        in_progress = self.cycle is not None and not self.cycle.response_complete
        if (self.transport.is_closing() or not in_progress) and self.loop.time() - self._heard > _QUIET_S:
            self.transport.abort()
            return
        self._look_again = self.loop.call_later(_LOOK_S, self._look)
