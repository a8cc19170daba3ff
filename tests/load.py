"""A steady load on one address, with every failure counted. Used by contract tests and the bench.

Plain sockets on purpose: aiohttp and requests repeat a lost request by themselves and would hide
exactly what is to be found.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """What to send: `rate` requests a second to `address`, asking for `host`."""

    address: tuple[str, int]
    host: str
    path: str = "/"
    rate: float = 200
    keep_alive: bool = True
    method: str = "GET"
    body: bytes = b""
    timeout: float = 10

    def request(self) -> bytes:
        """The bytes of one request."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: {self.host}\r\n"
        if self.body:
            head += f"Content-Length: {len(self.body)}\r\n"
        if not self.keep_alive:
            head += "Connection: close\r\n"
        return head.encode() + b"\r\n" + self.body


@dataclass
class Outcome:
    """What came of it. `failures` by kind; `longest_gap` seconds between two good answers;
    `losses` tells of each failure at which time it came and after how many seconds of waiting."""

    sent: int = 0
    good: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    answers: Counter[bytes] = field(default_factory=Counter)
    longest_gap: float = 0
    losses: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(self.failures.values())

    def percentile(self, share: float) -> float:
        """Seconds within which `share` (0 to 1) of the good answers came."""
        ordered = sorted(self.seconds) or [0.0]
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LoadGenerator:
    """Runs a load in a thread of its own: `with LoadGenerator(load) as running: …`, then `outcome`.

    Requests start by the clock whether or not earlier ones were answered. A kept connection that
    the server closed while idle is replaced without counting: no request was on it.
    """

    def __init__(self, load: Load) -> None:
        self.load = load
        self.outcome = Outcome()
        self._stop = threading.Event()
        self._idle: list[Connection] = []
        self._last_good = 0.0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> LoadGenerator:
        self._thread.start()
        return self

    def stop(self) -> Outcome:
        """Send no more, wait for what is under way, return the outcome."""
        self._stop.set()
        self._thread.join(self.load.timeout + 5)
        return self.outcome

    def __enter__(self) -> LoadGenerator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        started = self._last_good = time.monotonic()
        while not self._stop.is_set():
            due = int((time.monotonic() - started) * self.load.rate) - self.outcome.sent
            for _ in range(due):
                self.outcome.sent += 1
                task = asyncio.create_task(self._send())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            next_due = started + (self.outcome.sent + 1) / self.load.rate
            await asyncio.sleep(max(0.001, next_due - time.monotonic()))
        await asyncio.gather(*tasks)
        self._note_gap()
        for _, writer in self._idle:
            writer.close()

    async def _send(self) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.load.timeout):
                status, body = await self._exchange()
        except TimeoutError:
            self._note_loss("timeout", started)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self._note_loss(type(error).__name__, started)
        else:
            if 200 <= status < 300:
                self.outcome.good += 1
                self.outcome.answers[body[:100]] += 1
                self.outcome.seconds.append(time.monotonic() - started)
                self._note_gap()
            else:
                self._note_loss(str(status), started)

    def _note_loss(self, kind: str, started: float) -> None:
        self.outcome.failures[kind] += 1
        moment = time.strftime("%H:%M:%S")
        self.outcome.losses.append(f"{kind} at {moment} after {time.monotonic() - started:.2f} s")

    def _note_gap(self) -> None:
        now = time.monotonic()
        self.outcome.longest_gap = max(self.outcome.longest_gap, now - self._last_good)
        self._last_good = now

    async def _connect(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(*self.load.address)

    async def _exchange(self) -> tuple[int, bytes]:
        reader, writer = await self._connect()
        kept = False
        try:
            writer.write(self.load.request())
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = int(head.split(" ", 2)[1])
            body = await _read_body(reader, head)
            kept = self.load.keep_alive and "\r\nconnection: close" not in head
            return status, body
        finally:
            if kept:
                self._idle.append((reader, writer))
            else:
                writer.close()


async def _read_body(reader: asyncio.StreamReader, head: str) -> bytes:
    _, told, rest = head.partition("\r\ncontent-length:")
    if told:
        return await reader.readexactly(int(rest.split("\r\n", 1)[0]))
    if "\r\ntransfer-encoding: chunked" not in head:
        return await reader.read()
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body
