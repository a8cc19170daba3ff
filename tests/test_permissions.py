"""The matrix: every route, asked by everybody, on their own object, on a foreign one and on one in
the trash. What a person may do is spelled out here once more, by hand.

A new route fails `test_the_matrix` until it can be asked: give its form to `FORMS`, the values of
its address to `values`, and the row they name to `busy_panel`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.routing import Rule

from app.accounts.models import AccessToken, Passkey, SignIn, SSHKey, User
from app.accounts.operations import add_ssh_key, create_access_token
from app.addons.models import AddonCollaborator
from app.applications.models import Collaborator
from app.cron.models import CronRun
from app.deployments.models import Deployment, Release
from app.domains.models import Domain
from app.domains.operations import claim_domain, trash_domain
from app.extensions import db, now
from app.lifecycle.environments import NewEnvironment, add_environment
from app.lifecycle.models import TrashEntry
from app.lifecycle.trash import trash_application, trash_environment
from app.organisations.invitations import invite
from app.organisations.models import Invitation, Member
from app.organisations.operations import sign_up
from app.permissions import Permission, Role
from app.platform_status.models import Impact, Incident
from app.platform_status.operations import open_incident
from app.runtime.models import CronJob, ReleaseCommand, WorkerProcess
from app.runtime.operations import add_release_command
from app.variables.models import VariableChange
from app.variables.operations import set_variable
from app.workers.operations import Wish, add_process
from tests.addons import samples
from tests.addons.flavours import laravel
from tests.backups import permitted as backups
from tests.cron import jobs as cron_jobs
from tests.deployments import site
from tests.matrix import About, Matrix, On, guarded
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    ERIN,
    EVE,
    PASSWORD,
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
from tests.publishing import sample
from tests.services import permitted as services

OLGA = Person("Olga")  # looks after the installation; a stranger to everybody's organisations
EVERYBODY = (*PEOPLE[:-1], OLGA, CHARLIE)
ALL = {permission.value for permission in Permission} - {"installation.operate"}
CONTENT = {"site.read", "content.update", "backups.read", "backups.create"}
LOOKING = {
    "site.read",
    "application.read",
    "repository.read",
    "deployment.read",
    "logs.read",
    "services.read",
    "backups.read",
}
WORKING = LOOKING | {
    "content.update",
    "application.update",
    "repository.write",
    "environment.create",
    "environment.update",
    "environment.delete",
    "domains.update",
    "variables.read",
    "variables.reveal",
    "variables.update",
    "deployment.create",
    "addons.update",
    "cron.update",
    "workers.update",
    "services.update",
    "backups.create",
    "backups.restore",
    "backups.download",
}
MEMBER = {"organisation.read", "application.create", "addon.create"}
OF_OWNERS = {"organisation.update", "organisation.delete"}
ON_MOON: dict[Person, set[str]] = {
    ALICE: ALL,
    ADAM: ALL - OF_OWNERS,
    DORA: MEMBER,
    BOB: MEMBER,
    RITA: MEMBER,
    EVE: set(),
    ERIN: set(),
}
ON_DEMO = {
    ALICE: ALL,
    ADAM: ALL - OF_OWNERS,
    DORA: WORKING | MEMBER,
    BOB: LOOKING | MEMBER,
    EVE: CONTENT,
}
USING = {"addon.read", "addon.install"}
MAKING = USING | {"addon.update", "addon.upload", "addon_collaborators.update"}
ON_ADDON = {ALICE: MAKING, ADAM: MAKING, DORA: MAKING, BOB: USING}
"""On `moon-forms`, which is private: Dora can update it, Bob may use it."""
EXCEPTIONS = {
    ("organisations.leave", ALICE): 400,  # the last owner
    ("organisations.leave", ADAM): 403,  # administrators do not remove themselves
    ("recovery.confirm_email", ALICE): 404,  # nobody asked for a mail
    **sample.EXCEPTIONS,
}
"""Acts that ask for more than a right."""
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGYlcgLnPQEbFpPNT1rYz4RYz2oJOjIAhkPdYxW7iRUd alice@laptop"
)


def own_organisation(person: Person | None) -> str:
    """Everybody has one of their own name, from signing up."""
    return person.name.lower() if person else "moon"


Form = Mapping[str, str]
FORMS: dict[str, Form | Callable[[Person | None, On], Form]] = {
    "organisations.change_role": {"role": "regular"},
    "organisations.settings": {"name": "Another"},
    "invitations.send": {"email": "somebody@example.com", "role": "regular"},
    "ownership.give_away": lambda person, on: {"organisation": own_organisation(person)},
    "lifecycle.create": lambda person, on: {
        "organisation": "moon" if on == On.OWN else "charlie",
        "name": "New",
        "slug": "new-one",
        "starter": "blank",
    },
    "addons.register": lambda person, on: {
        "organisation": "moon" if on == On.OWN else "charlie",
        "package_name": "new-one",
        "name": "New",
        "licence": "MIT",
    },
    "addons.settings": {"name": "Another", "audience": "private"},
    "addons.set_collaborator": {"email": RITA.email},
    "addon_versions.move": {"channel": "beta"},
    "addon_versions.yank": {"reason": "It is broken."},
    "applications.add_collaborator": {"email": RITA.email, "access": "viewer"},
    "runtime.set_variable": {"name": "NAME", "value": "x"},
    "runtime.preview_copies": {"to": "live", "names": "COLOUR"},
    "runtime.apply_copies": {"to": "live", "names": "COLOUR"},
    "runtime.rename": {"name": "Another"},
    "runtime.add_release_command": {"label": "migrate", "command": "true"},
    "cron.add": cron_jobs.FORM,
    "cron.change": cron_jobs.FORM,
    "workers.add": {"name": "mailer", "command": "run it", "count": "1"},
    "workers.change": {"command": "run it", "count": "1"},
    "workers.set_up_celery": {"workers": "1"},
    **services.FORMS,
    **backups.FORMS,
    "domains.claim": {"host": "www.example.com"},
    "environments.settings": {"name": "Another", "branch": "main", "containers": "1"},
    "domains.change_use": {"use": "alias"},
    "new_environment.create": {"name": "Acceptance", "slug": "acceptance"},
    **sample.FORMS,
    "flavours.save": {"setting-cache-lifetime": "3600", "setting-driver": "redis"},
}
"""What a POST needs to be more than refused; a function where it depends on who asks for what."""


def form(endpoint: str, person: Person | None, on: On) -> Form:
    known = FORMS.get(endpoint, {})
    return known(person, on) if callable(known) else known


def rights(about: About, person: Person, on: On) -> set[str] | None:
    """What a person may do there; None: it is not there for them."""
    if about == About.INSTALLATION:
        return {"installation.operate"} if person == OLGA else None
    if on in (On.FOREIGN, On.TRASHED_APPLICATION):
        return None
    known = {About.APPLICATION: ON_DEMO, About.ADDON: ON_ADDON}
    return known.get(about, ON_MOON).get(person)


def busy_panel(template: Path, home: Path) -> Panel:
    """A panel with a row of every kind on `demo` and `moon`, for the addresses of `values`."""
    panel = copy_panel(template, home)
    laravel.install(panel, laravel.ADDON)
    sample.settle_small(panel)
    with panel.work():
        add_process(application(), Wish("queue", "run queue"), user_of(ALICE))
    cron_jobs.add(panel)
    for _ in range(2):
        site.commit(panel)
        assert site.deploy(panel).status == "succeeded"
    cron_jobs.settle_run(panel)
    with panel.work():
        alice = user_of(ALICE)
        set_variable(environment(), "COLOUR", "blue", False, alice)
        add_release_command(application(), "migrate", "true", alice)
        invitation = invite(organisation(), "asked@example.com", Role.REGULAR, alice)
        invitation.sent_at = invitation.sent_at.replace(year=2020)  # it may be sent again
        mine = claim_domain(environment("live"), "demo.example.com", alice, panel.settings)
        mine.proved_at = now()
        add_ssh_key(alice, "Laptop", KEY)
        create_access_token(alice, "Laptop")
        stick = Passkey(name="Stick", credential_id=b"stick", public_key=b"key")
        alice.passkeys.append(stick)
        sign_up(OLGA.email, OLGA.name, PASSWORD).is_operator = True
        open_incident("Slow", Impact.NOTICE, "Something is slow.", user_of(OLGA))
        samples.settle_addon(alice)
        theirs = samples.make_addon(organisation("charlie"), user_of(CHARLIE), "charlies")
        samples.add_version(theirs, "9.9")
    site.request(panel, "live")
    services.settle(panel)
    backups.settle(panel)
    with panel.work():
        fill_the_trash(panel)
    return panel


def fill_the_trash(panel: Panel) -> None:
    """An application, an environment and a domain."""
    alice = user_of(ALICE)
    trash_application(make_application(panel, "gone", organisation(), alice), alice)
    wanted = NewEnvironment("Preview", "preview")
    preview = add_environment(application(), wanted, alice, panel.store, panel.settings)
    trash_environment(preview, alice)
    old = claim_domain(environment("live"), "old.example.com", alice, panel.settings)
    old.proved_at = now()
    db.session.flush()
    trash_domain(old, alice)


def values(rule: Rule, on: On) -> Mapping[str, object]:
    """What stands for each argument of an address; inside an app context. `BY_ENDPOINT` says more
    where one argument means different things."""
    is_organisation = rule.rule.startswith("/organisations/")
    is_theirs = on in (On.FOREIGN, On.FOREIGN_ROWS)
    addon = samples.addon_of()
    places = ("moon", "charlie") if is_organisation else ("demo", "other")
    deployments = db.select(Deployment.uuid).order_by(Deployment.id)
    members = db.select(Member.id).where(Member.organisation_id == organisation().id)
    own: dict[str, object] = {
        "slug": places[is_theirs],
        "name": "test",
        "kind": "csv",
        "key": "COLOUR",
        "process": "queue",
        "job_uuid": first(db.select(CronJob.uuid)),
        "run_uuid": first(db.select(CronRun.uuid)),
        "token": "made-up",
        "uuid": first(deployments),
        "release_uuid": first(db.select(Release.uuid).order_by(Release.id)),
        "domain_uuid": first(db.select(Domain.uuid).where(Domain.host == "demo.example.com")),
        "package_name": "charlies" if is_theirs else addon.package_name,
        "number": "1.0",
        "command_id": first(db.select(ReleaseCommand.id)),
        "change_id": first(db.select(VariableChange.id)),
        "collaborator_id": first(db.select(Collaborator.id)),
        "member_id": first(members.where(Member.user_id == user_of(BOB).id)),
        "key_id": first(db.select(SSHKey.id)),
        "token_id": first(db.select(AccessToken.id)),
        "passkey_id": first(db.select(Passkey.id)),
    }
    own |= {name: first(query()) for name, query in BY_ENDPOINT.get(rule.endpoint, {}).items()}
    own |= {"name": "live"} if rule.endpoint.startswith("domains.") else {}
    own |= sample.address_of(rule.endpoint) | backups.address_of(rule.endpoint)
    own |= {"key": laravel.KEY} if rule.endpoint.startswith("flavours.") else {}
    own |= {"name": "preview"} if on == On.TRASHED_ENVIRONMENT else {}
    return own


def first(query: Any) -> object:
    """The first value that a query finds."""
    found = db.session.scalars(query).first()
    assert found is not None, f"the busy panel has nothing for {query}"
    return found


Query = Callable[[], Any]
IN_TRASH = {
    "application": lambda: db.select(TrashEntry.uuid).where(TrashEntry.application_id.is_not(None)),
    "environment": lambda: db.select(TrashEntry.uuid).where(TrashEntry.environment_id.is_not(None)),
    "domain": lambda: db.select(Domain.uuid).where(Domain.trashed_at.is_not(None)),
}
BY_ENDPOINT: dict[str, dict[str, Query]] = {
    "addons.remove_collaborator": {
        "collaborator_id": lambda: db.select(AddonCollaborator.id).order_by(
            AddonCollaborator.id.desc()
        )
    },
    "deployments.cancel": {
        "uuid": lambda: db.select(Deployment.uuid).order_by(Deployment.id.desc())
    },
    "security.end_session": {
        "uuid": lambda: db.select(SignIn.uuid).where(SignIn.user_id == user_of(ALICE).id)
    },
    "invitations.resend": {"uuid": lambda: db.select(Invitation.uuid)},
    "invitations.revoke": {"uuid": lambda: db.select(Invitation.uuid)},
    "operator.incident": {"uuid": lambda: db.select(Incident.uuid)},
    "operator.update_incident": {"uuid": lambda: db.select(Incident.uuid)},
    "operator.change_operator": {"uuid": lambda: db.select(User.uuid).order_by(User.id)},
    "operator.sign_out": {"uuid": lambda: db.select(User.uuid).order_by(User.id)},
    **services.BY_ENDPOINT,
    "workers.change": {"uuid": lambda: db.select(WorkerProcess.uuid)},
    "workers.remove": {"uuid": lambda: db.select(WorkerProcess.uuid)},
    "trash.restore_application": {"entry_uuid": IN_TRASH["application"]},
    "trash.delete_application_now": {"entry_uuid": IN_TRASH["application"]},
    "trash.restore_environment": {"entry_uuid": IN_TRASH["environment"]},
    "trash.delete_environment_now": {"entry_uuid": IN_TRASH["environment"]},
    "trash.restore_domain": {"domain_uuid": IN_TRASH["domain"]},
    "trash.delete_domain_now": {"domain_uuid": IN_TRASH["domain"]},
}


def make_matrix(panel: Panel) -> Matrix:
    return Matrix(panel, values, form, rights, EXCEPTIONS, EVERYBODY, CHARLIE)


def ask_everything(panel: Panel) -> Matrix:
    """The whole matrix, with `demo` in use and then in the trash."""
    matrix = make_matrix(panel)
    matrix.ask_all()
    with panel.work():
        trash_application(application(), user_of(ALICE))
    matrix.ask_trashed()
    return matrix


@pytest.fixture(scope="session")
def busy_template(panel_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of `busy_panel`, to be copied."""
    home = tmp_path_factory.mktemp("busy") / "data"
    busy_panel(panel_template, home).close()
    return home


def test_the_matrix(busy_template: Path, tmp_path: Path) -> None:
    panel = copy_panel(busy_template, tmp_path / "data")
    began = time.monotonic()
    matrix = ask_everything(panel)
    routes = len(guarded(panel.app))
    panel.close()
    print(f"{matrix.asked} cells, {routes} routes, {time.monotonic() - began:.1f} s")
    assert not matrix.wrong, "\n".join(matrix.wrong)
    assert routes > 80
    assert matrix.asked > 20 * routes


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
