"""Connections held open for a whole run: SSE and WebSocket, each opened anew when its site ends it.

A connection that ends without its ending (the last chunk; a close frame) was torn, and counts.
So does one that cannot be opened.
"""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

SILENCE_SECONDS = 5.0
"""The site says something each second; longer silence is a failure."""
CLOSE_FRAME = 0x88


@dataclass
class HeldOutcome:
    """Over all connections: how often opened, messages heard, ended in order, and failures."""

    opened: int = 0
    heard: int = 0
    ended: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


class HeldConnections:
    """`count` connections to `path` of `host`, each in a thread, while the block runs."""

    def __init__(self, address: tuple[str, int], host: str, path: str, count: int) -> None:
        self.outcome = HeldOutcome()
        self._address, self._host, self._path = address, host, path
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._hold, daemon=True) for _ in range(count)]

    def __enter__(self) -> HeldConnections:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SILENCE_SECONDS + 2)

    def _hold(self) -> None:
        while not self._stop.is_set():
            try:
                ended = self._hold_one()
            except (OSError, ValueError) as error:
                if not self._stop.is_set():
                    self._fail(type(error).__name__)
                    time.sleep(0.5)
            else:
                if ended:
                    self._count("ended")

    def _hold_one(self) -> bool:
        """Open and listen until the end in order (True) or until we stop (False)."""
        with socket.create_connection(self._address, 5) as line, line.makefile("rb") as stream:
            line.settimeout(SILENCE_SECONDS)
            line.sendall(self._request())
            status = int(stream.readline().split(b" ", 2)[1])
            while stream.readline() not in (b"\r\n", b""):
                pass
            if status not in (101, 200):
                raise ValueError(f"status {status}")
            self._count("opened")
            read = self._read_frame if status == 101 else self._read_chunk
            while read(stream):
                self._count("heard")
                if self._stop.is_set():
                    return False
        return True

    def _request(self) -> bytes:
        head = f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\n"
        if self._path == "/socket":
            key = base64.b64encode(os.urandom(16)).decode()
            head += "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        return head.encode() + b"\r\n"

    def _read_chunk(self, stream: object) -> bool:
        """One chunk of SSE; False for the last, empty one."""
        line = stream.readline()  # type: ignore[attr-defined]
        size = int(line, 16)  # ValueError for an end without the last chunk
        stream.read(size + 2)  # type: ignore[attr-defined]
        return size > 0

    def _read_frame(self, stream: object) -> bool:
        """One frame of at most 125 bytes; False for a close frame."""
        head = stream.read(2)  # type: ignore[attr-defined]
        if len(head) < 2:
            raise ValueError("torn")
        stream.read(head[1])  # type: ignore[attr-defined]
        return bool(head[0] != CLOSE_FRAME)

    def _count(self, what: str) -> None:
        with self._lock:
            setattr(self.outcome, what, getattr(self.outcome, what) + 1)

    def _fail(self, why: str) -> None:
        with self._lock:
            self.outcome.failures[why] += 1
