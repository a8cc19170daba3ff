"""Backing up and restoring buckets: what is in the archive, and that damage changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.services import Contents, Facts, Usage
from app.adapters.services.object_storage.archive import (
    HEAD,
    ArchiveReader,
    ArchiveWriter,
    Entry,
    Origin,
    member_name,
    origin_of,
)
from app.errors import Invalid, Unavailable
from tests.contracts.object_storage_fixtures import Storage
from tests.contracts.tenants import wait_until

MANY = 1200
HOSTILE = (
    *("../out", "a/../../out", "/etc/passwd", "//two", "a//b", "..", ".", "C:\\x", "a\\b"),
    *("a/", "manifest.jsonl", ".encoded/x", "x" * 300, "new\nline", "\x01", "-rf", "~", "a/.."),
)
NAMES = ("日本語/ファイル.txt", "ümlaut.txt", "u\u0308mlaut.txt", "emoji 😀", "a b+c%41&?#;", "-rf")
HEADERS = {"ContentType": "text/plain", "CacheControl": "max-age=60"}


def written(objects: dict[str, bytes]) -> tuple[bytes, Contents]:
    """An archive of these, with its contents."""
    sink = io.BytesIO()
    with closing(ArchiveWriter(sink)) as writer:
        for key, body in objects.items():
            entry = Entry(key, len(body), "", HEADERS, {"who": "ich"})
            writer.add(entry, io.BytesIO(body), 1_700_000_000)
        contents = writer.finish()
    return sink.getvalue(), contents


def read(data: bytes) -> tuple[list[bytes], list[Entry]]:
    reader = ArchiveReader(io.BytesIO(data))
    bodies = [member.content.read() for member in reader.members()]
    return bodies, list(reader.entries())


def test_any_name_stays_inside_and_comes_back(tmp_path: Path) -> None:
    objects = {key: key.encode() for key in (*HOSTILE, *NAMES)}
    data, contents = written(objects)
    bodies, entries = read(data)
    assert dict(zip((entry.key for entry in entries), bodies, strict=True)) == objects
    assert entries[0].headers == HEADERS and entries[0].metadata == {"who": "ich"}
    assert contents.counts == {"objects": len(objects), "bytes": sum(map(len, bodies))}
    # The standard program unpacks it without a complaint, and nothing outside of its folder.
    target = tmp_path / "deep" / "here"
    target.mkdir(parents=True)
    command = ["tar", "-x", "-C", str(target)]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stderr == b""
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(found) == len(objects) + 1
    assert all(path.is_relative_to(target) for path in found)
    assert (target / "media" / NAMES[0]).read_text() == NAMES[0]
    lines = (target / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == list(objects)


@given(st.text(min_size=1, max_size=40))
def test_a_member_is_always_a_path_below_media(key: str) -> None:
    parts = member_name(key).split("/")
    assert parts[0] == "media" and len(parts) > 1
    assert not {"", ".", ".."} & set(parts)
    assert not any(len(part.encode(errors="replace")) > 255 for part in parts)


def test_what_stands_in_front_of_an_object_is_what_the_manifest_says() -> None:
    data, _ = written({key: key.encode() for key in (*HOSTILE, *NAMES)})
    reader = ArchiveReader(io.BytesIO(data), is_known=True)
    told = [replace(member.entry(), sha256="") for member in reader.members()]
    assert told == [replace(entry, sha256="") for entry in reader.entries()]
    for bad in (
        data.replace(b'"size": 6', b'"size": 7'),
        data.replace(b'"key": "..', b'"key": "xx'),
    ):
        with pytest.raises(Invalid, match="is not what it is called"):
            for member in ArchiveReader(io.BytesIO(bad), is_known=True).members():
                member.entry()


def test_an_archive_says_where_it_comes_from() -> None:
    for origin in Origin:
        sink = io.BytesIO()
        with closing(ArchiveWriter(sink, origin)) as writer:
            writer.finish()
        assert origin_of(sink.getvalue()[:HEAD]) == origin
    for other in (b"", b"x" * HEAD, written({"a": b"1"})[0][1024:][:HEAD], sink.getvalue()[:600]):
        assert origin_of(other) == Origin.FILES


def test_an_object_that_ends_early_is_in_no_archive() -> None:
    with closing(ArchiveWriter(io.BytesIO())) as writer, pytest.raises(Unavailable, match="ended"):
        writer.add(Entry("a", 10, ""), io.BytesIO(b"short"), 0)


def test_the_digest_does_not_depend_on_order() -> None:
    one = written({"a": b"1", "b": b"2"})[1]
    assert one == written({"b": b"2", "a": b"1"})[1]
    assert one.digest != written({"a": b"2", "b": b"1"})[1].digest
    lines = sorted(
        hashlib.sha256(f"{key}\0{len(body)}\0{hashlib.sha256(body).hexdigest()}".encode()).digest()
        for key, body in {"a": b"1", "b": b"2"}.items()
    )
    assert one.digest == hashlib.sha256(b"".join(lines)).hexdigest()


def damaged() -> Iterator[tuple[str, bytes]]:
    whole, _ = written({"a": b"1" * 3000, "b": b"2"})
    yield "empty", b""
    yield "no tar", b"x" * 20_000
    yield "cut off in a member", whole[:2000]
    yield "cut off before the manifest", whole[: 3 * 512 + 3072]
    yield "a changed byte", whole.replace(b"1" * 3000, b"1" * 2999 + b"7")
    yield "a changed key", whole.replace(b'"key": "b"', b'"key": "c"')
    yield "a broken manifest", whole.replace(b'{"key": "b"', b'["key": "b"')
    negative = tarfile.TarInfo("media/a")
    negative.size = -1024
    yield "less than nothing", negative.tobuf(tarfile.GNU_FORMAT) + whole
    kinds = (tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE)
    for name, member in zip(("a link", "a folder", "holes"), kinds, strict=True):
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as tar:
            made = tarfile.TarInfo("media/a")
            made.type, made.linkname = member, "/etc/passwd"
            tar.addfile(made)
        yield name, sink.getvalue()


@pytest.mark.parametrize(("what", "data"), list(damaged()), ids=lambda value: str(value)[:20])
def test_damage_is_seen(what: str, data: bytes) -> None:
    with pytest.raises(Invalid, match="damaged"):
        read(data)


def test_wherever_it_is_cut_off_it_is_seen() -> None:
    whole, _ = written({"a": b"1" * 700, "b": b"2" * 512, "c": b""})
    for length in range(0, len(whole), 97):
        with pytest.raises(Invalid, match="damaged"):
            read(whole[:length])


def test_a_source_may_give_less_than_it_is_asked_for() -> None:
    class Sparing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size, 100) if size and size > 0 else 100)

    data, _ = written({"a": b"1" * 3000, "b": b"2"})
    reader = ArchiveReader(Sparing(data))
    assert [member.content.read(5000) for member in reader.members()] == [b"1" * 3000, b"2"]


def test_memory_stays_flat() -> None:
    """With the number of objects and with the size of one."""

    class Sink(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            return len(data)  # type: ignore[arg-type]

    class Zeros:
        def read(self, length: int = -1, /) -> bytes:
            return bytes(length)

    def grown(size: int, count: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with closing(ArchiveWriter(Sink())) as writer:  # type: ignore[arg-type]
            for number in range(count):
                writer.add(Entry(f"folder/object-{number}", size, ""), Zeros(), 0)
            writer.finish()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert grown(10, 4_000) < 6_000  # kB
    assert grown(60_000_000, 1) < 6_000


def fill(storage: Storage, facts: Facts, objects: dict[str, bytes]) -> None:
    site = storage.client(facts)

    def put(key: str) -> None:
        site.put_object(
            Bucket=facts["bucket"],
            Key=key,
            Body=objects[key],
            ContentType="text/x-test",
            CacheControl="max-age=60",
            Metadata={"who": "ich"},
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, objects))


class Counted(io.BytesIO):
    """Knows how many bytes were read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.count += len(piece)
        return piece


