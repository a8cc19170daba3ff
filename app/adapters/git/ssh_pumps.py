"""Moving bytes between an SSH session and a git process.

Plain read, write and drain loops: asyncssh's own `redirect()` to a stream lost 9 of 34 large
clones ("early EOF"), these none.
"""

from __future__ import annotations

import asyncio
import logging
import signal

import asyncssh

from app.adapters.git.running import signal_group
from app.errors import Unavailable

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_GRACE = 2.0  # seconds git has to tidy up before it is killed

_Gone = (OSError, asyncssh.Error)


async def serve_process(
    process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process, limit: float
) -> int:
    """Connect the two until the child ends; returns its exit code, 1 for a signal or a client
    that has gone. No process of the child's group is left, whatever happens.

    Raises `Unavailable` after `limit` seconds.
    """
    if child.stdin is None:
        raise ValueError("the child must be started with pipes")
    feed = asyncio.create_task(_feed(process, child.stdin))
    answer = asyncio.create_task(_answer(process, child))
    gone = asyncio.create_task(process.channel.wait_closed())
    try:
        done, _ = await asyncio.wait(
            {answer, gone}, timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
        if not done:
            minutes = max(1, round(limit / 60))
            raise Unavailable(f"This took longer than {minutes} minutes and was ended.")
        # Both may be done: a client that closes at once after the last byte got everything.
        if answer in done:
            await answer
    except* _Gone as error:
        log.debug("the client has gone: %s", error)
    finally:
        await _end(child)
        for task in (feed, answer, gone):
            task.cancel()
        await asyncio.gather(feed, answer, gone, return_exceptions=True)
        await _empty(child)
    return child.returncode if child.returncode is not None and child.returncode >= 0 else 1


async def _feed(process: asyncssh.SSHServerProcess[bytes], target: asyncio.StreamWriter) -> None:
    """The client's bytes to git. When git has stopped listening (it refused a push) the rest is
    read and dropped, so that the client comes to reading the reason."""
    is_open = True
    try:
        while chunk := await process.stdin.read(_CHUNK):
            if is_open:
                try:
                    target.write(chunk)
                    await target.drain()
                except OSError:
                    is_open = False
    except (*_Gone, asyncssh.BreakReceived, asyncssh.SignalReceived) as error:
        log.debug("the client's stream ended: %s", error)
    finally:
        target.close()


async def _answer(
    process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process
) -> None:
    if child.stdout is None or child.stderr is None:
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(_carry(child.stdout, process.stdout))
        group.create_task(_carry(child.stderr, process.stderr))
    await child.wait()


async def _carry(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    while chunk := await source.read(_CHUNK):
        target.write(chunk)
        await target.drain()


async def _end(child: asyncio.subprocess.Process) -> None:
    """End the child's whole group, first asking, so that git removes its temporary files."""
    if child.returncode is None:
        signal_group(child.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), _GRACE)
        except TimeoutError:
            log.info("a git process did not end when asked")
        signal_group(child.pid, signal.SIGKILL)
    await child.wait()


async def _empty(child: asyncio.subprocess.Process) -> None:
    """Read what nobody wanted: only at its end does asyncio close a pipe, else it stays open."""
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            try:
                async with asyncio.timeout(_GRACE):
                    while await stream.read(_CHUNK):
                        pass
            except TimeoutError:
                log.warning("a git process left its output open")
    if child.stdin is not None:
        child.stdin.close()
        try:
            await child.stdin.wait_closed()
        except OSError as error:  # asyncio keeps what broke the pipe for whoever asks
            log.debug("git had stopped listening: %s", error)
