"""What hears verdicts over HTTP, as a process: each message is on the disk before it is answered."""

from __future__ import annotations

import argparse
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_MOST_BYTES = 1 << 20


class Receiver(ThreadingHTTPServer):
    """Serves on loopback.

    Args:
        port: Its port.
        log: File of what was received.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, log: Path) -> None:
        self._lock, self._stream = threading.Lock(), log.open("ab", buffering=0)
        super().__init__(("127.0.0.1", port), _Handler)

    def note(self, body: Any) -> None:
        """Write a message down."""
        line = json.dumps({"at": time.monotonic(), "message": body}).encode() + b"\n"
        with self._lock:
            self._stream.write(line)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"
    # Without it, each answer on a kept connection waits for the other side's acknowledgement.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take a message."""
        length = min(int(self.headers.get("Content-Length", 0)), _MOST_BYTES)
        self.server.note(json.loads(self.rfile.read(length) or b"null"))
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def main() -> None:
    """Receive until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    Receiver(options.port, options.log).serve_forever()


if __name__ == "__main__":
    main()
