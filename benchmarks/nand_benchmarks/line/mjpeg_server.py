"""A network camera that sends JPEG pictures over HTTP without end, as a process."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from nand_benchmarks.line.stream_pictures import Pictures, server_arguments

_BOUNDARY = "picture"


class Server(ThreadingHTTPServer):
    """Serves one stream on loopback.

    Args:
        port: Its port.
        pictures: What it sends.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, pictures: Pictures) -> None:
        self.pictures = pictures
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        """Send pictures until the client is gone."""
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        try:
            for picture in self.server.pictures.paced():
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(head.encode() + picture + b"\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def main() -> None:
    """Serve until the process is ended."""
    options = server_arguments(__doc__)
    Server(options.port, Pictures(options.ledger, per_second=options.per_second)).serve_forever()


if __name__ == "__main__":
    main()
