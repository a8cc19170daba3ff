"""What every backup store must do: run over a folder, and over S3."""

from __future__ import annotations

import ctypes
import datetime
import mmap
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from app.adapters.backup_store import BackupStore, Draft
from app.adapters.backup_store.folder import STRETCH, FolderStore
from app.adapters.backup_store.s3 import PORTION, S3Store
from app.adapters.services.object_storage.seaweed import administration
from app.errors import Invalid, NotFound, Unavailable
from tests.contracts.object_storage_fixtures import Storage

NAME = "5f0c1f6e-8f5b-4f5e-9a0e-2d8a7c1b3e4d"
BUCKET = "kept-elsewhere"


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """A double of S3 with the bucket in it: host and port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def seaweed_place(storage: Storage) -> str:
    """Keys, host and bucket on the real server that the panel keeps for media."""
    facts = storage.new()
    there = administration(storage.server, facts["address"])
    keys = f"{quote(there.access_key, safe='')}:{quote(there.secret_key, safe='')}"
    return f"{keys}@{urlsplit(there.endpoint).netloc}/{facts['bucket']}"


@pytest.fixture(params=["folder", "s3", "seaweedfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BackupStore:
    """A folder; a double of Amazon's; a real server."""
    prefix = secrets.token_hex(4)  # of each test its own
    if request.param == "folder":
        return FolderStore(tmp_path / "backups")
    if request.param == "seaweedfs":
        return S3Store(f"s3://{request.getfixturevalue('seaweed_place')}/{prefix}?tls=no")
    address = request.getfixturevalue("s3_address")
    return S3Store(f"s3://key:sec%2Fret@{address}/{BUCKET}/{prefix}?tls=no")


def put(store: BackupStore, data: bytes, name: str = NAME, *, publishes: bool = True) -> Draft:
    with store.writing(name) as draft:
        write(draft, data)
    if publishes:
        store.publish(name)
    return draft


def write(draft: Draft, data: bytes) -> None:
    for start in range(0, len(data), 1_000_003):
        piece = data[start : start + 1_000_003]
        assert draft.write(piece) == len(piece)


def read(store: BackupStore, name: str = NAME) -> bytes:
    return read_all(store.open(name))


def read_all(file: BinaryIO) -> bytes:
    with file:
        return b"".join(iter(lambda: file.read(100_000), b""))


def listed(store: BackupStore) -> set[tuple[str, int, bool]]:
    return {(item.name, item.size, item.is_draft) for item in store.list_stored()}


@pytest.mark.parametrize("size", [0, 1, PORTION + 5])
def test_what_is_written_is_read(store: BackupStore, size: int) -> None:
    data = os.urandom(size)
    draft = put(store, data, publishes=False)
    assert read_all(draft.read_back()) == data
    assert store.size(NAME) is None, "a draft is not published"
    with pytest.raises(NotFound):
        store.open(NAME)
    store.publish(NAME)
    assert read(store) == data and store.size(NAME) == size
    with pytest.raises(NotFound):
        draft.read_back()


def test_a_draft_is_read_back_while_it_is_written(store: BackupStore) -> None:
    data = os.urandom(2 * PORTION + 5)
    with ThreadPoolExecutor(1) as beside:
        with store.writing(NAME) as draft:
            seen = beside.submit(lambda: read_all(draft.read_back()))
            write(draft, data)
        assert seen.result() == data


def test_who_reads_back_does_not_wait_for_ever(store: BackupStore) -> None:
    with ThreadPoolExecutor(1) as beside:
        with pytest.raises(RuntimeError), store.writing(NAME) as draft:
            seen = beside.submit(lambda: read_all(draft.read_back()))
            write(draft, b"half")
            raise RuntimeError("the disk is full")
        with pytest.raises((Unavailable, NotFound)):
            seen.result(timeout=30)
    assert listed(store) == set()


def test_a_draft_in_the_middle_is_nobodys(store: BackupStore) -> None:
    put(store, b"old")
    with pytest.raises(RuntimeError), store.writing(NAME) as file:
        file.write(b"new")
        raise RuntimeError("the worker died")
    assert listed(store) == {(NAME, 3, False)}
    assert read(store) == b"old"
    put(store, b"newer")
    assert read(store) == b"newer", "published again it is replaced"


