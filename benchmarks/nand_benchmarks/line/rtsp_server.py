"""An RTSP camera in small, as a process: JPEG pictures over RTP (RFC 2435) within the RTSP connection (RFC 2326)."""

from __future__ import annotations

import random
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from nand_benchmarks.line.parts import SIZE
from nand_benchmarks.line.stream_pictures import Pictures, server_arguments

_CLOCK_HZ = 90_000
_PAYLOAD_JPEG = 26
_MOST_BYTES = 1400
_TYPE_420, _TABLES_FOLLOW = 1, 255
_DQT, _SOS = 0xDB, 0xDA


@dataclass(frozen=True)
class JpegParts:
    """What RTP sends of a baseline JPEG.

    Attributes:
        tables: Two quantisation tables, 64 bytes each, in zigzag order.
        scan: The entropy-coded data, without the end's marker.
    """

    tables: bytes
    scan: bytes


def parse_jpeg(content: bytes) -> JpegParts:
    """Take a baseline JPEG apart.

    Raises:
        ValueError: It is none, or its tables are not two of 8 bits.
    """
    tables: dict[int, bytes] = {}
    place = 2
    while place + 4 <= len(content):
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        segment = content[place + 4 : place + 2 + length]
        if marker == _DQT:
            for start in range(0, len(segment), 65):
                tables[segment[start]] = segment[start + 1 : start + 65]
        place += 2 + length
        if marker == _SOS:
            if sorted(tables) != [0, 1]:
                raise ValueError(f"tables {sorted(tables)}")
            return JpegParts(tables[0] + tables[1], content[place:-2])
    raise ValueError("no baseline JPEG")


def rtp_packets(content: bytes, *, sequence: int, timestamp: int, source: int) -> Iterator[bytes]:
    """The RTP packets of a picture.

    Args:
        content: A JPEG of `SIZE`, its colours at half the resolution both ways.
        sequence: Number of the first packet.
        timestamp: Of the picture, in ticks of 90 kHz.
        source: Identity of the stream.
    """
    parts = parse_jpeg(content)
    offset = 0
    while offset < len(parts.scan):
        tables = struct.pack("!BBH", 0, 0, len(parts.tables)) + parts.tables if offset == 0 else b""
        piece = parts.scan[offset : offset + _MOST_BYTES - len(tables)]
        is_last = offset + len(piece) == len(parts.scan)
        header = struct.pack(
            "!BBHII", 0x80, (0x80 if is_last else 0) | _PAYLOAD_JPEG, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, source
        )
        jpeg_header = struct.pack("!I", offset) + bytes([_TYPE_420, _TABLES_FOLLOW, SIZE[1] // 8, SIZE[0] // 8])
        yield header + jpeg_header + tables + piece
        offset += len(piece)
        sequence += 1


class Server(socketserver.ThreadingTCPServer):
    """Serves one stream on loopback.

    Args:
        port: Its port.
        pictures: What it sends.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, pictures: Pictures) -> None:
        self.pictures = pictures
        super().__init__(("127.0.0.1", port), _Session)


class _Session(socketserver.StreamRequestHandler):
    server: Server

    def setup(self) -> None:
        super().setup()
        self._lock, self._gone = threading.Lock(), threading.Event()

    def handle(self) -> None:
        """Answer requests until the client is gone."""
        with suppress(OSError, ValueError):
            while not self._gone.is_set() and (request := self._request()) is not None:
                method, address, headers = request
                self._answer(method, address, headers)
        self._gone.set()

    def _request(self) -> tuple[str, str, dict[str, str]] | None:
        line = self.rfile.readline(8192)
        while line[:1] == b"$":
            # What the client reports of its reception; its length stands in the two bytes after the channel.
            line += self.rfile.read(max(4 - len(line), 0))
            rest = 4 + int.from_bytes(line[2:4], "big") - len(line)
            line = line[4 + int.from_bytes(line[2:4], "big") :] if rest < 0 else self._skipped(rest)
        if not line.strip():
            return None
        method, address, _ = line.decode("ascii").split(maxsplit=2)
        headers = {}
        while (line := self.rfile.readline(8192)).strip():
            key, _, value = line.decode("ascii").partition(":")
            headers[key.strip().lower()] = value.strip()
        return method, address, headers

    def _skipped(self, count: int) -> bytes:
        self.rfile.read(count)
        return self.rfile.readline(8192)

    def _answer(self, method: str, address: str, headers: dict[str, str]) -> None:
        number = headers.get("cseq", "0")
        if method == "OPTIONS":
            self._say(number, {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"})
        elif method == "DESCRIBE":
            self._say(number, {"Content-Base": f"{address}/", "Content-Type": "application/sdp"}, _description())
        elif method == "SETUP" and "TCP" not in headers.get("transport", ""):
            self._say(number, {}, status="461 Unsupported Transport")
        elif method == "SETUP":
            self._say(number, {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1", "Session": "1;timeout=60"})
        elif method == "PLAY":
            self._say(number, {"Session": "1", "Range": "npt=0.000-"})
            threading.Thread(target=self._play, daemon=True).start()
        elif method == "TEARDOWN":
            self._say(number, {"Session": "1"})
            self._gone.set()
        else:
            self._say(number, {"Session": "1"})

    def _say(self, number: str, headers: dict[str, str], body: str = "", *, status: str = "200 OK") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {number}", *(f"{key}: {value}" for key, value in headers.items())]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self._lock:
            self.wfile.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode("ascii"))

    def _play(self) -> None:
        sequence, source = 0, random.getrandbits(32)
        began = time.monotonic()
        with suppress(OSError):
            for picture in self.server.pictures.paced():
                if self._gone.is_set():
                    return
                timestamp = int((time.monotonic() - began) * _CLOCK_HZ)
                packets = list(rtp_packets(picture, sequence=sequence, timestamp=timestamp, source=source))
                sequence += len(packets)
                with self._lock:
                    for packet in packets:
                        self.wfile.write(b"$\x00" + struct.pack("!H", len(packet)) + packet)
        self._gone.set()


def _description() -> str:
    media = (f"m=video 0 RTP/AVP {_PAYLOAD_JPEG}", "a=control:track1")
    return "\r\n".join(("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=line", "c=IN IP4 0.0.0.0", "t=0 0", *media, ""))


def main() -> None:
    """Serve until the process is ended."""
    options = server_arguments(__doc__)
    Server(options.port, Pictures(options.ledger, per_second=options.per_second)).serve_forever()


if __name__ == "__main__":
    main()
