"""The matrix: every route about an application or organisation, asked by everybody, on their own
object and on a foreign one. What a person may do is spelled out here once more, by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.accounts.models import User
from app.deployments.models import Deployment, Release
from app.extensions import db
from app.organisations.models import Member
from app.permissions import LOOK, Permission
from app.runtime.operations import add_release_command
from app.variables.operations import set_variable
from app.web.access import requires
from tests.deployments import site
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    PEOPLE,
    RITA,
    Panel,
    Person,
    application,
    copy_panel,
    environment,
    make_application,
    organisation,
    user_of,
)

ALL = {permission.value for permission in Permission}
LOOKING = {"application.read", "repository.read", "deployment.read", "logs.read"}
WORKING = LOOKING | {
    "application.update",
    "repository.write",
    "environment.update",
    "variables.read",
    "variables.update",
    "deployment.create",
}
MEMBER = {"organisation.read", "application.create"}
ON_MOON = {
    ALICE: ALL,
    ADAM: ALL - {"organisation.update"},
    DORA: MEMBER,
    BOB: MEMBER,
    RITA: MEMBER,
}
ON_DEMO = {
    ALICE: ALL,
    ADAM: ALL - {"organisation.update"},
    DORA: WORKING | MEMBER,
    BOB: LOOKING | MEMBER,
}
ON_CHARLIES = {CHARLIE: ALL}
STREAMS = {"environments.log_stream", "deployments.events"}
"""Asked with HEAD: the guard is the same, and no thread is held."""
FORMS = {
    "organisations.change_role": {"role": "administrator"},
    "organisations.add_member": {"email": CHARLIE.email, "role": "regular"},
    "organisations.settings": {"name": "Another"},
    "applications.add_collaborator": {"email": RITA.email, "access": "viewer"},
    "runtime.set_variable": {"name": "NAME", "value": "x"},
    "runtime.rename": {"name": "Another"},
    "runtime.add_release_command": {"label": "migrate", "command": "true"},
    "environments.settings": {"branch": "main", "containers": "1"},
}


@pytest.fixture(scope="session")
def busy_template(panel_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two deployments on `demo` and one that waits, a variable, a release command."""
    home = tmp_path_factory.mktemp("busy") / "data"
    panel = copy_panel(panel_template, home)
    for _ in range(2):
        site.commit(panel)
        assert site.deploy(panel).status == "succeeded"
    with panel.work():
        set_variable(environment(), "COLOUR", "blue", False, user_of(ALICE))
        add_release_command(application(), "migrate", "true", user_of(ALICE))
    site.request(panel, "live")
    panel.close()
    return home


def guarded(app: Flask) -> list[tuple[Rule, str]]:
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        if "slug" in rule.arguments and hasattr(app.view_functions[rule.endpoint], "permission")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def address(rule: Rule, is_own: bool) -> str:
    """The rule's address with values of rows that exist; inside an app context."""
    is_organisation = rule.endpoint.startswith("organisations.")
    slug = ("moon" if is_own else "charlie") if is_organisation else ("demo" if is_own else "other")
    release = db.session.scalars(db.select(Release).order_by(Release.id)).first()
    members = db.select(Member).join(User).where(User.email == BOB.email)
    moon_member = db.session.scalars(
        members.where(Member.organisation_id == organisation().id)
    ).one()
    uuids = db.session.scalars(db.select(Deployment.uuid).order_by(Deployment.id)).all()
    assert release
    values: dict[str, object] = {
        "slug": slug,
        "name": "test",
        "key": "COLOUR",
        "uuid": uuids[-1 if rule.endpoint == "deployments.cancel" else 0],
        "release_uuid": release.uuid,
        "command_id": 1,
        "collaborator_id": application().collaborators[-1].id,
        "member_id": moon_member.id,
    }
    built = rule.build({name: values[name] for name in rule.arguments}, append_unknown=False)
    assert built is not None
    return str(built[1])


def expected(permission: str, rights: set[str] | None) -> set[int]:
    if rights is None:
        return {404}
    if permission not in rights:
        return {403}
    return {200, 302, 303}


def ask(panel: Panel, person: Person | None, rule: Rule, method: str, path: str) -> int:
    client = panel.client_of(person) if person else panel.client()
    method = "HEAD" if rule.endpoint in STREAMS else method
    answer = client.open(
        path, method=method, data=FORMS.get(rule.endpoint) if method == "POST" else None
    )
    answer.close()
    return answer.status_code


