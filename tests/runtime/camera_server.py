"""A camera at an HTTP address: JPEG pictures without end, which the test lets hang, break off or come damaged."""

from __future__ import annotations

import base64
import threading
import time
from contextlib import suppress
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np


class Mood(Enum):
    """What the camera does."""

    SENDS = "pictures"
    HANGS = "nothing, and it keeps the connection"
    SENDS_GARBAGE = "bytes that are no pictures"
    SENDS_CUT = "pictures that lack their second half"
    REFUSES = "no answer but an error"


class CameraServer:
    """A server on loopback whose pictures have the grey value `number % 200 + 20`.

    Args:
        per_second: Pictures a second.
        credentials: `user:password` that it asks for.
        size: Width and height of its pictures.
    """

    def __init__(
        self, *, per_second: float = 100.0, credentials: str = "", size: tuple[int, int] = (64, 48), port: int = 0
    ) -> None:
        self.mood = Mood.SENDS
        self.per_second, self.credentials, self.size = per_second, credentials, size
        self.sent = 0
        self.clients = 0
        self._gone = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        """Where its stream is."""
        return f"http://127.0.0.1:{self.port}/stream"

    def die(self) -> None:
        """Close the port and all connections."""
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.clients += 1
                with suppress(OSError):
                    camera._answer(self)
                camera.clients -= 1
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
                pass

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        given = request.headers.get("Authorization", "")
        if self.credentials and given != "Basic " + base64.b64encode(self.credentials.encode()).decode():
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        if self.mood is Mood.REFUSES:
            request.send_error(503)
            return
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=picture")
        request.end_headers()
        while not self._gone.is_set():
            if self.mood is not Mood.HANGS:
                self._send(request)
            time.sleep(1 / self.per_second)

    def _send(self, request: BaseHTTPRequestHandler) -> None:
        width, height = self.size
        picture = np.full((height, width, 3), self.sent % 200 + 20, np.uint8)
        content = cv2.imencode(".jpg", picture)[1].tobytes()
        if self.mood is Mood.SENDS_GARBAGE:
            content = bytes(len(content))
        elif self.mood is Mood.SENDS_CUT:
            content = content[: len(content) * 3 // 4]
        head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
        request.wfile.write(head.encode() + content + b"\r\n")
        request.wfile.flush()
        self.sent += 1
