"""What is damaged, newer, foreign or crafted changes nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
import subprocess
import tarfile
import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest

from app.domains.models import Domain
from app.errors import Unavailable
from app.extensions import db
from app.panel_backups.archive import Writer, reading
from app.panel_backups.envelope import opening, sealing
from app.panel_backups.operations import check_backup, take_backup
from app.variables.queries import find_variable
from tests.house.test_upgrade import OLD
from tests.panel import Panel, environment, make_settings
from tests.panel_backups.test_roundtrip import _free_port, done, run


@pytest.fixture
def key(panel: Panel, tmp_path: Path) -> Path:
    file = tmp_path / "key"
    done(run(panel, "backup-key", file))
    return file


@pytest.fixture
def backup(panel: Panel, key: Path, tmp_path: Path) -> Path:
    file = tmp_path / "moonbase.age"
    done(run(panel, "backup", file))
    return file


@pytest.fixture
def empty(tmp_path: Path) -> Panel:
    """Where a backup would be restored."""
    return Panel(replace(make_settings(tmp_path / "empty"), port=_free_port()))


def untouched(panel: Panel) -> bool:
    files = {path.name for path in panel.settings.data_dir.rglob("*") if path.is_file()}
    return files <= {"site.keys", "session.key"}


def identity(key: Path) -> Any:
    return pyrage.x25519.Identity.from_str(key.read_text().split()[-1])


def crafted(key: Path, file: Path, tar: bytes) -> Path:
    """A file that opens with the key: whoever knows the public half can make one."""
    file.write_bytes(pyrage.encrypt(gzip.compress(tar), [identity(key).to_public()]))
    return file


def plain_tar(backup: Path, key: Path) -> bytes:
    return gzip.decompress(pyrage.decrypt(backup.read_bytes(), [identity(key)]))


def changed(tar: bytes, **headers: object) -> bytes:
    """The same archive with other facts in its header."""
    target = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(tar)) as source,
        tarfile.open(fileobj=target, mode="w") as made,
    ):
        for info in source:
            content = source.extractfile(info)
            data = content.read() if content else b""
            if info.name == "moonbase.json":
                data = json.dumps({**json.loads(data), **headers}).encode()
                info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return target.getvalue()


@pytest.mark.parametrize("where", [10, 400, 0.5, -20])
def test_a_damaged_backup(backup: Path, key: Path, empty: Panel, where: float) -> None:
    data = bytearray(backup.read_bytes())
    place = int(len(data) * where) if 0 < where < 1 else int(where)
    data[place] ^= 1
    backup.write_bytes(data)
    refused = run(empty, "restore", backup, "--key", key)
    assert refused.exit_code == 1 and untouched(empty), refused.output
    assert "damaged" in refused.output or "does not open" in refused.output


@pytest.mark.parametrize("part", [0, 0.3, 0.9, 0.9999])
def test_a_backup_that_was_cut_off(backup: Path, key: Path, empty: Panel, part: float) -> None:
    os.truncate(backup, int(backup.stat().st_size * part))
    refused = run(empty, "restore", backup, "--key", key)
    assert refused.exit_code == 1 and untouched(empty)
    assert "damaged" in refused.output or "does not open" in refused.output


def test_an_archive_without_its_end_is_not_whole(backup: Path, key: Path, empty: Panel) -> None:
    """Cut off before it was encrypted: age itself is content."""
    tar = plain_tar(backup, key)
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        end = opened.getmembers()[-1].offset
    crafted(key, backup, tar[:end] + bytes(1024))
    assert "damaged" in run(empty, "restore", backup, "--key", key).output
    assert untouched(empty)


def test_another_key(backup: Path, empty: Panel, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    assert "does not open" in run(empty, "restore", backup, "--key", other).output
    other.write_text("no key")
    assert "is no key" in run(empty, "restore", backup, "--key", other).output


def test_a_newer_or_foreign_one(backup: Path, key: Path, empty: Panel) -> None:
    tar = plain_tar(backup, key)
    for headers, words in (
        ({"format": 2}, "newer Moonbase"),
        ({"database": "postgresql"}, "checksum|damaged"),
    ):
        crafted(key, backup, changed(tar, **headers))
        told = run(empty, "restore", backup, "--key", key).output
        assert any(word in told for word in words.split("|")) and untouched(empty)
    # With checksums that are right.
    for facts, words in (
        ({"schema": "9999"}, "newer Moonbase"),
        ({"database": "postgresql"}, "DATABASE_URL"),
    ):
        crafted(key, backup, summed(facts))
        told = run(empty, "restore", backup, "--key", key).output
        assert words in told and untouched(empty), told


def header(**facts: object) -> bytes:
    usual: dict[str, object] = {
        "uuid": "u",
        "created_at": "2026-01-01",
        "schema": "0001",
        "database": "sqlite",
        "installation": "i",
        "has_store": False,
        "format": 1,
    }
    return json.dumps(usual | facts).encode()


def summed(facts: dict[str, object], name: str = "files/logs/x") -> bytes:
    """A small archive that is whole in itself."""
    stream = io.BytesIO()
    writer = Writer(stream, Path("/tmp"))
    writer.add_plain("moonbase.json", io.BytesIO(header(**facts)))
    writer.add_plain(name, io.BytesIO(b"x"))
    writer.close()
    return gzip.decompress(stream.getvalue())


@pytest.mark.parametrize("name", ["files/../../x", "/etc/x", "files/a/../../../x", "other/x", "x"])
def test_nothing_reaches_beyond_the_data_directory(
    key: Path, empty: Panel, tmp_path: Path, name: str
) -> None:
    file = crafted(key, tmp_path / "crafted.age", summed({}, name))
    told = run(empty, "restore", file, "--key", key).output
    assert "does not belong" in told and untouched(empty)


def test_names_in_any_script(tmp_path: Path) -> None:
    """Checksums are written as `sha256sum` does."""
    names = ["files/ü", "files/a\nb", "files/back\\slash", "files/\udcff", "files/月"]
    stream = io.BytesIO()
    writer = Writer(stream, tmp_path)
    writer.add_plain("moonbase.json", io.BytesIO(header()))
    for name in names:
        writer.add_plain(name, io.BytesIO(name.encode(errors="replace")))
    writer.close()
    stream.seek(0)
    with reading(stream) as found:
        assert [entry.info.name for entry in found.entries()] == names


def test_standard_tools_open_it(backup: Path, key: Path, tmp_path: Path) -> None:
    """What `age -d` gives is a tar.gz that `sha256sum` checks."""
    plain = tmp_path / "plain.tar.gz"
    plain.write_bytes(pyrage.decrypt(backup.read_bytes(), [identity(key)]))
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", plain, "-C", folder], check=True, capture_output=True)
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True
    )
    assert (folder / "database" / "panel.sqlite3").exists()


def test_a_full_disk_leaves_nothing(panel: Panel, key: Path) -> None:
    recipient = str(identity(key).to_public())
    with panel.reading(), pytest.raises(Unavailable, match="cannot be written"):
        take_backup(Path("/proc/moonbase.age"), [recipient], with_store=False)

    class Full(io.RawIOBase):
        def write(self, piece: object) -> int:
            raise OSError(28, "No space left on device")

    with (
        pytest.raises(Unavailable, match="No space left"),
        sealing(Full(), [identity(key).to_public()]) as stream,
    ):  # type: ignore[arg-type]
        for _ in range(50):
            stream.write(bytes(100_000))


def test_places_that_are_refused(panel: Panel, key: Path, tmp_path: Path) -> None:
    inside = panel.settings.data_dir / "logs" / "moonbase.age"
    assert "outside of" in run(panel, "backup", inside).output
    (tmp_path / "x.age.partial").touch()
    assert "being written" in run(panel, "backup", tmp_path / "x.age").output
    assert (tmp_path / "x.age.partial").exists()
    assert "is no public key" in run(panel, "backup", tmp_path / "y", "--recipient", "x").output
    assert not list(tmp_path.glob("y*"))
    assert "is there already" in run(panel, "backup-key", key).output
    (panel.settings.data_dir / "secrets" / "backup.recipients").unlink()
    assert "flask panel backup-key" in run(panel, "backup", tmp_path / "y").output
    (panel.settings.data_dir / "secrets" / "operator.keys").unlink()
    told = run(panel, "backup", tmp_path / "y", "--recipient", identity(key).to_public())
    assert "operator's keys are not here" in told.output and not list(tmp_path.glob("y*"))


def test_to_the_standard_output(panel: Panel, key: Path, tmp_path: Path) -> None:
    file = tmp_path / "stream.age"
    store = panel.settings.data_dir / "backups"
    store.mkdir(exist_ok=True)
    (store / "large").write_bytes(b"of a site")
    result = run(panel, "backup", "-", "--with-store")
    assert result.exit_code == 0
    file.write_bytes(result.stdout_bytes)
    header, count = check_backup(file, [identity(key)])
    assert header.has_store and count > 5
    assert "files/backups/large" in names_of(file, key)


def names_of(file: Path, key: Path) -> list[str]:
    with (
        file.open("rb") as source,
        opening(source, [identity(key)]) as plain,
        reading(plain) as found,
    ):
        return [entry.info.name for entry in found.entries()]


def test_memory_does_not_grow_with_what_is_backed_up(
    panel: Panel, key: Path, tmp_path: Path
) -> None:
    recipient = str(identity(key).to_public())
    peaks = []
    for megabytes in (10, 60):
        large = panel.settings.data_dir / "logs" / "large.log"
        large.parent.mkdir(exist_ok=True)
        large.write_bytes(os.urandom(1_000_000) * megabytes)
        tracemalloc.start()
        with panel.reading():
            take_backup(tmp_path / f"{megabytes}.age", [recipient], with_store=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 5_000_000, peaks


def test_an_older_one_is_brought_up_to_date(key: Path, empty: Panel, tmp_path: Path) -> None:
    """Of the first version: two organisations and six people, and the keys of then."""
    database = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript((OLD / "0001.sql").read_text())
    stream = io.BytesIO()
    writer = Writer(stream, tmp_path)
    writer.add_plain("moonbase.json", io.BytesIO(header()))
    writer.add_plain("files/secrets/site.keys", io.BytesIO((OLD / "site.keys").read_bytes()))
    with database.open("rb") as file:
        writer.add_plain("database/panel.sqlite3", file)
    writer.close()
    old = crafted(key, tmp_path / "old.age", gzip.decompress(stream.getvalue()))
    done(run(empty, "restore", old, "--key", key))
    with empty.reading():
        secret = find_variable(environment().id, "API_KEY")
        assert secret and secret.value == "a secret of the old days"
        assert db.session.scalars(db.select(Domain)).all()
