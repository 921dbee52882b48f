"""The slow-down: wrong passwords make whoever tries them wait, and nobody else for long."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_Key = TypeVar("_Key")

_FREE = 3
"""Wrong passwords that cost nothing: people mistype."""

_LONGEST_OF_USER_S = 60.0
_LONGEST_OF_ADDRESS_S = 120.0
_FORGOTTEN_S = 3600.0
_MOST = 4096
"""Names, addresses and pairs of both that are remembered, each."""


@dataclass
class _Tries:
    failed: int = 0
    last: float = 0.0

    def wait_s(self, now: float, longest: float) -> float:
        if self.failed < _FREE:
            return 0.0
        pause = min(2.0 ** min(self.failed - _FREE, 20), longest)
        return max(self.last + pause - now, 0.0)


class SlowDown:
    """Counts wrong passwords by user, by address and by both.

    After three, each doubles the wait, up to a minute for a user and two for an address. Where somebody has signed in
    before from an address, only what happened to them there counts: whoever guesses elsewhere cannot lock them out.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._users: OrderedDict[str, _Tries] = OrderedDict()
        self._addresses: OrderedDict[str, _Tries] = OrderedDict()
        self._pairs: OrderedDict[tuple[str, str], _Tries] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def attempt(self, user: str, address: str) -> float:
        """Whether a password may be tried now.

        Returns:
            0 if so: it counts as wrong until `succeeded`, so that many at once gain nothing. Else the seconds to wait.
        """
        now, name, network = self._clock(), user.casefold()[:64], _network(address)
        with self._lock:
            tries = [(_tries(self._pairs, (name, network), now), _LONGEST_OF_USER_S)]
            if (name, network) not in self._known:
                tries.append((_tries(self._users, name, now), _LONGEST_OF_USER_S))
                tries.append((_tries(self._addresses, network, now), _LONGEST_OF_ADDRESS_S))
            wait = max(tried.wait_s(now, longest) for tried, longest in tries)
            if wait == 0.0:
                for tried, _ in tries:
                    tried.failed, tried.last = tried.failed + 1, now
            return wait

    def succeeded(self, user: str, address: str) -> None:
        """It was the password."""
        name, network = user.casefold()[:64], _network(address)
        with self._lock:
            self._pairs.pop((name, network), None)
            for kept, key in ((self._users, name), (self._addresses, network)):
                if key in kept:
                    # The one right password among wrong ones takes itself back, not what others tried.
                    kept[key].failed = max(kept[key].failed - 1, 0)
            self._known[name, network] = None
            self._known.move_to_end((name, network))
            while len(self._known) > _MOST:
                self._known.popitem(last=False)


def _tries(kept: OrderedDict[_Key, _Tries], key: _Key, now: float) -> _Tries:
    tried = kept.pop(key, None)
    if tried is None or now - tried.last > _FORGOTTEN_S:
        tried = _Tries()
    kept[key] = tried
    while len(kept) > _MOST:
        kept.popitem(last=False)
    return tried


def _network(address: str) -> str:
    """The address, or the network of an IPv6 address: one machine has billions of those."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