def cells(rule: Rule) -> Iterator[tuple[Person, bool, set[str] | None]]:
    """Person, whether the object is their organisation's `demo`, and their rights on it."""
    on_own = ON_MOON if rule.endpoint.startswith("organisations.") else ON_DEMO
    for person in PEOPLE:
        yield person, True, on_own.get(person)
        yield person, False, ON_CHARLIES.get(person)


def test_the_matrix(busy_template: Path, tmp_path: Path) -> None:
    asserted = 0
    panel = copy_panel(busy_template, tmp_path / "data")
    rules = guarded(panel.app)
    assert len(rules) > 25
    wrong = []
    for number, (rule, method) in enumerate(rules):
        permission = panel.app.view_functions[rule.endpoint].permission  # type: ignore[attr-defined]
        with panel.reading():
            paths = {is_own: address(rule, is_own) for is_own in (True, False)}
        for is_own, path in paths.items():
            status = ask(panel, None, rule, method, path)
            asserted += 1
            if status != 302:
                wrong.append(f"{method} {rule.endpoint} anonymous {is_own}: {status}")
        for person, is_own, rights in cells(rule):
            wanted = expected(permission, rights)
            is_allowed = 200 in wanted
            if is_allowed and not is_own:
                continue  # Charlie's own application holds none of demo's rows
            here = panel
            if is_allowed and method == "POST":  # an act that succeeds must not spoil other cells
                here = copy_panel(busy_template, tmp_path / f"{number}-{person}")
            status = ask(here, person, rule, method, paths[is_own])
            if here is not panel:
                here.close()
            asserted += 1
            if status not in wanted:
                wrong.append(f"{method} {rule.endpoint} {person} own={is_own}: {status} {wanted}")
    panel.close()
    print(f"{asserted} cells of the permission matrix, {len(rules)} routes")
    assert not wrong
    assert asserted >= 13 * len(rules)


def test_nothing_that_changes_is_given_to_those_who_may_only_look(panel: Panel) -> None:
    changing = {
        rule.endpoint: panel.app.view_functions[rule.endpoint].permission  # type: ignore[attr-defined]
        for rule, method in guarded(panel.app)
        if method == "POST"
    }
    assert len(changing) > 12
    readable = LOOK | {Permission.ORGANISATION_READ, Permission.VARIABLES_READ}
    assert {name: right for name, right in changing.items() if right in readable} == {}


def test_rows_of_one_application_are_not_there_in_another(
    busy_template: Path, tmp_path: Path
) -> None:
    """Alice may work on both; an address that mixes them finds nothing."""
    panel = copy_panel(busy_template, tmp_path / "data")
    with panel.work():
        make_application(panel, "second", organisation(), user_of(ALICE))
        uuid = db.session.scalars(db.select(Deployment.uuid)).first()
        release = db.session.scalars(db.select(Release.uuid)).first()
        collaborator = application().collaborators[0].id
    alice = panel.client_of(ALICE)
    for path in (
        f"deployments/{uuid}/",
        f"deployments/{uuid}/log/",
        f"deployments/{uuid}/state/",
        f"deployments/{uuid}/events/",
    ):
        with alice.get(f"/applications/demo/{path}") as answer:
            assert answer.status_code == 200
        assert alice.get(f"/applications/second/{path}").status_code == 404
    for path in (
        f"deployments/{uuid}/cancel/",
        f"environments/test/roll-back/{release}/",
        f"collaborators/{collaborator}/remove/",
        "settings/release-commands/1/remove/",
        "environments/test/variables/COLOUR/remove/",
    ):
        assert alice.post(f"/applications/second/{path}").status_code == 404
    assert (
        alice.post(f"/applications/demo/environments/live/roll-back/{release}/").status_code == 404
    )
    panel.close()


def test_a_view_that_forgets_to_ask_gives_no_answer(panel: Panel) -> None:
    """The guard itself: a page that loads nothing through an access function is withheld."""
    forgetful = requires(Permission.APPLICATION_READ)(lambda: "secret")
    panel.app.view_functions["overview.home"] = forgetful
    answer = panel.client_of(ALICE).get("/")
    assert answer.status_code == 403 and "secret" not in answer.text
