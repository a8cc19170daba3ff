"""The tar inside: what it is made of, and reading it without believing it.

`moonbase.json` first, then `database/…` and `files/…`, and `SHA256SUMS` last, as `sha256sum
--check` reads it: an archive without that end is not whole.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from app.errors import Invalid
from app.panel_backups.envelope import DAMAGED

FORMAT = 1
HEADER, SUMS = "moonbase.json", "SHA256SUMS"
PIECE = 1024 * 1024
SPOOL_BYTES = 8 * 1024 * 1024
"""What is kept in memory of a file; more goes to a temporary file."""
_BACKSLASH = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}


@dataclass(frozen=True)
class Header:
    """What a backup is of. `schema` is the revision of its database, `database` its kind."""

    uuid: str
    created_at: str
    schema: str
    database: str
    installation: str
    has_store: bool
    format: int = FORMAT


class Writer:
    """Adds files to an archive and notes their checksums."""

    def __init__(self, stream: IO[bytes], spool_folder: Path) -> None:
        self._gzip = gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._spool_folder = spool_folder
        self._sums = self.spool()
        self.count = 0

    def spool(self) -> tempfile.SpooledTemporaryFile[bytes]:
        """Room for something whose size is not known yet."""
        return tempfile.SpooledTemporaryFile(SPOOL_BYTES, dir=str(self._spool_folder))

    def add(self, info: tarfile.TarInfo, source: IO[bytes]) -> None:
        """Add `source` to its end. It is read in full before its size is written: a log grows and
        is cut meanwhile, and a tar that promised another size is broken."""
        digest = hashlib.sha256()
        with self.spool() as whole:
            while piece := source.read(PIECE):
                digest.update(piece)
                whole.write(piece)
            info.size = whole.tell()
            whole.seek(0)
            self._add(info, whole)
        self._note(info.name, digest.hexdigest())

    def add_plain(self, name: str, source: IO[bytes]) -> None:
        """Add something that is no file of the data directory."""
        info = tarfile.TarInfo(name)
        info.mode = 0o600
        self.add(info, source)

    def add_folder(self, info: tarfile.TarInfo) -> None:
        self._add(info)

    def _add(self, info: tarfile.TarInfo, source: IO[bytes] | None = None) -> None:
        self._tar.addfile(info, source)
        _forget(self._tar)

    def _note(self, name: str, digest: str) -> None:
        escaped = "".join(_BACKSLASH.get(letter, letter) for letter in name)
        mark = "\\" if escaped != name else ""
        self._sums.write(f"{mark}{digest}  {escaped}\n".encode(errors="surrogateescape"))
        self.count += 1

    def close(self) -> None:
        """Write the checksums and the end."""
        info = tarfile.TarInfo(SUMS)
        info.mode, info.size = 0o600, self._sums.tell()
        self._sums.seek(0)
        self._tar.addfile(info, self._sums)
        self._sums.close()
        self._tar.close()
        self._gzip.close()


@dataclass(frozen=True)
class Entry:
    """One file or folder of an archive; `file` is None for a folder."""

    info: tarfile.TarInfo
    file: IO[bytes] | None


class Reader:
    """Walks an archive from its beginning. `header` is known at once; the checksums are compared
    once all entries have been walked."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._digests: dict[str, str] = {}
        self.header = self._read_header()

    @property
    def count(self) -> int:
        return len(self._digests)

    def entries(self) -> Iterator[Entry]:
        """Each with its content, which may be read or left. Raises `Invalid` at the first thing
        that does not belong, and at the end when a checksum differs or something is missing."""
        while (info := self._next()) is not None:
            if info.name == SUMS:
                self._compare(info)
                return
            _require_harmless(info)
            if info.isdir():
                yield Entry(info, None)
                continue
            if info.name in self._digests:
                raise Invalid(DAMAGED)
            hashed = _Hashed(self._open(info))
            yield Entry(info, hashed)  # type: ignore[arg-type]
            while hashed.read(PIECE):
                pass
            self._digests[info.name] = hashed.digest.hexdigest()
        raise Invalid(DAMAGED)

    def _next(self) -> tarfile.TarInfo | None:
        info = self._tar.next()
        _forget(self._tar)
        return info

    def _read_header(self) -> Header:
        info = self._next()
        if info is None or info.name != HEADER:
            raise Invalid("This is no backup of a panel.")
        content = self._open(info).read(PIECE)
        facts = json.loads(content)
        if facts.get("format", 0) > FORMAT:
            raise Invalid("A newer Moonbase made this backup. Restore it with that one.")
        self._digests[HEADER] = hashlib.sha256(content).hexdigest()
        return Header(**facts)

    def _open(self, info: tarfile.TarInfo) -> IO[bytes]:
        file = self._tar.extractfile(info)
        if file is None:
            raise Invalid(DAMAGED)
        return file

    def _compare(self, info: tarfile.TarInfo) -> None:
        missing = dict(self._digests)
        for line in self._open(info):
            text = line.decode(errors="surrogateescape").removesuffix("\n")
            digest, _, name = text.removeprefix("\\").partition("  ")
            if text.startswith("\\"):
                name = _unescaped(name)
            if missing.pop(name, None) != digest:
                raise Invalid(DAMAGED)
        if missing or self._next() is not None:
            raise Invalid(DAMAGED)


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self.digest.update(piece)
        return piece


@contextmanager
def reading(stream: IO[bytes]) -> Iterator[Reader]:
    """The archive in a plain stream."""
    unpacked = gzip.GzipFile(fileobj=stream, mode="rb")
    with unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
        yield Reader(tar)
        while unpacked.read(PIECE):  # to the end: only there age and gzip say that all is whole
            pass


def header_bytes(header: Header) -> bytes:
    return (json.dumps(asdict(header), indent=1) + "\n").encode()


def _require_harmless(info: tarfile.TarInfo) -> None:
    """Whoever knows the public key can make a file that opens: nothing in it may reach beyond
    the data directory."""
    path = PurePosixPath(info.name)
    is_ours = path.parts[:1] in (("database",), ("files",)) and ".." not in path.parts
    if not is_ours or path.is_absolute() or not (info.isreg() or info.isdir()):
        raise Invalid(f"The backup holds something that does not belong there: {info.name!r}.")


def _forget(tar: tarfile.TarFile) -> None:
    """It remembers every file, for a way back that a stream does not have."""
    tar.__dict__["members"].clear()


def _unescaped(name: str) -> str:
    letters = {"\\": "\\", "n": "\n", "r": "\r"}
    found, rest = "", iter(name)
    for letter in rest:
        found += letters.get(next(rest, ""), "") if letter == "\\" else letter
    return found
