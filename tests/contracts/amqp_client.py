"""So much of AMQP 0-9-1 as a site needs that puts tasks into a queue and takes them out.

No client library is among the panel's requirements: the panel itself never speaks AMQP.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from urllib.parse import unquote, urlsplit

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_FRAME_END = b"\xce"
# Classes and methods, as the protocol numbers them.
_START_OK, _TUNE_OK, _OPEN, _CLOSE = (10, 11), (10, 31), (10, 40), (10, 50)
_CHANNEL_OPEN, _CHANNEL_CLOSE = (20, 10), (20, 40)
_DECLARE, _PUBLISH, _GET, _GET_OK = (50, 10), (60, 40), (60, 70), (60, 71)
_ACK, _RECOVER, _SELECT = (60, 80), (60, 110), (85, 10)
_CHANNEL = 1
_DURABLE, _LASTING = b"\x02", 2


class Refused(Exception):
    """The server closed what should have been opened; `code` is AMQP's, 0 without one."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class AmqpConnection:
    """A context manager: an open connection to the virtual host of an `amqp://` URL."""

    def __init__(self, url: str, host: str | None = None) -> None:
        """`host` is where to connect instead of the URL's, whose name only sites can resolve."""
        parts = urlsplit(url)
        self._vhost = unquote(parts.path.removeprefix("/"))
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._socket = socket.create_connection((host or parts.hostname, parts.port or 5672), 10)
        self._has_channel = False

    def __enter__(self) -> AmqpConnection:
        try:
            self._open()
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def is_open(self) -> bool:
        """Whether the server still holds it: to one that asks nothing it only says the end."""
        self._socket.settimeout(0.2)
        try:
            self._socket.recv(1)
        except TimeoutError:
            return True
        except OSError:
            return False
        return False

    def publish(self, queue: str, messages: Sequence[bytes]) -> None:
        """Put lasting messages into a durable queue, and wait until the server has them safe."""
        self._declare(queue)
        self._ask(_CHANNEL, _SELECT, b"\0")
        for message in messages:
            self._send(_CHANNEL, _PUBLISH, b"\0\0", _short(""), _short(queue), b"\0")
            lasting = struct.pack(">HHQHB", 60, 0, len(message), 0x1000, _LASTING)
            self._frame(_HEADER, _CHANNEL, lasting)
            self._frame(_BODY, _CHANNEL, message)
        confirmed = 0
        while confirmed < len(messages):
            method, payload = self._method()
            if method == _ACK:
                (confirmed,) = struct.unpack(">Q", payload[:8])

    def read(self, queue: str) -> list[bytes]:
        """All messages of the queue, which stay in it."""
        self._declare(queue)
        found = []
        while self._ask(_CHANNEL, _GET, b"\0\0", _short(queue), b"\0")[0] == _GET_OK:
            (size,) = struct.unpack(">Q", self._next()[1][4:12])
            message = b""
            while len(message) < size:
                message += self._next()[1]
            found.append(message)
        self._ask(_CHANNEL, _RECOVER, b"\x01")
        return found

    def _declare(self, queue: str) -> None:
        if not self._has_channel:
            self._ask(_CHANNEL, _CHANNEL_OPEN, _short(""))
            self._has_channel = True
        self._ask(_CHANNEL, _DECLARE, b"\0\0", _short(queue), _DURABLE, _table(b""))

    def _open(self) -> None:
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._method()
        # Says that the client understands a refusal; to others it comes after three seconds.
        understands = _table(_short("authentication_failure_close") + b"t\x01")
        _, tuning = self._ask(
            0,
            _START_OK,
            _table(_short("capabilities") + b"F" + understands),
            _short("PLAIN"),
            _table(f"\0{self._user}\0{self._password}".encode()),
            _short("en_US"),
        )
        self._send(0, _TUNE_OK, tuning[:8])
        self._ask(0, _OPEN, _short(self._vhost), b"\0\0")

    def _ask(
        self, channel: int, method: tuple[int, int], *arguments: bytes
    ) -> tuple[tuple[int, int], bytes]:
        self._send(channel, method, *arguments)
        return self._method()

    def _send(self, channel: int, method: tuple[int, int], *arguments: bytes) -> None:
        self._frame(_METHOD, channel, struct.pack(">HH", *method) + b"".join(arguments))

    def _frame(self, kind: int, channel: int, payload: bytes) -> None:
        head = struct.pack(">BHI", kind, channel, len(payload))
        self._socket.sendall(head + payload + _FRAME_END)

    def _method(self) -> tuple[tuple[int, int], bytes]:
        """The next method and its arguments. Raises `Refused`."""
        _, payload = self._next()
        method: tuple[int, int] = struct.unpack(">HH", payload[:4])
        if method in (_CLOSE, _CHANNEL_CLOSE):
            (code,) = struct.unpack(">H", payload[4:6])
            raise Refused(code, payload[7 : 7 + payload[6]].decode())
        return method, payload[4:]

    def _next(self) -> tuple[int, bytes]:
        while True:
            kind, _, size = struct.unpack(">BHI", self._exactly(7))
            payload = self._exactly(size + 1)[:-1]
            if kind != _HEARTBEAT:
                return kind, payload

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            try:
                piece = self._socket.recv(count - len(found))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Refused(0, "closed without a word")
            found += piece
        return found


def _short(text: str) -> bytes:
    return struct.pack(">B", len(text)) + text.encode()


def _table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content
