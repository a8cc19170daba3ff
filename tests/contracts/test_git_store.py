"""What every `RepositoryStore` must do, over bare repositories on disk and the real git."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.adapters.git import Author, GitService, RepositoryStore
from app.adapters.git.commands import is_valid_branch_name, leads_out
from app.adapters.git.store import DiskRepositoryStore
from app.errors import Conflict, Invalid, NotFound
from tests.contracts.git_client import GitClient, GitFailed

ALICE = Author("Alice", "alice@example.com")
KEY = "0b54f1c2-7a0e-4a2b-9d1e-3f5a6b7c8d9e"
OTHER = "7d0c2a5e-95d1-4d5c-8d3f-0f7a3b1c9e44"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repositories"


@pytest.fixture
def store(root: Path) -> RepositoryStore:
    made = DiskRepositoryStore(root, max_push_bytes=0)
    made.create(KEY, "main")
    return made


@pytest.fixture
def bare(root: Path) -> str:
    return str(root / KEY[:2] / f"{KEY}.git")


@pytest.fixture
def alice(tmp_path: Path) -> GitClient:
    return GitClient(tmp_path / "alice").start()


def add(store: RepositoryStore, name: str, content: bytes, on: str | None) -> str:
    return store.commit(KEY, "main", {name: content}, f"Write {name}", ALICE, on)


def names_in(stream: io.BufferedIOBase) -> dict[str, bytes | None]:
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        found = {}
        for member in tar:
            content = tar.extractfile(member)
            found[member.name] = content.read() if content else None
        return found


class TestLife:
    def test_create_is_silent_when_it_is_there_and_keeps_it(self, store: RepositoryStore) -> None:
        sha = add(store, "a", b"1", None)
        store.create(KEY, "main")
        assert store.branches(KEY) == {"main": sha}

    def test_head_is_the_default_branch(self, root: Path) -> None:
        key = str(uuid.uuid4())
        DiskRepositoryStore(root, 0).create(key, "develop")
        assert (root / key[:2] / f"{key}.git" / "HEAD").read_text() == "ref: refs/heads/develop\n"

    def test_many_at_once_make_one(self, root: Path) -> None:
        key, store = str(uuid.uuid4()), DiskRepositoryStore(root, 0)
        run_together([lambda: store.create(key, "main")] * 6)
        assert [path.name for path in (root / key[:2]).iterdir()] == [f"{key}.git"]

    def test_delete_leaves_nothing_and_is_silent_when_gone(
        self, store: RepositoryStore, root: Path
    ) -> None:
        store.delete(KEY)
        store.delete(KEY)
        assert list((root / KEY[:2]).iterdir()) == []
        with pytest.raises(NotFound):
            store.branches(KEY)

    @pytest.mark.parametrize(
        "key", ["", "..", "demo", "../" + KEY, KEY.upper(), KEY + "\n", "--help", OTHER]
    )
    def test_other_keys_are_not_found(self, store: RepositoryStore, key: str) -> None:
        for ask in (store.branches, store.size, lambda k: store.serve(k, GitService.UPLOAD_PACK)):
            with pytest.raises(NotFound):
                ask(key)

    def test_another_user_of_the_group_may_write(self, store: RepositoryStore, bare: str) -> None:
        """web, ssh and worker run as different users; what one makes the others write in."""
        add(store, "d/e", b"1", None)
        folders = [Path(bare).parent, *(p for p in Path(bare).rglob("*") if p.is_dir())]
        assert len(folders) > 8
        assert [f for f in folders if stat.S_IMODE(f.stat().st_mode) != 0o2770] == []

    def test_size_grows_with_what_is_in_it(self, store: RepositoryStore) -> None:
        before = store.size(KEY)
        add(store, "noise", os.urandom(300_000), None)
        assert 300_000 <= store.size(KEY) - before < 600_000

    def test_the_environment_of_git_is_built_from_scratch(
        self, store: RepositoryStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_DIR", "/elsewhere")
        monkeypatch.setenv("SECRET", "x")
        command = store.serve(KEY, GitService.RECEIVE_PACK)
        assert not {"GIT_DIR", "SECRET"} & command.environment.keys()
        assert add(store, "a", b"1", None) == store.resolve(KEY, "main")


class TestReading:
    def test_an_empty_repository(self, store: RepositoryStore) -> None:
        assert store.branches(KEY) == {}
        assert store.resolve(KEY, "main") is None
        with pytest.raises(Invalid, match="empty"):
            store.archive(KEY, "0" * 40)

    def test_log_and_count(self, store: RepositoryStore) -> None:
        one = add(store, "a", b"1", None)
        two = add(store, "a", b"2", one)
        three = add(store, "b", b"3", two)
        log = store.log(KEY, "main", None, 10)
        assert [entry.sha for entry in log] == [three, two, one]
        assert log[0].subject == "Write b"
        assert (log[0].author_name, log[0].author_email) == ("Alice", "alice@example.com")
        assert log[0].committed_at.tzinfo is not None
        assert [entry.sha for entry in store.log(KEY, three, one, 1)] == [three]
        assert store.count(KEY, three, one) == 2
        assert store.count(KEY, three, None) == 3
        assert store.count(KEY, three, "f" * 40) == 3

    @pytest.mark.parametrize("name", ["gone", "--all", "-h", "main..main", "f" * 40, ""])
    def test_log_of_what_is_not_there(self, store: RepositoryStore, name: str) -> None:
        add(store, "a", b"1", None)
        for ask in (lambda: store.log(KEY, name, None, 5), lambda: store.count(KEY, name, None)):
            with pytest.raises(Invalid):
                ask()

    def test_read_file(self, store: RepositoryStore) -> None:
        sha = add(store, "deep/ü.json", b"{}\0", None)
        assert store.read_file(KEY, sha, "deep/ü.json") == b"{}\0"
        for path in ("deep", "nothing", "../x", "/etc/passwd", "deep/ü.json\n", "-x", ""):
            assert store.read_file(KEY, sha, path) is None
        assert store.read_file(KEY, "HEAD", "deep/ü.json") is None

    def test_read_file_stops_at_five_megabytes(self, store: RepositoryStore) -> None:
        sha = add(store, "big", b"\0" * (5 * 1024 * 1024 + 1), None)
        with pytest.raises(Invalid, match="5 MB"):
            store.read_file(KEY, sha, "big")

    def test_names_that_are_no_utf8(
        self, store: RepositoryStore, bare: str, alice: GitClient
    ) -> None:
        alice.commit("x", {os.fsdecode(b"caf\xe9"): "1"})
        alice.run("push", "--quiet", bare, "HEAD:main")
        alice.run("push", "--quiet", bare, os.fsdecode(b"HEAD:refs/heads/t\xe9"))
        assert set(store.branches(KEY)) == {"main", "t\ufffd"}
        with (
            store.archive(KEY, alice.head()) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            assert [os.fsencode(name) for name in tar.getnames()] == [b"caf\xe9"]


class TestArchive:
    def test_all_files_as_committed(
        self, store: RepositoryStore, bare: str, alice: GitClient
    ) -> None:
        alice.write({".gitattributes": "hidden export-ignore\nid export-subst\n"})
        sha = alice.commit("x", {"a/b": "1", "hidden": "2", "id": "$Format:%H$"})
        alice.run("push", "--quiet", bare, "HEAD:main")
        with store.archive(KEY, sha) as stream:
            found = names_in(stream)
        assert found["a/b"] == b"1"
        assert found["hidden"] == b"2"
        assert found["id"] == b"$Format:%H$"

    def test_an_unknown_commit(self, store: RepositoryStore) -> None:
        add(store, "a", b"1", None)
        for commit in ("f" * 40, "main", "--help", "HEAD", "--output=/tmp/x"):
            with pytest.raises(Invalid, match="There is no commit"):
                store.archive(KEY, commit)

    def test_a_submodule_is_named(
        self, store: RepositoryStore, bare: str, alice: GitClient
    ) -> None:
        head = alice.commit("x", {"a": "1"})
        alice.run("update-index", "--add", "--cacheinfo", f"160000,{head},vendor/lib")
        alice.run("commit", "-qm", "submodule")
        alice.run("push", "--quiet", bare, "HEAD:main")
        with pytest.raises(Invalid, match="submodule “vendor/lib”"):
            store.archive(KEY, alice.head())

    @pytest.mark.parametrize(
        ("links", "named"),
        [
            ({"bad": "/etc/passwd"}, "bad"),
            ({"deep/bad": "../../x"}, "deep/bad"),
            ({"deep/er/up": "../..", "bad": "deep/er/up/../x"}, "bad"),
            ({"bad": "bad"}, "bad"),
        ],
    )
    def test_a_link_that_leads_out_is_named(
        self,
        store: RepositoryStore,
        bare: str,
        alice: GitClient,
        links: dict[str, str],
        named: str,
    ) -> None:
        push_links(alice, bare, links)
        with pytest.raises(Invalid, match=f"“{named}” leads out"):
            store.archive(KEY, alice.head())

    def test_a_link_inside_is_kept(
        self, store: RepositoryStore, bare: str, alice: GitClient
    ) -> None:
        push_links(alice, bare, {"deep/link": "../file", "dangling": "nowhere"})
        with (
            store.archive(KEY, alice.head()) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            assert tar.getmember("deep/link").linkname == "../file"

    def test_a_missing_object_never_passes_for_a_whole_tree(
        self, store: RepositoryStore, bare: str
    ) -> None:
        sha = add(store, "a", b"1" * 5000, None)
        blob = GitClient(Path(bare)).run("rev-parse", f"{sha}:a").strip()
        (Path(bare) / "objects" / blob[:2] / blob[2:]).unlink()
        with pytest.raises(Invalid, match="cannot be read"), store.archive(KEY, sha) as stream:
            stream.read()

    def test_closing_early_ends_git(self, store: RepositoryStore, bare: str) -> None:
        sha = add(store, "noise", os.urandom(3_000_000), None)
        stream = store.archive(KEY, sha)
        stream.read(1000)
        assert processes_in(bare) != []
        stream.close()
        assert processes_in(bare) == []


class TestCommit:
    def test_write_change_and_delete(self, store: RepositoryStore, bare: str) -> None:
        one = store.commit(KEY, "main", {"a": b"1", "d/b": b"2"}, "One\n\nBody ü", ALICE, None)
        two = store.commit(KEY, "main", {"a": b"3", "d/b": None, "no": None}, "Two", ALICE, one)
        assert store.resolve(KEY, "main") == two
        with store.archive(KEY, two) as stream:
            assert names_in(stream) == {"a": b"3"}
        assert [entry.subject for entry in store.log(KEY, two, None, 5)] == ["Two", "One"]
        GitClient(Path(bare)).run("fsck", "--strict", "--full")

    def test_nothing_changed_makes_no_commit(self, store: RepositoryStore) -> None:
        one = add(store, "a", b"1", None)
        assert add(store, "a", b"1", one) == one

    def test_executable_files_stay_executable(
        self, store: RepositoryStore, bare: str, alice: GitClient
    ) -> None:
        alice.write({"run.sh": "1"})
        (alice.folder / "run.sh").chmod(0o755)
        sha = alice.commit("x")
        alice.run("push", "--quiet", bare, "HEAD:main")
        new = add(store, "run.sh", b"2", sha)
        with store.archive(KEY, new) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            assert tar.getmember("run.sh").mode & 0o100

    def test_a_branch_that_has_moved_is_a_conflict(self, store: RepositoryStore) -> None:
        one = add(store, "a", b"1", None)
        two = add(store, "a", b"2", one)
        for stale in (one, None, "f" * 40):
            with pytest.raises(Conflict, match="“main” has changed"):
                add(store, "a", b"3", stale)
        assert store.resolve(KEY, "main") == two

    def test_of_many_at_once_one_wins(self, store: RepositoryStore) -> None:
        base = add(store, "a", b"1", None)
        done: list[str] = []
        lost: list[Conflict] = []

        def write(number: int) -> None:
            try:
                done.append(add(store, "a", b"%d" % number, base))
            except Conflict as error:
                lost.append(error)

        run_together([lambda n=number: write(n + 10) for number in range(6)])  # type: ignore[misc]
        assert len(done) == 1
        assert len(lost) == 5
        assert store.resolve(KEY, "main") == done[0]

    def test_a_branch_inside_another_branch(self, store: RepositoryStore) -> None:
        one = add(store, "a", b"1", None)
        with pytest.raises(Invalid, match="main/sub"):
            store.commit(KEY, "main/sub", {"a": b"2"}, "x", ALICE, None)
        assert store.branches(KEY) == {"main": one}

    @pytest.mark.parametrize("path", ["../x", "/x", ".git/config", "a/../b", "", "a//b", "a\nb"])
    def test_paths_that_leave_the_tree(self, store: RepositoryStore, path: str) -> None:
        with pytest.raises(Invalid):
            add(store, path, b"1", None)
        assert store.branches(KEY) == {}

    def test_a_file_where_a_folder_is(self, store: RepositoryStore) -> None:
        one = add(store, "a/b", b"1", None)
        for path in ("a", "a/b/c"):
            with pytest.raises(Invalid, match="folder"):
                add(store, path, b"1", one)
        moved = store.commit(KEY, "main", {"a/b": None, "a": b"2"}, "x", ALICE, one)
        assert store.read_file(KEY, moved, "a") == b"2"

    def test_an_author_with_a_hostile_name(self, store: RepositoryStore) -> None:
        author = Author("Eve <root@x>\nparent 0", "e@x>\n")
        store.commit(KEY, "main", {"a": b"1"}, "x", author, None)
        (entry,) = store.log(KEY, "main", None, 5)
        assert (entry.author_name, entry.author_email) == ("Eve root@xparent 0", "e@x")


class TestPushedContent:
    def test_no_hook_runs(
        self, store: RepositoryStore, bare: str, alice: GitClient, tmp_path: Path
    ) -> None:
        for name in ("pre-receive", "update", "post-receive", "reference-transaction"):
            hook = Path(bare) / "hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
            hook.chmod(0o755)
        alice.commit("x", {"a": "1"})
        alice.run("push", "--quiet", bare, "HEAD:main")
        add(store, "b", b"1", alice.head())
        assert not (tmp_path / "ran").exists()

    def test_rewriting_history_is_possible(
        self, store: RepositoryStore, bare: str, alice: GitClient
    ) -> None:
        alice.commit("x", {"a": "1"})
        alice.run("push", "--quiet", bare, "HEAD:main")
        alice.run("commit", "-q", "--amend", "-m", "y")
        alice.run("push", "--quiet", "--force", bare, "HEAD:main")
        assert store.resolve(KEY, "main") == alice.head()

    @pytest.mark.parametrize("name", [b"..", b".git", b"."])
    def test_a_tree_that_leaves_itself_is_refused(
        self, store: RepositoryStore, bare: str, alice: GitClient, name: bytes
    ) -> None:
        alice.commit("x", {"a": "1"})
        blob = bytes.fromhex(alice.run("rev-parse", "HEAD:a").strip())
        made = subprocess.run(
            ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
            input=b"100644 " + name + b"\0" + blob,
            cwd=alice.folder,
            env=alice.environment(),
            stdout=subprocess.PIPE,
            check=True,
        )
        tree = made.stdout.decode().strip()
        commit = alice.run("commit-tree", tree, "-m", "evil").strip()
        with pytest.raises(GitFailed):
            alice.run("push", bare, f"{commit}:refs/heads/main")
        assert store.branches(KEY) == {}


NAMES = st.text(st.sampled_from("ab-./@{}~^:?*[\\ \x7f\tüHEADlock"), max_size=12) | st.text(
    max_size=8
)


class TestNames:
    @settings(max_examples=150, deadline=None)
    @given(NAMES)
    @example("a.lock")
    @example("@{-1}")
    @example("refs/heads/x")
    @example("-x")
    @example("HEAD")
    @example("a/./b")
    def test_branch_names_as_git_judges_them(self, name: str) -> None:
        if name == "@":  # git takes it and then reads it as HEAD everywhere; not here
            assert not is_valid_branch_name(name)
            return
        if "\0" in name or any("\ud800" <= c <= "\udfff" for c in name):
            assert not is_valid_branch_name(name)
            return
        judged = subprocess.run(
            ["git", "check-ref-format", "--branch", name],
            env={"PATH": os.environ["PATH"], "GIT_DIR": "/nonexistent", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            check=False,
        )
        assert is_valid_branch_name(name) == (judged.returncode == 0)

    @pytest.mark.parametrize(
        "name", ["--upload-pack=x", "-", "a b", "a..b", "x\n", "a\0", "\ud800"]
    )
    def test_hostile_branch_names_reach_no_git(self, store: RepositoryStore, name: str) -> None:
        assert store.resolve(KEY, name) is None
        with pytest.raises(Invalid):
            store.commit(KEY, name, {"a": b"1"}, "x", ALICE, None)
        with pytest.raises(Invalid):
            store.create(str(uuid.uuid4()), name)

    def test_links_through_links(self) -> None:
        assert leads_out(b"a/b", {b"a/b": b"../.."})
        assert not leads_out(b"a/b", {b"a/b": b".."})
        assert leads_out(b"x", {b"a/b": b"..", b"x": b"a/b/.."})
        assert leads_out(b"x", {b"x": b"y", b"y": b"x"})


def push_links(alice: GitClient, bare: str, links: dict[str, str]) -> None:
    alice.write({"file": "1"})
    for name, target in links.items():
        path = alice.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    alice.commit("links")
    alice.run("push", "--quiet", bare, "HEAD:main")


def run_together(actions: list[Callable[[], object]]) -> None:
    gate = threading.Barrier(len(actions))

    def act(action: Callable[[], object]) -> None:
        gate.wait()
        action()

    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def processes_in(folder: str) -> list[int]:
    """Processes whose working directory is `folder`: the git processes serving it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if str((entry / "cwd").readlink()) == folder:
                    found.append(int(entry.name))
            except OSError:  # ended meanwhile
                continue
    return found
