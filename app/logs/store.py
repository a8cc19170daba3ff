"""An append-only log in chunk files, with a limit and stable positions.

A position is a byte offset in everything ever written, so a reader that comes back asks from where
it stopped: pages, downloads and live tails read the same files, and a live tail needs no second
copy anywhere. Written by one process at a time, read by many.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1024**2
"""A chunk may be three bytes longer, to end with a whole character."""
LONGEST_CHARACTER = 4
CONTINUATION = bytes(range(0x80, 0xC0))
"""Bytes inside a UTF-8 character; a tail that begins there begins with the next one."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a log. `position` is where the next one begins; `text` holds whole lines
    where the log does."""

    text: str
    position: int


class ChunkedLog:
    """The log kept in `directory`. `head_bytes` and `tail_bytes` are kept, what lies between goes.

    A deployment log keeps the first 5 and the last 15 MB (architecture §4); a runtime log keeps
    only its end.
    """

    def __init__(self, directory: Path, head_bytes: int, tail_bytes: int) -> None:
        self.directory = directory
        self.head_bytes = head_bytes
        self.tail_bytes = tail_bytes

    def append(self, text: str) -> None:
        """Add text; a reader sees it at once."""
        data = text.encode(errors="replace")
        self.directory.mkdir(parents=True, exist_ok=True)
        while data:
            chunk = self._last_chunk()
            room = CHUNK_BYTES - chunk.stat().st_size if chunk else 0
            if chunk is None or room <= 0:
                chunk = self._begin_chunk(chunk)
                room = CHUNK_BYTES
            # A character is never split: a reader takes each chunk by itself.
            while room < len(data) and data[room] & 0xC0 == 0x80:
                room += 1
            with chunk.open("ab") as file:
                file.write(data[:room])
            data = data[room:]

    def read(self, position: int, limit: int = 256 * 1024) -> Piece:
        """Up to `limit` bytes from `position` on. Empty text: nothing new yet.

        Where the middle was cut, a line says so and reading goes on behind it. A character that
        the limit would split stays for the next piece.
        """
        for chunk in self._chunks():
            start = int(chunk.stem)
            if start + CHUNK_BYTES + LONGEST_CHARACTER <= position:
                continue
            if start > position:
                return Piece(f"… {start - position} bytes were cut here …\n", start)
            try:
                with chunk.open("rb") as file:
                    file.seek(position - start)
                    data = _whole_characters(file.read(limit))
            except FileNotFoundError:  # the writer has cut it just now
                continue
            if data:
                text = data.lstrip(CONTINUATION).decode(errors="replace")
                return Piece(text, position + len(data))
        return Piece("", position)

    def read_all(self) -> str:
        """Everything that is kept."""
        parts: list[str] = []
        piece = self.read(0)
        while piece.text:
            parts.append(piece.text)
            piece = self.read(piece.position)
        return "".join(parts)

    def tail(self, lines: int, limit: int = 512 * 1024) -> Piece:
        """The last `lines` lines, out of at most the last `limit` bytes."""
        end = self.end()
        start = max(0, end - limit)
        parts: list[str] = []
        piece = self.read(start, limit)
        while piece.text:
            parts.append(piece.text)
            piece = self.read(piece.position, limit)
        kept = "".join(parts).splitlines(keepends=True)
        return Piece("".join(kept[-lines:]), piece.position)

    def end(self) -> int:
        """The position behind the last byte."""
        chunk = self._last_chunk()
        return int(chunk.stem) + chunk.stat().st_size if chunk else 0

    def size(self) -> int:
        """Bytes on disk."""
        return sum(chunk.stat().st_size for chunk in self._chunks())

    def delete(self) -> None:
        """Remove it; silent when it is gone."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _begin_chunk(self, last: Path | None) -> Path:
        start = int(last.stem) + last.stat().st_size if last else 0
        chunk = self.directory / f"{start:015d}.chunk"
        chunk.touch(mode=0o640)
        self._cut()
        return chunk

    def _cut(self) -> None:
        chunks = self._chunks()
        tail = [chunk for chunk in chunks if int(chunk.stem) >= self.head_bytes]
        surplus = len(tail) - max(1, self.tail_bytes // CHUNK_BYTES)
        for chunk in tail[: max(0, surplus)]:
            chunk.unlink()

    def _last_chunk(self) -> Path | None:
        chunks = self._chunks()
        return chunks[-1] if chunks else None

    def _chunks(self) -> list[Path]:
        return sorted(self.directory.glob("*.chunk"))


def _whole_characters(data: bytes) -> bytes:
    """`data` without a UTF-8 character that its end cuts in two."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return data
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < length else data
    return data


class LogStore:
    """All logs of the installation under `root`."""

    def __init__(self, root: Path, deployment_bytes: int, runtime_bytes: int) -> None:
        self._root = root
        self._deployment_bytes = deployment_bytes
        self._runtime_bytes = runtime_bytes

    def deployment(self, uuid: str) -> ChunkedLog:
        """The log of one deployment: its first quarter and its last three quarters are kept."""
        head = self._deployment_bytes // 4
        return ChunkedLog(
            self._root / "deployments" / uuid[:2] / uuid, head, self._deployment_bytes - head
        )

    def runtime(self, environment_uuid: str) -> ChunkedLog:
        """What an environment's containers print: the end of it."""
        directory = self._root / "runtime" / environment_uuid[:2] / environment_uuid
        return ChunkedLog(directory, 0, self._runtime_bytes)

    def cron_run(self, environment_uuid: str, run_uuid: str) -> ChunkedLog:
        """What one run of a cron job printed; its writer keeps it short."""
        directory = self._cron(environment_uuid) / run_uuid
        return ChunkedLog(directory, CHUNK_BYTES, CHUNK_BYTES)

    def delete_cron_runs(self, environment_uuid: str) -> None:
        """Remove what all cron jobs of an environment printed; silent when there is nothing."""
        shutil.rmtree(self._cron(environment_uuid), ignore_errors=True)

    def _cron(self, environment_uuid: str) -> Path:
        return self._root / "cron" / environment_uuid[:2] / environment_uuid
