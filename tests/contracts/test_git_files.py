"""What a `RepositoryStore` gives of several files at once, and programs it writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app.adapters.git import Author, Program, RepositoryStore
from app.adapters.git.store import LARGEST_FILE, DiskRepositoryStore
from app.errors import Invalid

ALICE = Author("Alice", "alice@example.com")
KEY = "0b54f1c2-7a0e-4a2b-9d1e-3f5a6b7c8d9e"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repositories"


@pytest.fixture
def store(root: Path) -> RepositoryStore:
    made = DiskRepositoryStore(root, max_push_bytes=0)
    made.create(KEY, "main")
    return made


def write(store: RepositoryStore, files: dict[str, bytes | None], on: str | None = None) -> str:
    return store.commit(KEY, "main", files, "Write", ALICE, on)


def test_several_files_are_read_as_one_is(store: RepositoryStore) -> None:
    content: dict[str, bytes | None] = {
        "a": b"1\n2",
        "folder/b c": b"",
        "é.bin": b"\x00\n" * 500,
        "x blob 3": b"y",
    }
    commit = write(store, content)
    names = [*content, "folder", "missing blob 3", "../a", "two\nlines"]
    found = store.read_files(KEY, commit, names)
    assert found == content | dict.fromkeys(["folder", "missing blob 3", "../a", "two\nlines"])
    assert found == {name: store.read_file(KEY, commit, name) for name in names}


def test_nothing_asked_is_nothing_read(store: RepositoryStore) -> None:
    commit = write(store, {"a": b"1"})
    assert store.read_files(KEY, commit, []) == {}
    assert store.read_files(KEY, "0" * 40, ["a"]) == {"a": None}
    assert store.read_files(KEY, "main", ["a"]) == {"a": None}


def test_one_that_is_too_large_is_told(store: RepositoryStore) -> None:
    commit = write(store, {"large": b"x" * (LARGEST_FILE + 1)})
    with pytest.raises(Invalid, match="“large” is larger than 5 MB"):
        store.read_files(KEY, commit, ["large"])


def test_a_program_can_be_executed_and_stays_one(store: RepositoryStore, root: Path) -> None:
    first = write(store, {"run": Program(b"#!/bin/sh\n"), "text": b"x"})
    second = write(store, {"run": b"#!/bin/bash\n"}, first)
    folder = str(root / KEY[:2] / f"{KEY}.git")
    words = ["git", "-C", folder, "ls-tree", second]
    listed = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["100755", "100644"]
