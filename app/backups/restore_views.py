"""Restoring: where to, what is overwritten, and the name typed before it is."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from app.accounts.access import signed_in
from app.applications.queries import rights_on
from app.backups import queries, restoring
from app.backups.access import load_backup
from app.backups.forms import RestoreForm, contents_of
from app.backups.models import Backup, BackupPart
from app.backups.page import Row, list_places, part_name
from app.environments.models import Environment
from app.errors import Invalid
from app.permissions import Permission
from app.services.models import ServiceInstance
from app.transactions import unit_of_work
from app.web.access import hide, requires

blueprint = Blueprint(
    "restoring",
    __name__,
    url_prefix="/applications/<slug>/environments/<name>/backups/<backup_uuid>/restore",
)


@dataclass(frozen=True)
class Choice:
    """What is restored into what: all of a backup into an environment, or a part into a
    service. `refusal` says why it cannot be."""

    environment: Environment
    names: tuple[str, ...]
    refusal: str
    part: BackupPart | None = None
    instance: ServiceInstance | None = None


@blueprint.get("/")
@requires(Permission.BACKUPS_RESTORE)
def targets(slug: str, name: str, backup_uuid: str) -> ResponseReturnValue:
    backup = load_backup(slug, name, backup_uuid)
    return render_template(
        "backups/targets.html",
        application=backup.environment.application,
        environment=backup.environment,
        rights=rights_on(backup.environment.application, signed_in()),
        row=Row(backup),
        places=list_places(signed_in(), backup),
        targets={
            part.id: queries.list_restorable_targets(signed_in(), part) for part in backup.parts
        },
        part_name=part_name,
    )


@blueprint.route("/all/<environment_uuid>/", methods=["GET", "POST"])
@requires(Permission.BACKUPS_RESTORE)
def confirm(slug: str, name: str, backup_uuid: str, environment_uuid: str) -> ResponseReturnValue:
    """All of a backup, into an environment."""
    backup = load_backup(slug, name, backup_uuid)
    return _confirm(backup, _whole(backup, environment_uuid))


@blueprint.route("/parts/<part_uuid>/<service_uuid>/", methods=["GET", "POST"])
@requires(Permission.BACKUPS_RESTORE)
def confirm_part(
    slug: str, name: str, backup_uuid: str, part_uuid: str, service_uuid: str
) -> ResponseReturnValue:
    """One part, into a service."""
    backup = load_backup(slug, name, backup_uuid)
    return _confirm(backup, _single(backup, part_uuid, service_uuid))


def _confirm(backup: Backup, choice: Choice) -> ResponseReturnValue:
    form = RestoreForm()
    if form.validate_on_submit():
        try:
            return _restored(backup, choice, form)
        except Invalid as error:
            form.refuse(error)
    return _confirmation(backup, choice, form)


def _restored(backup: Backup, choice: Choice, form: RestoreForm) -> ResponseReturnValue:
    form.require(choice.environment.name)
    slug, name = choice.environment.application.slug, choice.environment.slug
    with unit_of_work():
        _restore(backup, choice, form)
    flash(_("The restore waits for a worker. A safety backup is taken first."), "success")
    return redirect(url_for("backups.backups", slug=slug, name=name), 303)


def _confirmation(backup: Backup, choice: Choice, form: RestoreForm) -> ResponseReturnValue:
    return render_template(
        "backups/confirm.html",
        application=backup.environment.application,
        environment=backup.environment,
        rights=rights_on(backup.environment.application, signed_in()),
        row=Row(backup),
        choice=choice,
        form=form,
        kinds={part.content for part in backup.parts},
    )


def _restore(backup: Backup, choice: Choice, form: RestoreForm) -> None:
    if choice.part and choice.instance:
        restoring.request_restoration(choice.part, choice.instance, signed_in())
        return
    contents = contents_of(form.contents.data)
    restoring.request_restorations(backup, choice.environment, signed_in(), contents)


def _whole(backup: Backup, environment_uuid: str) -> Choice:
    """What the address names, among what the person may overwrite."""
    places = list_places(signed_in(), backup)
    place = next((row for row in places if row.environment.uuid == environment_uuid), None)
    if place is None:
        raise hide("environment to restore into")
    return Choice(place.environment, tuple(place.instances), place.refusal)


def _single(backup: Backup, part_uuid: str, service_uuid: str) -> Choice:
    part = next((row for row in backup.parts if row.uuid == part_uuid), None)
    found = queries.list_restorable_targets(signed_in(), part) if part else []
    target = next((row for row in found if row.instance.uuid == service_uuid), None)
    if target is None:
        raise hide("service to restore into")
    instance = target.instance
    return Choice(instance.environment, (instance.name,), target.refusal, part, instance)
