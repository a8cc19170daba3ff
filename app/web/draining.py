"""Reading what nobody will look at, so that whoever sends it hears the answer."""

from __future__ import annotations

from flask import request

DRAINED_BYTES = 512 * 1024**2
CHUNK = 64 * 1024


def drain() -> None:
    """Read the rest of the request's body and forget it, up to a limit. A client that is answered
    and cut off while it still sends mostly reports a broken connection instead of the answer."""
    stream = request.environ["wsgi.input"]
    # Without a length the body may have no end of its own on this server.
    if not (request.content_length or request.environ.get("wsgi.input_terminated")):
        return
    left = min(DRAINED_BYTES, request.content_length or DRAINED_BYTES)
    try:
        while left > 0 and (data := stream.read(min(CHUNK, left))):
            left -= len(data)
    except OSError:  # it has hung up
        return
