"""Environments: branches Git would take, and as many containers as the plan allows."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.environments.operations import EnvironmentSettings, clean_branch, update_environment
from app.errors import Invalid
from app.repositories.queries import find_tracked_branch
from tests.panel import ALICE, Panel, environment, user_of

BAD_BRANCHES = [
    "",
    " ",
    "-b",
    "--upload-pack=touch",
    "a b",
    "a..b",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[b",
    "a\\b",
    "/a",
    "a/",
    "a//b",
    "a.",
    ".a",
    "a/.b",
    "a.lock",
    "@",
    "a@{1}",
    "HEAD",
    "a\0b",
    "a\x7f",
    "x" * 201,
]


@pytest.mark.parametrize("name", BAD_BRANCHES, ids=ascii)
def test_bad_branch_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        clean_branch(name)
    assert refused.value.field == "branch"


@pytest.mark.parametrize("name", ["main", " main ", "feature/login", "käse", "v1.2", "a@b", "#1"])
def test_good_branch_names_are_kept(name: str) -> None:
    assert clean_branch(name) == name.strip()


@settings(max_examples=40)
@given(st.text(alphabet="ab/.-@{}~^: [\\*?é", min_size=1, max_size=8))
def test_git_agrees(name: str) -> None:
    try:
        branch = clean_branch(name)
    except Invalid:
        return
    checked = subprocess.run(["git", "check-ref-format", "--branch", branch], capture_output=True)
    assert checked.returncode == 0


def update(
    panel: Panel, slug: str, containers: int, allowed: int = 4, branch: str = "main"
) -> None:
    with panel.work():
        wanted = EnvironmentSettings(branch, containers, is_deployed_on_push=False)
        update_environment(environment(slug), wanted, allowed, user_of(ALICE))


@pytest.mark.parametrize(
    ("slug", "containers", "sentence"),
    [
        ("live", 0, "at least one"),
        ("live", -1, "at least one"),
        ("live", 5, "plan allows 4"),
        ("live", 10**9, "plan allows 4"),
        ("test", 2, "Only Live"),
    ],
)
def test_the_number_of_containers_is_limited(
    panel: Panel, slug: str, containers: int, sentence: str
) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        update(panel, slug, containers)
    assert refused.value.field == "containers"


def test_live_runs_several_containers(panel: Panel) -> None:
    update(panel, "live", 4)
    with panel.reading():
        assert environment("live").containers == 4


def test_another_branch_is_counted_at_once(panel: Panel) -> None:
    data = {"name": "Test", "branch": "feature", "containers": "1"}
    page = "/applications/demo/environments/test/"
    assert panel.client_of(ALICE).post(page, data=data).status_code == 303
    with panel.reading():
        tracked = find_tracked_branch(environment().id)
        assert tracked and tracked.head is None and tracked.waiting == 0
    assert panel.client_of(ALICE).post(page, data={**data, "branch": "main"}).status_code == 303
    with panel.reading():
        tracked = find_tracked_branch(environment().id)
        assert tracked and tracked.head and tracked.waiting == 1


@pytest.mark.parametrize("containers", ["", "two", "1.5", "9" * 30])
def test_a_refused_form_says_why_and_changes_nothing(panel: Panel, containers: str) -> None:
    data = {"name": "Live", "branch": "other", "containers": containers}
    answer = panel.client_of(ALICE).post("/applications/demo/environments/live/", data=data)
    assert answer.status_code == 200
    with panel.reading():
        assert (environment("live").branch, environment("live").containers) == ("main", 1)
