"""What of the web the map was told of: a verdict that it missed must not look like a web without regions."""

from __future__ import annotations

from nand_edge_runtime.line_scan.place import Span, TilePlace


class Coverage:
    """Keeps, for every column of tiles, up to which line all cores are known."""

    def __init__(self) -> None:
        self._waiting: dict[Span, list[Span]] = {}
        self._known: dict[Span, int] = {}

    def add(self, place: TilePlace) -> None:
        """A tile got its verdict."""
        columns, lines = place.columns.core, place.lines.core
        if columns not in self._waiting and self._holds_all(columns):
            # Lines that were lost over the whole width.
            for waiting in self._waiting.values():
                waiting.append(lines)
            return
        self._waiting.setdefault(columns, []).append(lines)

    def settle(self, line: int | None = None) -> list[tuple[Span, Span]]:
        """No tile that ends at this line or before it will come any more; None for no tile at all.

        Returns:
            Lines and columns that no tile was told of.
        """
        missing = []
        for columns, waiting in self._waiting.items():
            waiting.sort()
            while waiting and (line is None or waiting[0].stop <= line):
                span = waiting.pop(0)
                known = self._known.get(columns, span.start)
                if span.start > known:
                    missing.append((Span(known, span.start), columns))
                self._known[columns] = max(known, span.stop)
        return missing

    def _holds_all(self, columns: Span) -> bool:
        return bool(self._waiting) and all(
            columns.start <= each.start and each.stop <= columns.stop for each in self._waiting
        )
