"""Asking for data to be brought back, or from one instance to another."""

from __future__ import annotations

from collections.abc import Collection

from app.accounts.models import User
from app.adapters.services import Content
from app.applications.queries import rights_on
from app.backups import notices
from app.backups.content import list_backed_up
from app.backups.models import Backup, BackupOrigin, BackupPart, Restoration, WorkStatus
from app.backups.operations import EVERYTHING, begin_backup, enqueue_restoration
from app.backups.queries import explain_refusal, find_active_restoration
from app.environments.models import Environment
from app.environments.operations import record_on, take_turns
from app.errors import Conflict, Invalid, NotAllowed
from app.extensions import db, now
from app.permissions import Permission
from app.services.models import ServiceInstance
from app.services.queries import list_instances

MAY_NOT = "You may not overwrite data of this environment. Ask somebody who may."
MAY_NOT_TAKE = "You may not take data of that application elsewhere. Ask somebody who may."
NOT_THERE = (
    "This environment has no {name} to restore into. Add the service first, or choose one part "
    "and a service to restore it into."
)


def request_restoration(part: BackupPart, instance: ServiceInstance, actor: User) -> Restoration:
    """Have a worker replace what is in `instance` by the part, after a safety backup of what is
    there. While a deployment runs in that environment it waits for its end, and a deployment that
    is asked for meanwhile waits for the restore.

    Raises `NotAllowed` without `BACKUPS_RESTORE` on the target's application, or, for data of
    another one, without `BACKUPS_DOWNLOAD` there; `Invalid` or `Conflict` saying why it cannot be.
    """
    _require_rights(part.backup.environment, instance.environment, actor)
    row = _begin(part, instance, actor, needs_safety=True)
    _record("backup.restore", instance, actor, backup=part.backup.uuid, part=part.uuid)
    return row


def request_restorations(
    backup: Backup,
    environment: Environment,
    actor: User,
    contents: Collection[Content] = EVERYTHING,
) -> list[Restoration]:
    """`request_restoration` for each part of `contents` into the environment's service of the same
    kind and prefix; all of them or none."""
    present = {(row.kind, row.prefix): row for row in list_instances(environment.id)}
    rows = []
    for part in backup.parts:
        if part.content in contents and part.status == WorkStatus.SUCCEEDED:
            target = present.get((part.kind, part.prefix))
            if target is None:
                name = part.instance.name if part.instance else f"{part.kind} “{part.prefix}”"
                raise Invalid(NOT_THERE.format(name=name))
            rows.append(request_restoration(part, target, actor))
    if not rows:
        raise Invalid("The backup holds none of this.")
    return rows


def ask_for_restore(part: BackupPart, actor: User, words: str) -> int:
    """Ask those by mail who may restore, for somebody who may take backups only. Returns how many
    were asked. Raises `Invalid` when there is nobody."""
    count = notices.ask_for_restore(part, actor, words.strip()[:1000])
    if not count:
        raise Invalid("There is nobody who may restore this. Ask an owner of the organisation.")
    backup = part.backup
    record_on(backup.environment, "backup.ask_restore", actor, backup=backup.uuid, asked=count)
    return count


def copy_data(
    source: ServiceInstance, target: ServiceInstance, actor: User, *, is_new: bool = False
) -> Restoration:
    """Bring what is in `source` into `target`, by a backup that is removed when it has arrived. It
    waits until both work. `is_new`: nobody has used the target yet, so that no safety backup of it
    is taken. Raises like `request_restoration`."""
    _require_rights(source.environment, target.environment, actor)
    if source.id == target.id:
        raise Invalid("Source and target are the same service.")
    backup = begin_backup(source.environment, [source], BackupOrigin.COPY, actor)
    row = _begin(backup.parts[0], target, actor, needs_safety=not is_new)
    _record("backup.copy", target, actor, source=f"{source.environment.slug} {source.name}")
    return row


def copy_environment_data(
    source: Environment, target: Environment, actor: User
) -> list[Restoration]:
    """`copy_data` of everything into the services of the same kind and prefix that the new
    environment `target` has; those are provisioned first."""
    targets = {(row.kind, row.prefix): row for row in list_instances(target.id)}
    return [
        copy_data(row, targets[row.kind, row.prefix], actor, is_new=True)
        for row in list_backed_up(source.id)
        if (row.kind, row.prefix) in targets
    ]


def close_restoration(row: Restoration, sentence: str = "") -> None:
    """Write how it ended; with a sentence it failed, and people are told. A copy's backup has done
    its work."""
    row.status = WorkStatus.FAILED if sentence else WorkStatus.SUCCEEDED
    row.sentence, row.ended_at, row.lease_token = sentence, now(), None
    db.session.flush()
    if sentence:
        notices.tell_of_failed_restoration(row)


def _begin(
    part: BackupPart, instance: ServiceInstance, actor: User, *, needs_safety: bool
) -> Restoration:
    take_turns(instance.environment_id)
    db.session.refresh(instance)
    if find_active_restoration(instance.id):
        raise Conflict("Another restore into this service waits or runs. Wait until it has ended.")
    refusal = explain_refusal(part, instance)
    if refusal:
        raise Invalid(refusal)
    if instance.environment.is_trashed:
        raise Conflict("It is in the trash. Restore the environment from there first.")
    row = Restoration(
        part=part,
        source=_describe(part),
        instance=instance,
        actor=actor,
        needs_safety=needs_safety,
    )
    db.session.add(row)
    db.session.flush()
    enqueue_restoration(row.id)
    return row


def _describe(part: BackupPart) -> str:
    """`demo/live, PostgreSQL “DEFAULT”, 2026-11-22 03:00 UTC`."""
    environment = part.backup.environment
    name = part.instance.name if part.instance else f"{part.kind} “{part.prefix}”"
    return f"{environment.place}, {name}, {part.backup.created_at:%Y-%m-%d %H:%M} UTC"


def _require_rights(source: Environment, target: Environment, actor: User) -> None:
    if Permission.BACKUPS_RESTORE not in rights_on(target.application, actor):
        raise NotAllowed(MAY_NOT)
    is_elsewhere = source.application_id != target.application_id
    if is_elsewhere and Permission.BACKUPS_DOWNLOAD not in rights_on(source.application, actor):
        raise NotAllowed(MAY_NOT_TAKE)


def _record(action: str, instance: ServiceInstance, actor: User, **details: object) -> None:
    record_on(instance.environment, action, actor, service=instance.name, **details)  # type: ignore[arg-type]
