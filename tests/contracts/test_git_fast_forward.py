"""Moving one branch on to another, and listing files; on the real store."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.adapters.git import Author
from app.adapters.git.store import DiskRepositoryStore
from app.errors import Conflict, Invalid

AUTHOR = Author("Dev", "dev@example.com")


@pytest.fixture
def store(tmp_path: Path) -> DiskRepositoryStore:
    return DiskRepositoryStore(tmp_path, 0)


@pytest.fixture
def key(store: DiskRepositoryStore) -> str:
    made = str(uuid.uuid4())
    store.create(made, "main")
    return made


def commit(
    store: DiskRepositoryStore, key: str, branch: str, files: Mapping[str, bytes | None]
) -> str:
    tip = store.resolve(key, branch)
    return store.commit(key, branch, files, "A change", AUTHOR, tip)


def test_a_branch_is_moved_on_and_leaves_nothing_behind(
    store: DiskRepositoryStore, key: str
) -> None:
    first = commit(store, key, "main", {"a": b"1"})
    second = commit(store, key, "main", {"a": b"2"})
    other = commit(store, key, "live", {"x": b"1"})
    with pytest.raises(Conflict, match="changes of its own"):
        store.fast_forward(key, "live", second, other)
    assert store.resolve(key, "live") == other
    third = commit(store, key, "main", {"a": b"3"})
    with pytest.raises(Conflict, match="changed meanwhile"):
        store.fast_forward(key, "main", third, first)
    with pytest.raises(Invalid):
        store.fast_forward(key, "no such", third, first)


def test_it_moves_to_what_comes_after(store: DiskRepositoryStore, key: str, tmp_path: Path) -> None:
    first = commit(store, key, "main", {"a": b"1"})
    second = commit(store, key, "main", {"a": b"2"})
    folder = str(next(tmp_path.glob("*/*.git")))
    subprocess.run(["git", "--git-dir", folder, "branch", "live", first], check=True)
    store.fast_forward(key, "live", second, first)
    assert store.resolve(key, "live") == second
    store.fast_forward(key, "live", second, second)
    with pytest.raises(Conflict):
        store.fast_forward(key, "live", "HEAD", second)


def test_files_are_listed_by_folder(store: DiskRepositoryStore, key: str) -> None:
    sha = commit(
        store, key, "main", {"static/b.css": b"", "static/a b.svg": b"", "x/static/c": b""}
    )
    assert store.list_files(key, sha, "static") == ["static/a b.svg", "static/b.css"]
    assert store.list_files(key, sha) == ["static/a b.svg", "static/b.css", "x/static/c"]
    assert store.list_files(key, sha, "none") == []
    assert store.list_files(key, "0" * 40) == [] and store.list_files(key, "main") == []