def check_both_ways(storage: Storage, objects: dict[str, bytes], make: Callable[[], Facts]) -> None:
    """A bucket comes back in another one, and is left alone by what is damaged."""
    backend, server, facts = storage.backend, storage.server, make()
    fill(storage, facts, objects)
    assert backend.usage(server, facts).objects == len(objects)
    sink = io.BytesIO()
    contents = backend.backup(server, facts, sink)
    assert contents.counts == {"objects": len(objects), "bytes": sum(map(len, objects.values()))}
    assert contents == backend.contents(server, facts)
    other = make()
    site, bucket = storage.client(other), other["bucket"]
    site.put_object(Bucket=bucket, Key="not-in-the-archive", Body=b"x")
    site.put_object(Bucket=bucket, Key=next(iter(objects)), Body=b"older")
    backend.restore(server, other, io.BytesIO(sink.getvalue()))
    assert backend.contents(server, other) == contents
    key = max(objects, key=lambda name: len(objects[name]))
    found = site.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read() == objects[key]
    assert (found["ContentType"], found["CacheControl"]) == ("text/x-test", "max-age=60")
    assert found["Metadata"] == {"who": "ich"}
    again = Counted(sink.getvalue())
    backend.restore(server, other, again, is_whole=True)
    assert backend.contents(server, other) == contents
    assert again.count < len(sink.getvalue()) + 10_000  # it is read once
    for data in (sink.getvalue()[:-12_000], b"", b"x" * 3000):
        with pytest.raises(Invalid, match="Nothing was changed"):
            backend.restore(server, other, io.BytesIO(data))
    assert backend.contents(server, other) == contents
    for made in (other, facts):
        backend.deprovision(server, made["key"], made)


