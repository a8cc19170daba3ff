"""Reading what nobody will look at, so that whoever sends it hears the answer."""

from __future__ import annotations

from flask import request

DRAINED_BYTES = 512 * 1024**2
CHUNK = 64 * 1024


def drain() -> None:
    """Read a body that nobody has begun to read and forget it, up to a limit. A client that is
    answered and cut off while it still sends mostly reports a broken connection instead."""
    # The property keeps the stream once somebody has asked for it: then how much of the body is
    # left is not known, and reading beyond its end would wait for ever.
    if "stream" in request.__dict__:
        return
    left = min(DRAINED_BYTES, request.content_length or 0)
    try:
        while left > 0 and (data := request.environ["wsgi.input"].read(min(CHUNK, left))):
            left -= len(data)
    except OSError:  # it has hung up
        return
