"""Git over HTTP with the real client: who may fetch and push, and what a push sets in motion."""

from __future__ import annotations

import base64
import datetime
import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.accounts.operations import create_access_token, revoke_access_token
from app.accounts.queries import find_access_token
from app.deployments.jobs import DEPLOY_PUSHED_JOB
from app.environments.operations import EnvironmentSettings, update_environment
from app.extensions import now
from app.repositories.models import TrackedBranch
from app.repositories.operations import mark_deployed
from app.repositories.queries import find_tracked_branch, load_repository
from tests.contracts.git_client import GitClient, GitFailed
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    RITA,
    Panel,
    Person,
    application,
    environment,
    user_of,
)


@pytest.fixture
def address(panel: Panel) -> Iterator[str]:
    """Where the panel is reached."""
    with panel.served() as (host, port):
        yield f"http://{host}:{port}/git"


@pytest.fixture
def laptop(panel: Panel, tmp_path: Path) -> Callable[[Person], GitClient]:
    """Makes a person's work tree, whose Git shows a token of theirs."""

    def make(person: Person) -> GitClient:
        folder = tmp_path / f"{person.name}-{len(list(tmp_path.iterdir()))}"
        return GitClient(folder, header=basic(person.email, token_of(panel, person)))

    return make


def token_of(panel: Panel, person: Person, days: int | None = None) -> str:
    with panel.work():
        return create_access_token(user_of(person), "laptop", days)[1]


def basic(name: str, password: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def tracked(slug: str = "test") -> TrackedBranch:
    found = find_tracked_branch(environment(slug).id)
    assert found is not None
    return found


def tips(panel: Panel, slug: str = "demo") -> dict[str, str]:
    with panel.reading():
        return dict(panel.store.branches(load_repository(application(slug).id).uuid))


@pytest.mark.parametrize("person", [ALICE, ADAM, DORA], ids=str)
def test_those_who_work_on_it_clone_and_push(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient], person: Person
) -> None:
    work = laptop(person).clone(f"{address}/demo.git")
    sha = work.commit("A change", {"public/new.html": "new"})
    work.push(f"{address}/demo.git")
    assert tips(panel) == {"main": sha}


