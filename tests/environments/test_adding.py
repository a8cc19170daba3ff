"""Adding environments: empty or like another one, within the limits."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domains.queries import primary_host
from app.environments.operations import (
    ENVIRONMENTS_ALLOWED,
    EnvironmentSettings,
    update_environment,
)
from app.environments.queries import count_environments, list_environments
from app.errors import Invalid
from app.extensions import db
from app.names import clean_environment_slug
from app.repositories.queries import find_tracked_branch
from app.variables.operations import set_variable
from app.variables.queries import list_variables
from tests.deployments import site
from tests.lifecycle.trashing import add, doom, finish, trash_qa
from tests.panel import ALICE, BOB, CHARLIE, DORA, Panel, application, environment, user_of

PAGE = "/applications/demo/environments/new/"


def test_an_empty_one_has_an_address_and_is_deployed(panel: Panel) -> None:
    site.commit(panel)
    add(panel)
    with panel.reading():
        row = environment("qa")
        assert primary_host(row.id) == "demo--qa.localhost"
        assert (row.name, row.branch, row.containers) == ("QA", "main", 1)
        assert not row.is_deployed_on_push and list_variables(row.id) == []
        tracked = find_tracked_branch(row.id)
        assert tracked and tracked.head
        assert [item.slug for item in list_environments(row.application_id)][-1] == "qa"
    assert site.deploy(panel, "qa").status == "succeeded"
    assert site.visit(panel, "qa")
    with panel.reading():
        assert environment("qa").secret_key != environment("test").secret_key


def test_a_copy_has_branch_and_variables_but_one_container(panel: Panel) -> None:
    with panel.work():
        live = environment("live")
        update_environment(live, EnvironmentSettings("release", 3, True), 4, user_of(ALICE))
        set_variable(live, "COLOUR", " blue ", False, user_of(ALICE))
        set_variable(live, "TOKEN", "a long secret", True, user_of(ALICE))
    add(panel, source="live")
    with panel.reading():
        row = environment("qa")
        assert (row.branch, row.containers, row.is_deployed_on_push) == ("release", 1, True)
        found = {item.name: (item.value, item.is_secret) for item in list_variables(row.id)}
        assert found == {"COLOUR": (" blue ", False), "TOKEN": ("a long secret", True)}
    add(panel, "other-branch", source="live", branch="main")
    with panel.reading():
        assert environment("other-branch").branch == "main"


@pytest.mark.parametrize("slug", ["new", "trash", "stage", "test", "live", "a--b", "-a", "Qa", ""])
def test_names_that_cannot_be_are_refused(panel: Panel, slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        add(panel, slug)
    assert refused.value.field in {"slug", "name"}


def test_the_same_name_twice_is_refused(panel: Panel) -> None:
    add(panel)
    with pytest.raises(Invalid, match="already"):
        add(panel)


@given(st.text(max_size=30))
def test_every_slug_makes_a_host_label(text: str) -> None:
    try:
        slug = clean_environment_slug(text)
    except Invalid:
        return
    label = f"{'a' * 40}--{slug}"
    assert len(label) <= 63 and label.isascii() and not label.endswith("-")


def test_there_is_an_end_and_the_trash_counts(panel: Panel) -> None:
    for number in range(ENVIRONMENTS_ALLOWED - 3):
        add(panel, f"e{number}")
    add(panel)
    uuid = trash_qa(panel)
    with pytest.raises(Invalid, match="at most 10"):
        add(panel, "more")
    assert "No room for another one" in panel.client_of(ALICE).get(PAGE).text
    finish(panel, doom(panel, uuid))
    add(panel, "more")
    with panel.reading():
        assert count_environments(application().id) == ENVIRONMENTS_ALLOWED


def test_a_source_that_is_gone_is_said(panel: Panel) -> None:
    add(panel)
    trash_qa(panel)
    data = {"name": "Copy", "slug": "copy", "source": "qa"}
    answer = panel.client_of(ALICE).post(PAGE, data=data)
    assert answer.status_code == 200 and "not there any more" in answer.text
    data["source"] = "other"
    assert "not there any more" in panel.client_of(ALICE).post(PAGE, data=data).text


def test_the_page_adds_one(panel: Panel) -> None:
    dora = panel.client_of(DORA)
    assert "Add an environment" in dora.get(PAGE).text
    data = {"name": "Redesign 2027", "slug": "redesign", "branch": "redesign", "source": "live"}
    answer = dora.post(PAGE, data=data)
    assert answer.status_code == 303
    page = dora.get(answer.location).text
    assert "Redesign 2027" in page and "demo--redesign.localhost" in page
    again = dora.post(PAGE, data=data)
    assert again.status_code == 200 and "already" in again.text
    bad = dora.post(PAGE, data={**data, "slug": "x", "branch": "a..b"})
    assert "Git does not allow" in bad.text
    assert panel.client_of(BOB).get(PAGE).status_code == 403
    assert panel.client_of(BOB).post(PAGE, data=data).status_code == 403
    assert panel.client_of(CHARLIE).get(PAGE).status_code == 404


def test_two_people_add_the_same_at_once(panel: Panel) -> None:
    clients = [panel.client_of(ALICE), panel.client_of(DORA)]
    ready, answers = threading.Barrier(2), []

    def ask(number: int) -> None:
        ready.wait()
        answers.append(clients[number].post(PAGE, data={"name": "Q", "slug": "q"}).status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 303]
    with panel.reading():
        assert count_environments(application().id) == 3


def test_a_name_changes_and_the_address_stays(panel: Panel) -> None:
    add(panel)
    page = "/applications/demo/environments/qa/"
    data = {"name": "Quality", "branch": "main", "containers": "1"}
    assert panel.client_of(ALICE).post(page, data=data).status_code == 303
    with panel.reading():
        row = environment("qa")
        assert row.name == "Quality" and primary_host(row.id) == "demo--qa.localhost"
        db.session.rollback()
    data["name"] = "a\u202eb"
    answer = panel.client_of(ALICE).post(page, data=data)
    assert answer.status_code == 200 and "invisible" in answer.text