def test_a_bucket_comes_back_as_it_was(storage: Storage) -> None:
    objects = {name: name.encode() for name in NAMES}
    objects |= {"large.bin": os.urandom(19_000_000), "empty": b"", "folder/": b""}
    check_both_ways(storage, objects, storage.new)


def test_many_objects(storage: Storage) -> None:
    """More than a list has on one page; from an archive into a bucket and back."""
    backend, server, facts = storage.backend, storage.server, storage.new()
    data, contents = written({f"many/{number:05}": b"%d" % number for number in range(MANY)})
    backend.restore(server, facts, io.BytesIO(data))
    sink = io.BytesIO()
    assert backend.backup(server, facts, sink) == contents
    assert backend.usage(server, facts).objects == MANY
    backend.restore(server, facts, io.BytesIO(written({"one": b"1"})[0]))
    assert backend.usage(server, facts) == Usage(bytes=1, objects=1)


def test_an_archive_without_comments_is_restored_by_its_manifest(storage: Storage) -> None:
    """As they were before objects had any."""
    facts, plain = storage.new(), io.BytesIO()
    data, _ = written({"a b.txt": b"1", "ü/2": b"2"})
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as tar,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as older,
    ):
        for member in tar:
            member.pax_headers = {}
            older.addfile(member, tar.extractfile(member))
    storage.backend.restore(storage.server, facts, io.BytesIO(plain.getvalue()), is_whole=True)
    found = storage.client(facts).get_object(Bucket=facts["bucket"], Key="ü/2")
    assert found["Body"].read() == b"2" and found["CacheControl"] == "max-age=60"


def test_restored_media_are_public(storage: Storage) -> None:
    facts = storage.new()
    data, _ = written({"private.txt": b"1"})
    storage.backend.restore(storage.server, facts, io.BytesIO(data))
    url = f"{storage.endpoint(facts)}/{facts['bucket']}/private.txt"
    assert requests.get(url, timeout=5).content == b"1"


def test_names_that_the_server_would_change_are_refused_before(storage: Storage) -> None:
    facts = storage.new()
    fill(storage, facts, {"here": b"1"})
    for key in ("../x", "/x", "a//b", "a\\b", "x" * 256, "new\nline"):
        data, _ = written({"a": b"1", key: b"2"})
        for is_whole in (False, True):  # it does not come from a bucket
            with pytest.raises(Invalid, match="cannot keep"):
                storage.backend.restore(storage.server, facts, io.BytesIO(data), is_whole=is_whole)
    assert storage.backend.usage(storage.server, facts) == Usage(bytes=1, objects=1)


def test_a_server_that_dies_in_the_middle(storage: Storage) -> None:
    """Backup and restore say so; when it is back, what it had is there, and both can be done."""
    assert storage.tenants
    backend, server, facts = storage.backend, storage.server, storage.new()
    fill(storage, facts, {f"{number}": os.urandom(300_000) for number in range(80)})
    contents = backend.contents(server, facts)
    whole = io.BytesIO()
    backend.backup(server, facts, whole)

    class Killing(io.BytesIO):
        """Kills the server when a part of the archive has gone through."""

        def look(self) -> None:
            if self.tell() > 4_000_000 and not self.is_done:
                self.is_done = True
                assert storage.tenants
                storage.tenants.kill_hard(storage.container())

        is_done = False

        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            self.look()
            return super().write(data)

        def read(self, size: int | None = -1, /) -> bytes:
            self.look()
            return super().read(size)

    for work in (
        lambda: backend.backup(server, facts, Killing()),
        lambda: backend.restore(server, facts, Killing(whole.getvalue())),
    ):
        with pytest.raises(Unavailable):
            work()
        wait_until(lambda: is_up(storage), 30)
        backend.start(server)
        assert backend.contents(server, facts) == contents
    backend.restore(server, facts, io.BytesIO(whole.getvalue()))
    assert backend.contents(server, facts) == contents


def is_up(storage: Storage) -> bool:
    assert storage.tenants
    state = storage.tenants.engine.inspect_container(storage.container())
    return state is not None and state.running and state.restart_count > 0


def test_an_object_that_is_replaced_or_deleted_meanwhile(storage: Storage) -> None:
    """The archive is whole all the same: each object as it was when its turn came."""
    backend, server, facts = storage.backend, storage.server, storage.new()
    fill(storage, facts, {f"{number:03}": b"first" for number in range(150)})
    site, stop = storage.client(facts), threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            key = f"{number % 150:03}"
            if number % 2:
                site.delete_object(Bucket=facts["bucket"], Key=key)
            else:
                site.put_object(Bucket=facts["bucket"], Key=key, Body=b"second" * (number % 50))
            number += 1

    thread = threading.Thread(target=change)
    thread.start()
    sink = io.BytesIO()
    try:
        contents = backend.backup(server, facts, sink)
    finally:
        stop.set()
        thread.join()
    bodies, entries = read(sink.getvalue())
    assert contents.counts["objects"] == len(entries) > 50
    assert all(len(body) == entry.size for body, entry in zip(bodies, entries, strict=True))
