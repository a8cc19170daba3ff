"""Folders of media as people have them at home: a tar of files, on its way into an archive of a
bucket and out of one. Pure: no server is asked.

What comes in is anybody's file. Nothing of it is unpacked onto a disk, and no name, link or size
in it is believed: members are read one after the other, counted while they are read, and only
plain files with harmless names go on.
"""

from __future__ import annotations

import gzip
import io
import mimetypes
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO, Any, BinaryIO, cast

from app.adapters.services import Contents
from app.adapters.services.exchange import too_large
from app.adapters.services.object_storage.archive import (
    ENCODED,
    FOLDER,
    PIECE,
    ArchiveReader,
    ArchiveWriter,
    Entry,
    member_name,
)
from app.errors import Invalid

MOST_MEMBERS = 1_000_000
"""Each takes 32 bytes of memory, and a request to the storage."""
_GZIP = b"\x1f\x8b"
_MAGIC = slice(257, 262)
"""Where a tar says “ustar”."""
_MOST_DESCRIBED = 64 * 1024
"""Bytes of a long name or of extended headers: the library reads them as a whole."""
_NO_TAR = "The file is no tar of media, gzipped or not, or it is damaged."
_ENDLESS = "The file goes on after the end of its tar."
_FOREIGN = "“{}” is no plain file: media may hold files and folders, but no links or devices."
_HOSTILE = "“{}” is no name a file may have here."
_TOO_MANY = f"The file holds more than {MOST_MEMBERS:,} files."
_DESCRIBING = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
_KNOWN = (*_DESCRIBING, tarfile.XGLTYPE, tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE)


def take_folder(source: BinaryIO, sink: BinaryIO, most: int) -> Contents:
    """Write the files of a tar as an archive of a bucket, keys relative to its top. Raises
    `Invalid` for anything else in it, for more than `most` bytes of content, and for damage."""
    with closing(ArchiveWriter(sink)) as writer:
        with _damage_told():
            for entry, content, modified in _files(source, most):
                writer.add(entry, content, modified)
        return writer.finish()


def hand_out_folder(source: BinaryIO, sink: BinaryIO) -> None:
    """Write the objects of an archive as a tar of files, without prefix and manifest. Raises
    `Invalid` at its end when the archive was damaged: then forget what was written."""
    with (
        closing(ArchiveReader(source)) as archive,
        tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE) as tar,
    ):
        for found in archive.members():
            member = tarfile.TarInfo(found.name.removeprefix(FOLDER))
            member.size, member.mtime, member.mode = found.size, found.modified, 0o644
            tar.addfile(member, cast(Any, found.content))
            tar.members = []  # type: ignore[attr-defined]  # else it remembers every one


def _files(source: BinaryIO, most: int) -> Iterator[tuple[Entry, IO[bytes], float]]:
    """The plain files of a tar, each to be read before the next one is asked for."""
    plain = _Limited(_opened(source), most)
    members = size = 0
    with tarfile.open(
        fileobj=cast(Any, plain), mode="r|", bufsize=PIECE, tarinfo=_Plain, errors="strict"
    ) as tar:
        while (found := tar.next()) is not None:
            tar.members = []  # type: ignore[attr-defined]
            members += 1
            if members > MOST_MEMBERS:
                raise Invalid(_TOO_MANY)
            if found.isdir():
                continue
            content = tar.extractfile(found) if found.isreg() else None
            if content is None:
                raise Invalid(_FOREIGN.format(found.name[:80]))
            size += found.size
            if size > most:
                raise Invalid(too_large(most))
            kind = mimetypes.guess_type(found.name)[0]
            headers = {"ContentType": kind} if kind else {}
            yield Entry(_key_of(found.name), found.size, "", headers), content, found.mtime
    plain.finish()


def _opened(source: BinaryIO) -> BinaryIO:
    """The tar itself. Not whatever `tarfile` would open: others can ask for gigabytes of memory."""
    start = source.read(512)
    joined = cast(BinaryIO, io.BufferedReader(_Joined(start, source), PIECE))
    if start.startswith(_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=joined, mode="rb"))
    if start[_MAGIC] != b"ustar" and start != bytes(512):
        raise Invalid(_NO_TAR)
    return joined


def _key_of(name: str) -> str:
    """Raises `Invalid` for what would leave its folder, or be no file elsewhere."""
    key = name.removeprefix("./")
    plain = key.removeprefix(ENCODED)  # as it was handed out, for a key that is no safe path
    if member_name(plain) != FOLDER + plain or posixpath.normpath(key) != key:
        raise Invalid(_HOSTILE.format(name[:80]))
    return key


class _Plain(tarfile.TarInfo):
    """Refuses, by its header alone, whatever `take_folder` has no use for."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        # The entry point that the library names for classes derived from it.
        if self.type not in _KNOWN or (self.type == tarfile.REGTYPE and self.issparse()):
            raise Invalid(_FOREIGN.format(self.name[:80]))
        is_described = self.type in _DESCRIBING or self.type == tarfile.XGLTYPE
        if is_described and self.size > _MOST_DESCRIBED:
            raise Invalid(_HOSTILE.format(self.name[:80]))
        found: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]
        return found

    def _refuse(self, *given: object) -> None:
        raise Invalid(_FOREIGN.format(self.name[:80]))

    # Files with holes, as extended headers tell of them: few bytes that say they are many.
    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse


class _Joined(io.RawIOBase):
    """What was read already, and the rest."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        piece = self._start[: len(buffer)] or self._rest.read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


class _Limited:
    """Passes on what `source` has, up to `most` bytes and what headers take beside them."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        self._source, self._most = source, most
        self._left = most + most // 4 + MOST_MEMBERS * tarfile.BLOCKSIZE

    def read(self, length: int = -1, /) -> bytes:
        piece = self._source.read(length if length > 0 else PIECE)
        self._left -= len(piece)
        if self._left < 0:
            raise Invalid(too_large(self._most))
        return piece

    def finish(self) -> None:
        """Read to the end, where gzip proves what it held; there is nothing but padding."""
        left = PIECE
        while piece := self.read(PIECE):
            left -= len(piece)
            if left < 0 or piece.strip(b"\0"):
                raise Invalid(_ENDLESS)


@contextmanager
def _damage_told() -> Iterator[None]:
    # What tarfile and gzip raise over what is none of theirs.
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile, zlib.error) as error:
        raise Invalid(_NO_TAR) from error