def test_publishing_twice_is_once(store: BackupStore) -> None:
    put(store, b"x")
    store.publish(NAME)
    assert read(store) == b"x"
    with pytest.raises(NotFound):
        store.publish("another")


def test_deleting(store: BackupStore) -> None:
    put(store, b"x")
    put(store, b"draft", publishes=False)
    store.delete_draft(NAME)
    assert listed(store) == {(NAME, 1, False)}
    put(store, b"draft", publishes=False)
    for _ in range(2):
        store.delete(NAME)
        store.delete_draft(NAME)
    assert listed(store) == set() and store.size(NAME) is None


def test_what_was_cut_off_is_listed_and_goes(store: BackupStore) -> None:
    """A worker killed in the middle runs no clean-up of its own."""
    with pytest.raises(RuntimeError), store.writing(NAME) as file:
        file.write(os.urandom(PORTION + 1))
        assert [(item.name, item.is_draft) for item in store.list_stored()] == [(NAME, True)]
        store.delete_draft(NAME)
        assert listed(store) == set()
        with pytest.raises(NotFound):
            store.publish(NAME)
        raise RuntimeError("and it wakes up late")
    put(store, b"x")
    [found] = store.list_stored()
    age = datetime.datetime.now(datetime.UTC) - found.changed_at
    assert abs(age) < datetime.timedelta(minutes=1)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A", "x" * 65, "x.age", "ä"])
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    for store in (FolderStore(tmp_path), S3Store("s3://key:secret@127.0.0.1:9/bucket")):
        for act in (store.open, store.delete, store.size, store.publish):
            with pytest.raises(Invalid):
                act(name)


def test_files_are_closed_to_others(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "backups")
    put(store, b"x")
    put(store, b"x", publishes=False)
    for path in (tmp_path / "backups").rglob("*.age"):
        assert path.stat().st_mode & 0o777 == 0o600
    space = store.space()
    assert space and 0 < space.free <= space.total


@pytest.fixture
def disk_folder() -> Iterator[Path]:
    """On a disk, whatever the memory has that tests write into."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


def test_what_is_read_back_comes_from_the_disk_and_occupies_no_memory(disk_folder: Path) -> None:
    store, data = FolderStore(disk_folder), os.urandom(3 * STRETCH + 5)
    with store.writing(NAME) as draft:
        reader = draft.read_back()
        write(draft, data[: 2 * STRETCH])
        assert reader.read(5) == data[:5], "before the end"
        held = in_memory(disk_folder)
        assert held < STRETCH, "what is read was forgotten, but for what was read ahead"
        write(draft, data[2 * STRETCH :])
    assert read_all(reader) == data[5:]
    assert in_memory(disk_folder) <= STRETCH


def in_memory(folder: Path) -> int:
    """Bytes of the draft that the kernel holds, by mincore(2)."""
    path = folder / "drafts" / f"{NAME}.age"
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as area:
        pages = (ctypes.c_ubyte * -(-len(area) // mmap.PAGESIZE))()
        first = ctypes.c_char.from_buffer(area)
        size = ctypes.c_size_t(len(area))
        assert ctypes.CDLL(None).mincore(ctypes.byref(first), size, pages) == 0
        del first  # else the map cannot be closed
    return sum(page & 1 for page in pages) * mmap.PAGESIZE


def test_a_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        store = FolderStore(folder)
        put(store, b"kept")
        with pytest.raises(Unavailable, match="full"):
            put(store, bytes(2 * 1024**2))
        assert listed(store) == {(NAME, 4, False)} and read(store) == b"kept"
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    "url", ["https://key:secret@host/bucket", "s3://host/bucket", "s3://key:secret@host/"]
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(Invalid, match="has the form") as raised:
        S3Store(url)
    assert "secret@" not in raised.value.sentence


def test_a_store_that_refuses_or_is_down(s3_address: str) -> None:
    missing = S3Store(f"s3://key:hidden-word@{s3_address}/no-such-bucket?tls=no")
    with pytest.raises(Unavailable, match="NoSuchBucket") as raised, missing.writing(NAME):
        pass
    assert "hidden-word" not in raised.value.sentence
    down = S3Store("s3://key:hidden-word@127.0.0.1:9/bucket?tls=no")
    with pytest.raises(Unavailable, match="does not answer") as raised:
        down.open(NAME)
    assert "hidden-word" not in raised.value.sentence
