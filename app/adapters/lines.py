"""Cutting a byte stream into lines of text; shared by the adapters that read program output."""

from __future__ import annotations

import codecs

# Longest piece of a line handed on, in characters. Docker's own log messages are cut at 16 KiB
# of bytes, so a longer piece could not be read back from a log anyway.
LONGEST_LINE = 16 * 1024


class LineCutter:
    """Turns chunks of bytes into lines without newline, each at most `LONGEST_LINE` characters.

    What is not UTF-8 becomes U+FFFD; a character cut by a chunk's border is put together again.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that `chunk` completes; the rest is kept, but never more than one piece."""
        *complete, self._rest = (self._rest + self._decoder.decode(chunk)).split("\n")
        lines = [piece for line in complete for piece in cut(line.removesuffix("\r"))]
        while len(self._rest) > LONGEST_LINE:
            lines.append(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]
        return lines

    def release(self) -> list[str]:
        """The unfinished line as it stands, as a piece of its own; none when there is none."""
        rest, self._rest = self._rest, ""
        return cut(rest) if rest else []

    def finish(self) -> list[str]:
        """What is left when the stream has ended: one unfinished line, or nothing."""
        rest = self._rest + self._decoder.decode(b"", final=True)
        self._rest = ""
        return cut(rest.removesuffix("\r")) if rest else []


def cut(line: str) -> list[str]:
    """`line` in pieces of at most `LONGEST_LINE` characters; one empty piece when it is empty."""
    return [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)] or [""]
