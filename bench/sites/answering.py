"""A site with everything a switch could hurt, on the standard library; runs inside a container.

GET / answers the version; POST / the length of the body; GET /slow after five seconds; GET /events
is SSE, one event a second; GET /socket a WebSocket that says one word a second. On SIGTERM it
takes no new connection, ends what is open in good order and exits, unless told to ignore it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import signal
from pathlib import Path

VERSION = Path("version.txt").read_text().encode()
IGNORES_TERM = Path("ignores_term.txt").read_text() == "yes"
SLOW_SECONDS = 5
KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
ENDING = asyncio.Event()
OPEN: set[asyncio.Task[None]] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, kept until the client closes it or the site ends."""
    task = asyncio.current_task()
    assert task
    OPEN.add(task)
    try:
        while await answer(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        OPEN.discard(task)
        writer.close()


async def read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    """Method, path and headers of the next request; None when the site ends before one comes."""
    reading = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
    ending = asyncio.ensure_future(ENDING.wait())
    await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    if not reading.done():
        # A request may be on its way just now: it gets its answer before the connection ends.
        await asyncio.wait({reading}, timeout=1)
    if not reading.done():
        reading.cancel()
        return None
    first, *lines = (await reading).decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return method, path, headers


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request; whether the connection goes on."""
    request = await read_head(reader)
    if request is None:
        return False
    method, path, headers = request
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    if path == "/events":
        await send_events(writer)
        return False
    if path == "/socket":
        await send_words(headers["sec-websocket-key"].encode(), writer)
        return False
    if path == "/slow":
        await asyncio.sleep(SLOW_SECONDS)
    content = str(len(body)).encode() if method == "POST" else VERSION
    closes = ENDING.is_set() or headers.get("connection", "").lower() == "close"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n"
    head += "Connection: close\r\n" if closes else ""
    writer.write(head.encode() + b"\r\n" + content)
    await writer.drain()
    return not closes


async def pause() -> bool:
    """A second; whether the site goes on."""
    try:
        await asyncio.wait_for(ENDING.wait(), 1)
    except TimeoutError:
        return True
    return False


async def send_events(writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    event = b"data: " + VERSION + b"\n\n"
    while True:
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
        if not await pause():
            break
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def send_words(key: bytes, writer: asyncio.StreamWriter) -> None:
    accepted = base64.b64encode(hashlib.sha1(key + KEY_SUFFIX).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
    )
    while True:
        writer.write(bytes([0x81, len(VERSION)]) + VERSION)
        await writer.drain()
        if not await pause():
            break
    writer.write(b"\x88\x02\x03\xe9")  # close, 1001: going away
    await writer.drain()


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "0.0.0.0", 8000, backlog=1024)
    loop.add_signal_handler(signal.SIGTERM, (lambda: None) if IGNORES_TERM else ENDING.set)
    await ENDING.wait()
    server.close()
    if OPEN:
        await asyncio.wait(OPEN, timeout=9)


if __name__ == "__main__":
    asyncio.run(main())
