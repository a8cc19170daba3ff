"""Adding services to environments, attaching, detaching, renaming and removing them.

What a state means stands in `models.ServiceState`. It joins two things: whether the next deployment
is to use the instance, which people say here, and whether the running release uses it, which
`settle` alone writes, when a deployment has switched.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select

from app.accounts.models import User
from app.adapters.job_queue import Queue
from app.adapters.services import ServiceKind
from app.adapters.services.variables import variable_names
from app.environments.models import Environment
from app.environments.operations import record_on, take_turns
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.jobs.queueing import enqueue_after_commit
from app.services import queries
from app.services.extensions import clean_extensions
from app.services.models import ServiceInstance, ServiceServer, ServiceState
from app.services.names import FIELD, clean_prefix

PROVISION_JOB = "app.services.jobs.provision"
REMOVE_JOB = "app.services.jobs.remove"
MOST = 20
"""Ours: instances in one environment, those in the trash included."""
LEFT_OUT = {
    ServiceState.ATTACHED: ServiceState.PENDING_DETACHMENT,
    ServiceState.PENDING_ATTACHMENT: ServiceState.DETACHED,
}
"""What becomes of a state when the next deployment is to leave the instance out."""
REMOVABLE = (ServiceState.NEW, ServiceState.DETACHED, ServiceState.FAILED)


@dataclass(frozen=True)
class NewService:
    """What a person or an addon asks for."""

    server: ServiceServer
    prefix: str
    extensions: Sequence[str] = ()
    """PostgreSQL only."""
    addon: str = ""


def add_instance(
    environment: Environment, wanted: NewService, actor: User | None
) -> ServiceInstance:
    """Note that the environment is to have an instance; the next deployment provisions and
    attaches it. Raises `Invalid` for a prefix that is taken, or whose variables are."""
    server = wanted.server
    if not server.is_on_offer or server.region_id != environment.region_id:
        raise Invalid(f"{server.name} is not on offer here any more. Choose another.", "server")
    extensions = clean_extensions(server.kind, wanted.extensions)
    prefix = free_prefix(environment, server.kind, wanted.prefix)
    row = ServiceInstance(
        environment_id=environment.id,
        server=server,
        kind=server.kind,
        prefix=prefix,
        state=ServiceState.NEW,
        options={"extensions": extensions} if extensions else {},
        addon=wanted.addon,
    )
    db.session.add(row)
    db.session.flush()
    _record("service.add", row, actor, server=server.name)
    return row


def free_prefix(environment: Environment, kind: ServiceKind, text: str) -> str:
    """The prefix that `text` means, for one more instance of `kind`; it stays free until the
    transaction ends. Raises `Invalid` when it is taken, or there are too many instances."""
    prefix = clean_prefix(text)
    take_turns(environment.id)
    present = queries.list_all_instances([environment.id])
    if len(present) >= MOST:
        raise Invalid(
            f"An environment has at most {MOST} services, those in the trash included. Remove one."
        )
    _refuse_taken(kind, prefix, present)
    return prefix


def copy_instances(source: Environment, target: Environment, actor: User) -> None:
    """Have `target` get what `source` has, of the same servers and empty: data is not copied."""
    for row in queries.list_instances(source.id):
        is_own = row.original_id is None
        if is_own and row.state in queries.WANTED and row.server.is_on_offer:
            extensions = row.options.get("extensions", ())
            add_instance(target, NewService(row.server, row.prefix, extensions, row.addon), actor)


def request_provisioning(row: ServiceInstance, actor: User) -> None:
    """Have a worker make it now, before the next deployment does. Again after a failure."""
    lock_instance(row)
    if row.state not in (ServiceState.NEW, ServiceState.FAILED):
        raise Conflict(f"{row.name} is provisioned already, or about to be.")
    begin_provisioning(row)
    _record("service.provision", row, actor)
    moment = int(now().timestamp())
    enqueue_after_commit(
        Queue.OPERATIONS, PROVISION_JOB, row.id, key=f"provision-{row.id}-{moment}"
    )


def begin_provisioning(row: ServiceInstance) -> None:
    """It is to be made; whoever takes the lease does."""
    row.state, row.sentence = ServiceState.PROVISIONING, ""
    row.lease_token = row.heartbeat_at = None


def attach_instance(row: ServiceInstance, actor: User) -> None:
    """Have the next deployment use it; takes a detachment that waits back."""
    lock_instance(row)
    if not queries.is_still_shared(row):
        raise Conflict(f"{row.name} is not shared with this environment any more.")
    states = {
        ServiceState.DETACHED: ServiceState.PENDING_ATTACHMENT,
        ServiceState.PENDING_DETACHMENT: ServiceState.ATTACHED,
    }
    if row.state not in states:
        raise Conflict(f"{row.name} is not detached.")
    row.state = states[row.state]
    _record("service.attach", row, actor)


def detach_instance(row: ServiceInstance, actor: User) -> None:
    """Have the next deployment leave it out; its data stays. Takes an attachment that waits
    back."""
    lock_instance(row)
    if row.state not in LEFT_OUT:
        raise Conflict(f"{row.name} is not attached.")
    row.state = LEFT_OUT[row.state]
    _record("service.detach", row, actor)


def rename_instance(row: ServiceInstance, text: str, actor: User) -> None:
    """Give it another prefix. The running release keeps the variables it was made with: the next
    deployment tells the site, whatever number of renames there were before it."""
    prefix = clean_prefix(text)
    lock_instance(row)
    if row.state == ServiceState.REMOVING:
        raise Conflict(f"{row.name} is being removed.")
    if prefix == row.prefix:
        return
    others = queries.list_all_instances([row.environment_id])
    _refuse_taken(row.kind, prefix, [other for other in others if other.id != row.id])
    before, row.prefix = row.prefix, prefix
    db.session.flush()
    _record("service.rename", row, actor, before=before, after=prefix)


def trash_instance(row: ServiceInstance, actor: User) -> bool:
    """Put it into the trash, where its prefix stays taken. What never worked, or is another's, has
    nothing to keep and is removed at once. Returns whether it can be restored.

    Raises `Conflict` for what the site uses, or is about to, and for what others use.
    """
    lock_instance(row)
    if row.state not in REMOVABLE:
        raise Conflict(f"Detach {row.name} first, and deploy: the site may use it still.")
    refuse_lent(select(ServiceInstance.id).where(ServiceInstance.id == row.id))
    if row.provisioned_at is None or row.original_id is not None:
        _discard(row, actor)
        return False
    row.trashed_at, row.trashed_by_id = now(), actor.id
    _record("service.trash", row, actor)
    return True


def refuse_lent(instance_ids: Select[int], within: Collection[int] = ()) -> None:
    """Raise `Conflict` naming an environment that uses one of these. Those `within` go with it."""
    for user in queries.list_users(instance_ids):
        if user.environment_id not in within:
            raise Conflict(
                f"{user.environment.place} uses {user.source.name} too. Stop sharing it, and have "
                "that site deployed and the service removed there."
            )


def refuse_lent_environments(environment_ids: Collection[int]) -> None:
    """The same of all instances of these environments, which go together."""
    ids = select(ServiceInstance.id).where(ServiceInstance.environment_id.in_(environment_ids))
    refuse_lent(ids, environment_ids)


def _discard(row: ServiceInstance, actor: User) -> None:
    if row.state == ServiceState.NEW:  # nothing was made of it anywhere
        _record("service.delete", row, actor)
        db.session.delete(row)
    else:
        _doom(row, actor)


def restore_instance(row: ServiceInstance, actor: User) -> None:
    """Take it out of the trash, detached as it was."""
    refuse_restored(row)
    row.trashed_at = row.trashed_by_id = None
    _record("service.restore", row, actor)


def begin_removal(row: ServiceInstance, actor: User | None) -> None:
    """Doom what lies in the trash: from the commit on there is no way back, and it is removed
    however often a worker is lost over it. Without an actor its time has come."""
    refuse_restored(row)
    _doom(row, actor)


def _doom(row: ServiceInstance, actor: User | None) -> None:
    row.state = ServiceState.REMOVING
    row.lease_token = row.heartbeat_at = None
    row.trashed_at = row.trashed_at or now()
    _record("service.delete", row, actor)
    enqueue_after_commit(Queue.OPERATIONS, REMOVE_JOB, row.id, key=f"remove-{row.uuid}")


def doom_instances(environment_ids: Sequence[int]) -> list[int]:
    """Doom all instances of environments that are deleted for good; returns their numbers. Whoever
    provisions one at present loses it: what it makes is removed again."""
    doomed = []
    for row in queries.list_all_instances(environment_ids):
        if row.state == ServiceState.NEW:  # nothing was made of it anywhere
            db.session.delete(row)
            continue
        if row.state != ServiceState.REMOVING:
            row.state = ServiceState.REMOVING
            row.lease_token = row.heartbeat_at = None
        doomed.append(row.id)
    return doomed


def settle(environment_id: int, used: Collection[str]) -> None:
    """Note that the release that serves now uses the instances `used` (uuid), and no other; what
    people wish for the next one stays. Called where a release becomes the current one."""
    for row in queries.list_all_instances([environment_id]):
        if row.provisioned_at is None or row.state in queries.BUSY:
            continue
        is_wanted = row.state in (ServiceState.ATTACHED, ServiceState.PENDING_ATTACHMENT)
        if row.uuid in used:
            # Put into the trash while the deployment ran: the site needs it, so it is back.
            row.trashed_at = row.trashed_by_id = None
            row.state = ServiceState.ATTACHED if is_wanted else ServiceState.PENDING_DETACHMENT
        else:
            row.state = ServiceState.PENDING_ATTACHMENT if is_wanted else ServiceState.DETACHED


def record_reveal(row: ServiceInstance, actor: User) -> None:
    """Note who looked at its credentials."""
    _record("service.reveal", row, actor)


def refuse_restored(row: ServiceInstance) -> None:
    """Raise `Conflict` for one that is not in the trash, or being deleted from there already."""
    take_turns(row.environment_id)
    db.session.refresh(row)
    if row.trashed_at is None:
        raise Conflict(f"{row.name} is not in the trash any more.")
    if row.state == ServiceState.REMOVING:
        raise Conflict(f"{row.name} is being deleted for good already.")


def lock_instance(row: ServiceInstance) -> None:
    """One at a time in an environment; of two people the second sees what the first has done."""
    take_turns(row.environment_id)
    db.session.refresh(row)
    if row.trashed_at:
        raise Conflict(f"{row.name} is in the trash. Restore it first.")


def _refuse_taken(kind: ServiceKind, prefix: str, present: Sequence[ServiceInstance]) -> None:
    """Raise `Invalid` naming who has one of the variables already. Those in the trash and detached
    ones count: they come back with their names."""
    names = variable_names(kind, prefix)
    for other in present:
        theirs = variable_names(other.kind, other.prefix)
        both = [name for name in names if name in theirs]
        if other.kind == kind and other.prefix == prefix:
            raise Invalid(f"There is {_with_place(other)} already. {_way_out(other)}", FIELD)
        if both:
            raise Invalid(
                f"{_with_place(other)} has the variable {both[0]} already. {_way_out(other)}",
                FIELD,
            )


def _with_place(other: ServiceInstance) -> str:
    return f"{other.name} (in the trash)" if other.trashed_at else other.name


def _way_out(other: ServiceInstance) -> str:
    if other.trashed_at:
        return "Choose another prefix, or delete that one for good."
    return "Choose another prefix, or rename that one first."


def _record(
    action: str,
    row: ServiceInstance,
    actor: User | None,
    before: str | None = None,
    after: str | None = None,
    **details: str,
) -> None:
    environment = db.session.get_one(Environment, row.environment_id)
    record_on(environment, action, actor, before, after, service=row.name, **details)
