"""A server that webhooks are sent to."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from outputs.cable import free_port, shut
from outputs.peer import QUICK, Peer, output_settings

from nand_edge_runtime.outputs import OutputSettings


class HttpServer(Peer):
    """An HTTP server that takes a verdict once by its idempotency key."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.status = 200
        self.refused: set[int] = set()
        self.authorization = ""
        self._connections: list[socket.socket] = []
        self._server: ThreadingHTTPServer | None = None

    def settings(self, port: int, **more: Any) -> OutputSettings:
        values = {"kind": "webhook", "name": "plc", "url": f"http://127.0.0.1:{port}/verdicts", **QUICK}
        return output_settings(**{**values, **more})

    def start(self) -> None:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = peer._posted(said, self.headers.get("Idempotency-Key"), self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def process_request(self, request: Any, client_address: Any) -> None:
                peer._connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, *_: object) -> None:
                """A client that went away is no error of this server."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def kill(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            for connection in self._connections:
                shut(connection)
            self._connections = []

    def _posted(self, said: dict[str, Any], key: str | None, authorization: str) -> int:
        self.authorization = authorization
        if self.status != 200:
            return self.status
        if said["event"] == "heartbeat":
            self.beats.append(said["count"])
        elif said["event"] == "status":
            self.state = said["state"]
        elif said["frame"] in self.refused:
            return 422
        elif all(key != known["id"] for known in self.verdicts):
            assert key == said["id"]
            self.verdicts.append(said)
        return 200
