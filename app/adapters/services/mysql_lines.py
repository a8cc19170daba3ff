"""Reading a dump of `mariadb-dump` or `mysqldump` as it goes by: rows, definers, its end."""

from __future__ import annotations

import hashlib
import io
import re
from typing import BinaryIO

from app.errors import Invalid

_CHECK = b"-- Moonbase SHA-256 "
_HEADS = (b"-- MariaDB dump", b"-- MySQL dump", b"-- mysqldump")
_HEAD = 400
_END = b"-- Dump completed"
_SERVER = re.compile(rb"^-- Server version\t(\d+)\.(\d+)[^\n]*", re.MULTILINE)
_INSERT = re.compile(rb"^INSERT INTO (`(?:[^`]|``)+`) ")
_TABLE = re.compile(rb"^CREATE TABLE (?:IF NOT EXISTS )?(`(?:[^`]|``)+`)")
# Whose rights a view, trigger or routine has. The restored one has its new owner's.
_DEFINER = re.compile(rb"DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` ?")
# A line of rows is passed on as it comes; other lines are short, and looked at as a whole.
_LOOKED_AT = 1024 * 1024
_KEPT = 64 * 1024
_DAMAGED = "The backup is damaged, or is no dump of MariaDB or MySQL."


def is_dump(head: bytes) -> bool:
    """Whether a file that begins like this is a dump."""
    return any(words in head[:_HEAD] for words in _HEADS)


class DumpLines:
    """Takes a dump piece by piece and gives it back without definers.

    `counts` are the rows by table so far; `mariadb-dump` writes each row on a line of its own.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.head = b""
        self.tail = b""
        self.digest = hashlib.sha256()
        self._line = b""
        self._is_data = False  # in the middle of a line that is passed on
        self._table: str | None = None
        self._before = b""
        self._last = b""

    def feed(self, piece: bytes) -> bytes:
        """What can be passed on after this piece."""
        given: list[bytes] = []
        # Not `splitlines`, which cuts at a carriage return within a trigger's text as well.
        for part in io.BytesIO(self._line + piece):
            given.append(self._take(part))
        return self._passed_on(b"".join(given))

    def finish(self) -> bytes:
        """What is left at the end."""
        line, self._line = self._line, b""
        return self._passed_on(line)

    def _passed_on(self, given: bytes) -> bytes:
        self.digest.update(given)
        self.head = (self.head + given)[:_KEPT] if len(self.head) < _KEPT else self.head
        self.tail = (self.tail + given)[-_KEPT:]
        return given

    def _take(self, part: bytes) -> bytes:
        self._line = b""
        is_whole = part.endswith(b"\n")
        if self._is_data:
            self._is_data = not is_whole
            self._end_rows(part)
            return part
        if part.startswith(b"(") and self._table is not None:
            self.counts[self._table] += 1
            self._is_data = not is_whole
            self._end_rows(part)
            return part
        if part.startswith(b"INSERT INTO ") and (found := _INSERT.match(part)):
            self._table = _name(found[1])
            self.counts.setdefault(self._table, 0)
            self._is_data = not is_whole
            return part
        if not is_whole and len(part) < _LOOKED_AT:
            self._line = part  # until the rest of it comes
            return b""
        return self._statement(part)

    def _statement(self, line: bytes) -> bytes:
        # Only where the dump itself makes a table, not in the body of a routine.
        if (found := _TABLE.match(line)) and b"character_set_client" in self._before:
            self.counts.setdefault(_name(found[1]), 0)
        self._before = line
        return _DEFINER.sub(b"", line) if b"DEFINER=" in line else line

    def _end_rows(self, part: bytes) -> None:
        self._last = (self._last + part)[-2:]  # a line may come in many pieces
        if self._last == b";\n":
            self._table = None


class DumpSink(io.RawIOBase):
    """Passes a dump on to `sink`; `close_dump` adds a line by which damage is found later."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self.lines = DumpLines()
        self._sink = sink

    def write(self, piece: object) -> int:
        data = bytes(piece)  # type: ignore[call-overload]
        self._sink.write(self.lines.feed(data))
        return len(data)

    def close_dump(self) -> None:
        """Raises `Invalid` when the dump has no end."""
        self._sink.write(self.lines.finish())
        if _END not in self.lines.tail[-400:]:
            raise Invalid("The dump was broken off.")
        self._sink.write(_CHECK + self.lines.digest.hexdigest().encode() + b"\n")


class DumpSource(io.RawIOBase):
    """Reads a dump from `source`. At its end `check` says whether it was one and is whole."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self.lines = DumpLines()
        self._source = source
        self._is_over = False
        # The last piece is held back: the digest stands in the last line and is not of it.
        self._held = b""
        self._said = b""

    def read(self, size: int = -1) -> bytes:
        while not self._is_over:
            piece = self._source.read(size if size > 0 else _LOOKED_AT)
            given = self._feed(piece)
            if given:
                return given
        return b""

    def _feed(self, piece: bytes) -> bytes:
        if piece:
            data = self._held + piece
            self._held = data[-_KEPT:]
            return self.lines.feed(data[:-_KEPT])
        self._is_over = True
        before, mark, after = self._held.rpartition(_CHECK)
        if mark and (before.endswith(b"\n") or not before):
            self._held, self._said = before, after.strip()
        return self.lines.feed(self._held) + self.lines.finish()

    def check(self, name: str, version: tuple[int, int]) -> None:
        """Raises `Invalid` when it is damaged, or of a MariaDB newer than `version`."""
        lines = self.lines
        is_changed = self._said and self._said != lines.digest.hexdigest().encode()
        if not is_dump(lines.head) or _END not in lines.tail[-400:] or is_changed:
            raise Invalid(_DAMAGED)
        made_by = _SERVER.search(lines.head)
        if made_by and b"MariaDB" in made_by[0]:
            made = (int(made_by[1]), int(made_by[2]))
            if made > version:
                raise Invalid(f"The backup is of MariaDB {made[0]}.{made[1]}, newer than {name}.")


def _name(quoted: bytes) -> str:
    return quoted[1:-1].replace(b"``", b"`").decode(errors="replace")
