"""Deleting one's account: what must be given away first, what goes, what stays."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from app.accounts.models import AccessToken, SignIn, SSHKey, User
from app.accounts.operations import create_access_token
from app.accounts.operators import appoint_operator
from app.accounts.queries import find_access_token, find_user
from app.applications.models import Collaborator
from app.audit.models import AuditLine
from app.deployments.models import Deployment, DeploymentStatus
from app.extensions import db
from app.mails.models import Mail
from app.organisations.models import Member
from app.organisations.operations import change_role
from app.organisations.queries import find_member, find_organisation
from app.permissions import Role
from app.signals import step_started
from tests.deployments import site
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    PASSWORD,
    RITA,
    Panel,
    Person,
    application,
    organisation,
    user_of,
)

PAGE = "/account/delete/"


def delete(
    panel: Panel, person: Person, name: str | None = None, password: str = PASSWORD
) -> tuple[int, str]:
    """Send the form; status and page."""
    data = {"name": person.name if name is None else name, "password": password}
    answer = panel.client_of(person).post(PAGE, data=data)
    return answer.status_code, answer.text


def is_there(panel: Panel, person: Person) -> bool:
    with panel.reading():
        return find_user(person.email) is not None


def give_away(panel: Panel) -> None:
    """Adam becomes an owner of Moon, too."""
    with panel.work():
        member = find_member(organisation().id, user_of(ADAM).id)
        assert member
        change_role(member, Role.OWNER, user_of(ALICE))


def test_everything_of_the_person_goes_and_their_empty_organisation(panel: Panel) -> None:
    with panel.work():
        token = create_access_token(user_of(BOB), "laptop")[1]
        number = user_of(BOB).id
        db.session.add(
            SSHKey(user=user_of(BOB), name="k", kind="ED25519", fingerprint="f", public_key="p")
        )
    browser = panel.client_of(BOB)
    assert "Bob" in browser.get(PAGE).text
    assert delete(panel, BOB)[0] == 303
    assert not is_there(panel, BOB)
    assert browser.get("/account/").status_code == 302
    with panel.reading():
        assert find_access_token(token) is None and find_organisation("bob") is None
        for model in (AccessToken, SSHKey, SignIn, Member, Collaborator):
            assert db.session.scalar(select(func.count()).where(model.user_id == number)) == 0
        assert find_organisation("moon") is not None
        letter = db.session.scalars(select(Mail)).one()
        assert letter.recipient == BOB.email and "is deleted" in letter.text


def test_audit_lines_keep_the_name(panel: Panel) -> None:
    with panel.reading():
        number = user_of(RITA).id
    delete(panel, RITA)
    with panel.reading():
        lines = db.session.scalars(select(AuditLine).where(AuditLine.actor_id == number)).all()
        actions = {line.action: line for line in lines}
        assert {"account.delete", "member.leave", "organisation.delete"} <= set(actions)
        assert {line.actor_name for line in lines} == {"Rita"}
        assert actions["member.leave"].organisation_id == organisation().id


def test_the_only_owner_must_give_away_first(panel: Panel) -> None:
    status, page = delete(panel, ALICE)
    assert status == 200 and is_there(panel, ALICE)
    page = page.partition('id="first"')[2]
    assert "/organisations/moon/members/" in page
    assert re.search(r"[3-9] members, \d+ site", page)
    assert 'name="password"' not in page
    assert "/organisations/alice/members/" not in page
    give_away(panel)
    assert 'id="first"' not in panel.client_of(ALICE).get(PAGE).text
    assert delete(panel, ALICE)[0] == 303
    with panel.reading():
        assert find_organisation("moon") is not None and application().slug == "demo"


def test_one_application_in_the_trash_is_one_too(panel: Panel) -> None:
    with panel.work():
        row = application("other")
        row.trashed_at = row.created_at
    assert "/organisations/charlie/members/" in delete(panel, CHARLIE)[1].partition('id="first"')[2]
    assert is_there(panel, CHARLIE)


@pytest.mark.parametrize(
    ("name", "password", "says"),
    [
        ("Dora", "wrong password", "not your password"),
        ("Somebody", PASSWORD, "This is not the name"),
        ("", PASSWORD, ""),
        ("Dora", "", ""),
    ],
)
def test_name_and_password_are_asked_for(panel: Panel, name: str, password: str, says: str) -> None:
    status, page = delete(panel, DORA, name, password)
    assert status == 200 and says in page and is_there(panel, DORA)


def test_nobody_deletes_without_signing_in_or_without_a_form(panel: Panel) -> None:
    assert panel.client().get(PAGE).status_code == 302
    assert panel.client_of(DORA).get(PAGE).status_code == 200
    assert is_there(panel, DORA)


def test_guessing_the_password_there_is_throttled(panel: Panel) -> None:
    client = panel.client_of(DORA)
    data = {"name": "Dora", "password": "wrong password"}
    codes = [client.post(PAGE, data=data).status_code for _ in range(9)]
    assert codes == [200] * 8 + [429]


def test_the_last_operator_stays(panel: Panel) -> None:
    with panel.work():
        appoint_operator(user_of(DORA), None)
    status, page = delete(panel, DORA)
    assert status == 200 and "only operator" in page and is_there(panel, DORA)
    with panel.work():
        appoint_operator(user_of(RITA), None)
    assert delete(panel, DORA)[0] == 303


def test_a_running_deployment_goes_on_by_somebody_who_has_left(panel: Panel) -> None:
    give_away(panel)
    site.commit(panel)
    number = site.request(panel)
    deleted = []

    def leave(sender: object, **facts: object) -> None:
        if not deleted:
            deleted.append(delete(panel, ALICE)[0])

    with step_started.connected_to(leave):
        row = site.run(panel, number)
    assert deleted == [303] and not is_there(panel, ALICE)
    assert row.status == DeploymentStatus.SUCCEEDED
    with panel.reading():
        assert db.session.get_one(Deployment, number).actor_id is None
    page = panel.client_of(ADAM).get("/applications/demo/deployments/").text
    assert "by somebody who has left" in page


def test_the_first_operator_is_made_from_a_shell(panel: Panel) -> None:
    runner = panel.app.test_cli_runner()
    for words, expected in ((["--operator"], True), ([], False)):
        email = f"{expected}@example.com"
        done = runner.invoke(args=["panel", "user", "create", email, *words])
        assert done.exit_code == 0
        with panel.reading():
            user = find_user(email.casefold())
            assert isinstance(user, User) and user.is_operator == expected
