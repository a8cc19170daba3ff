"""Folders of media that people bring and take home: what of a hostile file is stopped."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from contextlib import closing
from functools import cache

import pytest

from app.adapters.services.object_storage import folders
from app.adapters.services.object_storage.archive import ArchiveReader, ArchiveWriter, Entry
from app.adapters.services.object_storage.folders import hand_out_folder, take_folder
from app.errors import Invalid
from tests.contracts.brought import tar

MOST = 10**8
FILES = {"a.jpg": b"a" * 70_000, "päth/☃.txt": b"snow", "empty": b"", "x/" + "y" * 200: b"long"}


def taken(brought: bytes, most: int = MOST) -> dict[str, tuple[bytes, str]]:
    """Content and type by key."""
    sink = io.BytesIO()
    take_folder(io.BytesIO(brought), sink, most)
    sink.seek(0)
    reader = ArchiveReader(sink)
    bodies = [member.content.read() for member in reader.members()]
    entries = list(reader.entries())
    reader.close()
    types = [entry.headers.get("ContentType", "") for entry in entries]
    return {
        entry.key: (body, kind) for entry, body, kind in zip(entries, bodies, types, strict=True)
    }


def one(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **more: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as made:
        member = tarfile.TarInfo(name)
        member.type, member.size, member.linkname = kind, size, more.pop("linkname", "")
        member.pax_headers = more
        made.addfile(member, io.BytesIO(bytes(size)) if size else None)
    return sink.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_files_come_with_the_type_of_their_name(mode: str) -> None:
    found = taken(tar(FILES, mode))
    assert {key: body for key, (body, _) in found.items()} == FILES
    assert found["a.jpg"][1] == "image/jpeg" and found["empty"][1] == ""


def test_folders_and_points_at_the_front_are_nothing() -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as made:
        folder = tarfile.TarInfo("./x")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
        made.addfile(tarfile.TarInfo("./x/y.txt"))
    assert list(taken(sink.getvalue())) == ["x/y.txt"]
    assert taken(tar({}, "w:gz")) == {} == taken(tar({}, "w"))


def test_what_is_taken_home_comes_back() -> None:
    archive, folder = io.BytesIO(), io.BytesIO()
    with closing(ArchiveWriter(archive)) as writer:
        for key, body in {**FILES, "../up": b"up"}.items():
            writer.add(Entry(key, len(body), ""), io.BytesIO(body), 1_700_000_000)
        writer.finish()
    archive.seek(0)
    hand_out_folder(archive, folder)
    folder.seek(0)
    with tarfile.open(fileobj=folder, mode="r:*") as opened:
        found = {member.name: member for member in opened}
        assert {name for name in found if name in FILES} == set(FILES)
        assert found["a.jpg"].mtime == 1_700_000_000
        [hidden] = found.keys() - FILES.keys()
        assert hidden.startswith(".encoded/")
    again = taken(folder.getvalue())
    assert again["a.jpg"][0] == FILES["a.jpg"] and again[hidden][0] == b"up"


def test_a_damaged_archive_is_not_handed_out() -> None:
    archive = io.BytesIO()
    take_folder(io.BytesIO(tar(FILES)), archive, MOST)
    raw = bytearray(archive.getvalue())
    raw[raw.index(FILES["a.jpg"][:512])] ^= 1
    with pytest.raises(Invalid, match="damaged"):
        hand_out_folder(io.BytesIO(bytes(raw)), io.BytesIO())


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "x/../../up", "a//b", "a\\b", "x\ny", "..", "c:/x", "./../x"]
)
def test_hostile_names(name: str) -> None:
    with pytest.raises(Invalid, match="no name a file may have"):
        taken(one(name))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S"],
)
def test_links_and_devices(kind: bytes) -> None:
    with pytest.raises(Invalid, match="no plain file"):
        taken(one("x", kind, linkname="/etc/passwd"))


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0"])
def test_files_with_holes(version: str) -> None:
    """Few bytes that say they are many."""
    major, minor = version.split(".")
    headers = {
        "0.0": {"GNU.sparse.size": str(2**40), "GNU.sparse.numblocks": "1"},
        "0.1": {"GNU.sparse.size": str(2**40), "GNU.sparse.map": "0,1"},
        "1.0": {"GNU.sparse.major": major, "GNU.sparse.minor": minor},
    }[version]
    with pytest.raises(Invalid, match="no plain file"):
        taken(one("x", size=512, **headers))


@cache
def bombs() -> dict[str, bytes]:
    large = io.BytesIO()
    member = tarfile.TarInfo("x")
    member.size = 2**33
    large.write(member.tobuf())
    headers = io.BytesIO()
    described = tarfile.TarInfo("x")
    described.type, described.size = tarfile.XHDTYPE, 2**33
    headers.write(described.tobuf() + bytes(10**6))
    named = tarfile.TarInfo("x")
    named.type, named.size = tarfile.GNUTYPE_LONGNAME, 2**33
    return {
        "says it is large": gzip.compress(large.getvalue()),
        "headers": headers.getvalue(),
        "long name": named.tobuf() + bytes(10**6),
        "is large": tar({"x": bytes(2 * MOST)}),
        "many": tar({str(number): bytes(10**6) for number in range(MOST // 10**6 + 2)}),
        "more behind": gzip.compress(tar({}, "w") + bytes(MOST)),
    }


BOMBS = ("says it is large", "headers", "long name", "is large", "many", "more behind")


def test_no_bomb_is_forgotten() -> None:
    assert set(BOMBS) == set(bombs())


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    brought = bombs()[name]
    sink = Counting()
    tracemalloc.start()
    try:
        with pytest.raises(Invalid):
            take_folder(io.BytesIO(brought), sink, MOST)
        assert tracemalloc.get_traced_memory()[1] < 30 * 10**6
    finally:
        tracemalloc.stop()
    assert sink.size <= MOST * 5 // 4


class Counting(io.BytesIO):
    """Keeps nothing."""

    size = 0

    def write(self, data: object) -> int:
        self.size += len(data)  # type: ignore[arg-type]
        return len(data)  # type: ignore[arg-type]


def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_MEMBERS", 3)
    with pytest.raises(Invalid, match="more than"):
        taken(tar({str(number): b"" for number in range(4)}))


NO_TARS = {
    "nothing": b"",
    "text": b"x" * 1000,
    "only the mark of gzip": b"\x1f\x8b" + bytes(600),
    "gzipped text": gzip.compress(b"x" * 1000),
    "its end missing": tar(FILES)[:-9],
    "its beginning only": tar(FILES)[:300],
    "the beginning of a plain one": tar(FILES, "w")[:1000],
    "bzip2": tar(FILES, "w:bz2"),
    "xz": tar(FILES, "w:xz"),
}


@pytest.mark.parametrize("brought", NO_TARS.values(), ids=NO_TARS)
def test_what_is_no_tar(brought: bytes) -> None:
    with pytest.raises(Invalid):
        taken(brought)
