"""What people bring from home and take home: files of theirs on their way to and from a backup."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from app.adapters.services import Contents, Facts, Server
from app.errors import Invalid

PIECE = 256 * 1024
HEAD = 1024
"""Bytes in which a dump says what it is."""
TOO_LARGE = "The file holds more than {gigabytes:.1f} GB, which is more than may be brought here."
_NEITHER = "This kind of service is not backed up, so nothing can be brought or taken home."


class NoExchange:
    """For kinds without content."""

    def tidy(self, server: Server, key: str, facts: Facts) -> None:
        """Nothing: nothing is restored into it."""

    def take_in(self, source: BinaryIO, sink: BinaryIO, most: int) -> Contents:
        """Raises `Invalid`."""
        raise Invalid(_NEITHER)

    def hand_out(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Raises `Invalid`."""
        raise Invalid(_NEITHER)


def take_dump(
    source: BinaryIO, sink: BinaryIO, most: int, is_dump: Callable[[bytes], bool], otherwise: str
) -> Contents:
    """Pass a dump on as it is, if its first `HEAD` bytes are those of one. Raises `Invalid` with
    the sentence `otherwise`, or for more than `most` bytes. Nothing is counted: whether it is
    whole is seen when it is restored."""
    head = b""
    while len(head) < HEAD and (piece := source.read(HEAD - len(head))):
        head += piece
    if not is_dump(head):
        raise Invalid(otherwise)
    size, piece = 0, head
    while piece:
        size += len(piece)
        if size > most:
            raise Invalid(too_large(most))
        sink.write(piece)
        piece = source.read(PIECE)
    return Contents()


def hand_on(source: BinaryIO, sink: BinaryIO) -> None:
    """Pass on what the tools of the service themselves open."""
    while piece := source.read(PIECE):
        sink.write(piece)


def too_large(most: int) -> str:
    """That a file holds more than `most` bytes, in words."""
    return TOO_LARGE.format(gigabytes=most / 1024**3)