def test_who_may_only_look_fetches_but_does_not_push(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    before = tips(panel)
    work = laptop(BOB).clone(f"{address}/demo.git")
    work.commit("A change", {"x": "x"})
    with pytest.raises(GitFailed) as refused:
        work.push(f"{address}/demo.git")
    assert "403" in refused.value.said
    assert tips(panel) == before


@pytest.mark.parametrize("person", [RITA, CHARLIE], ids=str)
def test_strangers_find_no_repository(
    address: str, laptop: Callable[[Person], GitClient], person: Person
) -> None:
    for slug in ("demo", "missing"):
        with pytest.raises(GitFailed) as refused:
            laptop(person).clone(f"{address}/{slug}.git")
        assert "not found" in refused.value.said


def test_a_token_opens_nothing_of_another_organisation(panel: Panel, address: str) -> None:
    header = basic(ALICE.email, token_of(panel, ALICE)).partition(": ")[2]
    for slug in ("other", "missing"):
        answer = panel.client().get(
            f"/git/{slug}.git/info/refs?service=git-upload-pack", headers={"Authorization": header}
        )
        assert answer.status_code == 404 and slug in answer.text


@pytest.mark.parametrize("case", ["none", "wrong", "foreign", "expired", "revoked", "password"])
def test_only_a_valid_token_of_the_person_opens(panel: Panel, address: str, case: str) -> None:
    token = token_of(panel, ALICE, days=1)
    if case in {"expired", "revoked"}:
        with panel.work():
            row = find_access_token(token)
            assert row
            row.expires_at = now() - datetime.timedelta(seconds=1)
            if case == "revoked":
                revoke_access_token(row.user, row)
    names = {"foreign": ADAM.email}
    texts = {"wrong": "mb_wrong", "password": "correct horse battery"}
    header = basic(names.get(case, ALICE.email), texts.get(case, token)).partition(": ")[2]
    answer = panel.client().get(
        "/git/demo.git/info/refs?service=git-upload-pack",
        headers={} if case == "none" else {"Authorization": header},
    )
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_session_is_no_token(panel: Panel) -> None:
    answer = panel.client_of(ALICE).get("/git/demo.git/info/refs?service=git-upload-pack")
    assert answer.status_code == 401


def test_the_right_is_that_of_the_program_that_runs(panel: Panel, tmp_path: Path) -> None:
    """A push that names the other service in its address is still a push."""
    before = tips(panel)
    header = basic(BOB.email, token_of(panel, BOB)).partition(": ")[2]
    for query in ("?service=git-upload-pack", "?service=git-receive-pack&service=x", ""):
        answer = panel.client().post(
            f"/git/demo.git/git-receive-pack{query}",
            data=push_of_a_new_branch(before["main"]),
            headers={
                "Authorization": header,
                "Content-Type": "application/x-git-receive-pack-request",
            },
        )
        assert answer.status_code == 403, answer.text
    assert tips(panel) == before
    alices = basic(ALICE.email, token_of(panel, ALICE)).partition(": ")[2]
    answer = panel.client().post(
        "/git/demo.git/git-receive-pack",
        data=push_of_a_new_branch(before["main"]),
        headers={
            "Authorization": alices,
            "Content-Type": "application/x-git-receive-pack-request",
        },
    )
    assert answer.status_code == 200 and set(tips(panel)) == {"main", "sneaked-in"}


def push_of_a_new_branch(sha: str) -> bytes:
    """What Git sends to make branch `sneaked-in` at a commit the server has: an empty pack."""
    line = f"{'0' * 40} {sha} refs/heads/sneaked-in\0 report-status\n".encode()
    head = b"PACK" + (2).to_bytes(4, "big") + (0).to_bytes(4, "big")
    pack = head + hashlib.sha1(head).digest()
    return f"{len(line) + 4:04x}".encode() + line + b"0000" + pack


@pytest.mark.parametrize(
    "path",
    [
        "HEAD",
        "config",
        "objects/info/packs",
        "info/refs",
        "info/refs?service=git-evil",
        "info/refs?service=git-upload-pack&service=git-receive-pack",
        "info/refs?" + "&".join(f"a{n}=1" for n in range(30)),
        "../../other/HEAD",
    ],
)
def test_only_the_smart_protocol_is_served(panel: Panel, path: str) -> None:
    header = basic(ALICE.email, token_of(panel, ALICE)).partition(": ")[2]
    answer = panel.client().get(f"/git/demo.git/{path}", headers={"Authorization": header})
    assert answer.status_code == 404


def test_what_waits_is_counted_at_once(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    with panel.work():
        mark_deployed(environment(), tips(panel)["main"], panel.store)
    work = laptop(ALICE).clone(f"{address}/demo.git")
    for number in range(3):
        work.commit(f"Change {number}", {"x": str(number)})
    work.push(f"{address}/demo.git")
    with panel.reading():
        assert (tracked("test").waiting, tracked("live").waiting) == (3, 4)
        assert (tracked().subject, tracked().author) == ("Change 2", "Alice")
        assert load_repository(application().id).pushed_at is not None


def test_a_force_push_is_taken_and_counted(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    with panel.work():
        mark_deployed(environment(), tips(panel)["main"], panel.store)
    work = laptop(ALICE).start()
    sha = work.commit("Another beginning", {"x": "x"})
    with pytest.raises(GitFailed):
        work.push(f"{address}/demo.git")
    work.push(f"{address}/demo.git", "main", "--force")
    with panel.reading():
        assert (tracked().head, tracked().waiting) == (sha, 1)


def test_a_deleted_branch_leaves_nothing_waiting(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    work = laptop(ALICE).clone(f"{address}/demo.git")
    work.run("push", f"{address}/demo.git", "--delete", "main")
    assert tips(panel) == {}
    with panel.reading():
        assert (tracked().head, tracked().waiting, tracked().subject) == (None, 0, "")


def test_another_branch_touches_no_environment(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    work = laptop(ALICE).clone(f"{address}/demo.git")
    work.commit("Elsewhere", {"x": "x"})
    work.push(f"{address}/demo.git", "feature/x")
    with panel.reading():
        assert tracked().waiting == 1 and tracked().subject == "Begin the site"
    assert panel.queue.jobs == []


def test_an_environment_that_wants_it_is_deployed_after_a_push(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    with panel.work():
        wanted = EnvironmentSettings("main", 1, is_deployed_on_push=True)
        update_environment(environment("test"), wanted, 1, user_of(ALICE))
    work = laptop(DORA).clone(f"{address}/demo.git")
    work.commit("A change", {"x": "x"})
    work.push(f"{address}/demo.git")
    with panel.app.app_context():
        row = environment("test")
        assert panel.queue.jobs == [(DEPLOY_PUSHED_JOB, (row.id,))]
        tracked = find_tracked_branch(row.id)
        assert tracked and tracked.pushed_by_id == user_of(DORA).id


def test_a_push_survives_a_queue_that_is_down(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    with panel.work():
        wanted = EnvironmentSettings("main", 1, is_deployed_on_push=True)
        update_environment(environment("test"), wanted, 1, user_of(ALICE))
    panel.queue.is_down = True
    work = laptop(ALICE).clone(f"{address}/demo.git")
    sha = work.commit("A change", {"x": "x"})
    work.push(f"{address}/demo.git")
    with panel.reading():
        assert tracked().head == sha and panel.queue.jobs == []


def test_a_refused_push_changes_no_count(
    panel: Panel, address: str, laptop: Callable[[Person], GitClient]
) -> None:
    """Git itself refuses a tree that leaves the work tree when it is checked out."""
    work = laptop(ALICE).clone(f"{address}/demo.git")
    blob = work.run("hash-object", "-w", "--stdin").strip()
    tree = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
        cwd=work.folder,
        input=b"100644 ..\0" + bytes.fromhex(blob),
        capture_output=True,
        check=True,
    )
    sha = work.run("commit-tree", tree.stdout.decode().strip(), "-m", "bad").strip()
    with pytest.raises(GitFailed):
        work.run("push", f"{address}/demo.git", f"{sha}:refs/heads/main", "--force")
    with panel.reading():
        assert tracked().waiting == 1 and tracked().head == tips(panel)["main"]


def test_the_token_is_marked_as_used(panel: Panel) -> None:
    token = token_of(panel, ALICE)
    header = basic(ALICE.email, token).partition(": ")[2]
    path = "/git/demo.git/info/refs?service=git-upload-pack"
    assert panel.client().get(path, headers={"Authorization": header}).status_code == 200
    with panel.reading():
        row = find_access_token(token)
        assert row and row.last_used_at is not None
