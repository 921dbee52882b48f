"""Secrets are taken out of every line before it is written, whoever wrote them into it."""

from __future__ import annotations

import os
import re
import threading

HIDDEN = "***"
_SHORTEST = 4
"""A shorter value would be found by chance in every other line."""

_NAMES = r"pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|signature|credentials?"
_AUTHORIZATION = r"\b((?:proxy-)?authorization\b[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer|digest)\s+)?)[^\s\"',;]+"
_NAMED = rf"((?:\b|[_-])(?:{_NAMES})[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s&,;\"')}}\]]+)"
_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # What stands before the last @ of an address: a password may hold one itself.
        (r"(://)[^\s/?#\"'<>]*@", rf"\g<1>{HIDDEN}@"),
        (_AUTHORIZATION, rf"\g<1>{HIDDEN}"),
        (r"\b((?:basic|bearer)\s+)[A-Za-z0-9+/=._~-]{8,}", rf"\g<1>{HIDDEN}"),
        (_NAMED, rf"\g<1>{HIDDEN}"),
    )
)


class Redactor:
    """Hides passwords in addresses, tokens in queries and headers, and every value that it was told of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: tuple[str, ...] = ()

    def hide(self, value: str) -> None:
        """Never let this value through; one of under four characters is not looked for."""
        if len(value) < _SHORTEST:
            return
        with self._lock:
            # The longest first: one may be the beginning of another.
            self._values = tuple(sorted({*self._values, value}, key=len, reverse=True))

    def hide_variable(self, name: str) -> None:
        """Never let the value of this environment variable through, if there is one."""
        self.hide(os.environ.get(name, ""))

    def clean(self, text: str) -> str:
        """The text without secrets."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


REDACTOR = Redactor()
"""The one that the station's logs go through."""
