"""Reading SQL as pg_dump writes it, statement by statement. Pure: it asks no server.

psql is not used for what people bring: it takes commands of its own (`\\!`, `\\copy`, `\\i`, `\\o`)
anywhere in a line and runs them where it runs. Here a backslash outside of quotes means nothing;
what is cut wrongly is a syntax error of the server's, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.errors import Invalid

_LONGEST = 64 * 1024 * 1024
"""Bytes of a statement; rows of a COPY are not part of one."""
_PIECE = 256 * 1024
_HEAD_LINES = 40
_BEGIN = b"-- PostgreSQL database dump"
_END = b"-- PostgreSQL database dump complete"
_TOKEN = re.compile(
    rb"--[^\n]*|/\*|[eE]'|'|\"|\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$"
    rb"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*|[();]"
)
_ENDS = {b"'": re.compile(rb"'"), b'"': re.compile(rb'"'), b"e'": re.compile(rb"\\[\s\S]|'")}
_COMMENT = re.compile(rb"/\*|\*/")
_COPY = re.compile(rb"COPY\b.*\bFROM\s+stdin\b", re.IGNORECASE | re.DOTALL)
_ROUTINE = re.compile(rb"create (or replace )?(function|procedure) ")
_WORDS = 100
_GUARD = re.compile(rb"\\(un)?restrict \w+\s*")
"""What newer versions of pg_dump write for psql to refuse commands in between."""
_DONE = (b"\\.\n", b"\\.\r\n", b"\\.")
_COMMAND = "Line {}: “{}” is a command for psql. Such commands are not run here."
_TOO_LONG = "The statement that ends in line {} is longer than 64 MB."
_CUT = "The file was cut off: its last statement has no end."


@dataclass(frozen=True)
class Statement:
    """One statement, with the number of its last line. `has_rows`: it is a COPY, and
    `ScriptReader.rows` is to be read before the next one is asked for."""

    text: bytes
    line: int
    has_rows: bool


class ScriptReader:
    """Goes over a script once. Afterwards `is_whole` tells whether it was a dump of one database
    with its end."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._line = 0
        self._begins = self._ends = False
        self._statement = _Pending()
        self._rows_wait = False

    @property
    def is_whole(self) -> bool:
        return self._begins and self._ends

    def statements(self) -> Iterator[Statement]:
        """Raises `Invalid` for a command of psql, and for what has no end."""
        while line := self._next_line():
            if self._statement.is_empty and self._is_aside(line):
                continue
            for text in self._statement.feed(line, self._line):
                self._ends = False
                has_rows = _COPY.match(text) is not None
                self._rows_wait = has_rows
                yield Statement(text, self._line, has_rows)
                if self._rows_wait:
                    raise RuntimeError("the rows of a COPY were not read")
        if not self._statement.is_empty:
            raise Invalid(_CUT)

    def rows(self) -> Iterator[bytes]:
        """The rows of the present COPY as they stand, in pieces. Raises `Invalid` at a cut."""
        pieces: list[bytes] = []
        size, is_start = 0, True
        while piece := self._source.readline(_PIECE):
            if is_start and piece in _DONE:
                self._line += 1
                self._rows_wait = False
                yield b"".join(pieces)
                return
            is_start = piece.endswith(b"\n")
            self._line += is_start
            pieces.append(piece)
            size += len(piece)
            if size >= _PIECE:
                yield b"".join(pieces)
                pieces, size = [], 0
        raise Invalid(_CUT)

    def _next_line(self) -> bytes:
        line = self._source.readline(_LONGEST + 1)
        if len(line) > _LONGEST:
            raise Invalid(_TOO_LONG.format(self._line + 1))
        self._line += bool(line)
        return line

    def _is_aside(self, line: bytes) -> bool:
        """Between statements: nothing, a comment, or what is for psql alone."""
        text = line.strip()
        if text.startswith(b"\\"):
            if _GUARD.fullmatch(text):
                return True
            word = text.split()[0].decode(errors="replace")[:40]
            raise Invalid(_COMMAND.format(self._line, word))
        if text == _BEGIN and self._line <= _HEAD_LINES:
            self._begins = True
        if text == _END:
            self._ends = True
        return not text or text.startswith(b"--")


class _Pending:
    """The statement that is being read, as far as its lines have come."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._quote = b""  # what the present quotes end with, or the tag of dollar quotes
        self._comments = self._parentheses = self._blocks = 0
        self._words = b""  # the first few, in small letters

    @property
    def is_empty(self) -> bool:
        return not self._parts and not self._comments

    def feed(self, line: bytes, number: int) -> Iterator[bytes]:
        """The statements that end in this line, without their semicolon."""
        begin = at = 0
        while (found := self._find(line, at)) is not None:
            at = found.end()
            if self._take(found.group()):
                text = b"".join((*self._parts, line[begin : found.start()])).strip()
                self._clear()
                begin = at
                if text:
                    yield text
        rest = line[begin:]
        if self._parts or self._comments or rest.strip():
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > _LONGEST:
            raise Invalid(_TOO_LONG.format(number))

    def _find(self, line: bytes, at: int) -> re.Match[bytes] | None:
        """What matters next, in quotes and comments only their end."""
        if self._comments:
            return _COMMENT.search(line, at)
        if self._quote:
            ending = _ENDS.get(self._quote) or re.compile(re.escape(self._quote))
            return ending.search(line, at)
        return _TOKEN.search(line, at)

    def _take(self, token: bytes) -> bool:
        """Go on after `token`; whether it ends the statement."""
        if self._comments:
            self._comments += 1 if token == b"/*" else -1
        elif self._quote:
            if not token.startswith(b"\\"):
                self._quote = b""
        elif token.startswith(b"--"):
            pass
        elif token == b"/*":
            self._comments = 1
        elif token[-1:] in (b"'", b'"') or token.startswith(b"$"):
            self._quote = token.lower() if token[-1:] == b"'" else token
        elif token in (b"(", b")"):
            self._parentheses = max(0, self._parentheses + (1 if token == b"(" else -1))
        elif token == b";":
            return not self._parentheses and not self._blocks
        else:
            self._enter_block(token.lower())
        return False

    def _enter_block(self, word: bytes) -> None:
        """Bodies of routines in SQL (BEGIN ATOMIC … END) have semicolons of their own."""
        if len(self._words) < _WORDS:
            self._words += word + b" "
        if word == b"begin":
            self._blocks += _ROUTINE.match(self._words) is not None
        elif self._blocks and word in (b"case", b"end"):
            self._blocks += 1 if word == b"case" else -1
