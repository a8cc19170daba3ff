"""What is read and written of Git without starting it is what git itself says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app.adapters.git import Author, RepositoryStore
from app.adapters.git.entries import parse_tree
from app.adapters.git.history import LONGEST, count_straight, read_commit
from app.adapters.git.refs import read_branch, swap_branch
from app.adapters.git.store import DiskRepositoryStore
from app.errors import Conflict

ALICE = Author("Alice", "alice@example.com")
KEY = "0b54f1c2-7a0e-4a2b-9d1e-3f5a6b7c8d9e"

ME = ("-c", "user.name=Me", "-c", "user.email=me@example.com")


@pytest.fixture
def store(tmp_path: Path) -> RepositoryStore:
    made = DiskRepositoryStore(tmp_path, max_push_bytes=0)
    made.create(KEY, "main")
    return made


@pytest.fixture
def bare(tmp_path: Path, store: RepositoryStore) -> Path:
    return tmp_path / KEY[:2] / f"{KEY}.git"


def git(bare: Path, *words: str, given: bytes = b"") -> str:
    done = subprocess.run(["git", *words], cwd=bare, input=given, capture_output=True, check=True)
    return done.stdout.decode(errors="replace").strip()


def write(store: RepositoryStore, path: str = "a", on: str | None = None) -> str:
    return store.commit(KEY, "main", {path: path.encode()}, f"Write {path}", ALICE, on)


def made(bare: Path, *, parents: tuple[str, ...] = (), **words: bytes) -> str:
    """A commit as `words` have it: `author`, `head` (more header lines), `message`."""
    tree = git(bare, "mktree")
    person = words.get("author", b"Al Ice <al@example.com> 1700000000 +0100")
    lines = [f"tree {tree}".encode(), *(f"parent {one}".encode() for one in parents)]
    lines += [b"author " + person, b"committer Bo <bo@example.com> 1700000100 -0230"]
    data = b"\n".join(lines) + b"\n" + words.get("head", b"") + b"\n" + words["message"]
    return git(bare, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", given=data)


@pytest.mark.parametrize(
    "words",
    [
        {"message": b"One line"},
        {"message": b"\n \nTwo \nlines\t\n\nand more\n"},
        {"message": b""},
        {"message": "Grüezi 👋\n".encode()},
        {"message": b"no \xff text"},
        {"message": b"x", "author": b"Someone  <> 1 +0000"},
        {"message": b"x", "author": b"  Sp Ace <  a@b > 253402300800 +0000"},
        {"message": b"x", "author": b"No Mail"},
        {"message": "ü".encode("latin-1"), "head": b"encoding ISO-8859-1\n"},
        {"message": b"x", "head": b"gpgsig -----BEGIN\n tree of lies\n author A <a> 1 +0000\n"},
    ],
)
def test_a_commit_reads_as_git_reads_it(
    store: RepositoryStore, bare: Path, words: dict[str, bytes]
) -> None:
    sha = made(bare, **words)
    git(bare, "update-ref", "refs/heads/main", sha)
    listed = store.log(KEY, "main", None, 1)[0]
    assert store.tip(KEY, "main") == listed
    assert read_commit(bare, sha) in (listed, None)


def test_commits_are_counted_as_git_counts_them(store: RepositoryStore, bare: Path) -> None:
    one = write(store)
    two = write(store, "b", one)
    side = made(bare, parents=(one,), message=b"Side")
    both = made(bare, parents=(two, side), message=b"Merge")
    after = made(bare, parents=(both,), message=b"After")
    for until in (one, two, side, both, after):
        for since in (None, one, two, side, both, after, "f" * 40):
            words = [until, *([f"^{since}"] if since and since != "f" * 40 else [])]
            expected = int(git(bare, "rev-list", "--count", *words))
            assert store.count(KEY, until, since) == expected, (until, since)
    assert count_straight(bare, after, both) == 1 and count_straight(bare, after, one) is None
    assert count_straight(bare, one, two) is None, "it lies behind"


def test_a_long_history_is_left_to_git(store: RepositoryStore, bare: Path) -> None:
    commit = b"commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"
    git(bare, "fast-import", "--quiet", given=commit * (LONGEST + 5))
    tip = store.resolve(KEY, "main") or ""
    assert count_straight(bare, tip, None) is None and store.count(KEY, tip, None) == LONGEST + 5


def test_one_folder_is_listed(store: RepositoryStore, bare: Path) -> None:
    one = write(store, "é/deep/x")
    two = write(store, "top", one)
    assert store.list_folder(KEY, two) == ["top", "é/"]
    assert store.list_folder(KEY, two, "é") == ["deep/"]
    assert store.list_folder(KEY, two, "top") == store.list_folder(KEY, two, "none") == []
    assert store.list_folder(KEY, "0" * 40) == store.list_folder(KEY, "main") == []
    blob = git(bare, "hash-object", "-w", "--stdin", given=b"top")
    link = git(bare, "mktree", given=f"120000 blob {blob}\tlink\n".encode())
    assert store.list_folder(KEY, git(bare, *ME, "commit-tree", link, "-m", "x")) == []


def test_what_is_no_tree_is_refused() -> None:
    sha = b"\0" * 20
    assert parse_tree(b"100644 a b\0" + sha + b"40000 c\0" + sha) == {
        "a b": (sha, 0o100644),
        "c": (sha, 0o040000),
    }
    for data in (b"x", b"100644 a\0" + sha[:19], b"100644 a\0" + sha + b"!"):
        with pytest.raises(ValueError, match="no tree"):
            parse_tree(data)


class TestSwap:
    def test_a_branch_is_moved_and_can_be_written_by_the_group(
        self, store: RepositoryStore, bare: Path
    ) -> None:
        one = write(store)
        two = write(store, "b", one)
        file = bare / "refs" / "heads" / "main"
        assert file.read_text() == f"{two}\n" and file.stat().st_mode & 0o777 == 0o660
        assert git(bare, "rev-parse", "main") == two and git(bare, "fsck") == ""
        assert not file.with_name("main.lock").exists()

    def test_not_from_elsewhere_and_not_without_the_lock(
        self, store: RepositoryStore, bare: Path
    ) -> None:
        one = write(store)
        two = write(store, "b", one)
        lock = bare / "refs" / "heads" / "main.lock"
        assert not swap_branch(bare, "main", one, one) and not lock.exists()
        lock.touch()
        assert not swap_branch(bare, "main", one, two) and lock.exists()
        with pytest.raises(Conflict):
            write(store, "c", two)
        assert lock.exists() and read_branch(bare, "main") == two

    def test_a_packed_one_is_moved_by_git(self, store: RepositoryStore, bare: Path) -> None:
        one = write(store)
        git(bare, "pack-refs", "--all")
        assert not (bare / "refs" / "heads" / "main").exists()
        two = write(store, "b", one)
        assert git(bare, "rev-parse", "main") == two == store.resolve(KEY, "main")
