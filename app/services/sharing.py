"""Letting an environment use a service of another one, when the owners of both want it (L4003: a
mirror uses the database and media of its original).

Who has the instance shares it; who is to use it accepts, under a prefix of their own. From then on
it is attached, detached and renamed there like any other, and its data stay the first one's.
"""

from __future__ import annotations

from app.accounts.models import User
from app.applications.queries import find_application
from app.environments.models import Environment
from app.environments.operations import record_on, take_turns
from app.environments.queries import find_environment
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.services import queries
from app.services.models import ServiceInstance, ServiceShare, ServiceState
from app.services.operations import LEFT_OUT, free_prefix, lock_instance

NOT_THERE = "There is no such environment in this region. Write it as site/environment, e.g. {}."


def share_instance(row: ServiceInstance, place: str, actor: User) -> ServiceShare:
    """Let the environment at `place` (`demo/live`) use the instance; nothing changes there before
    its people accept. Raises `Invalid` for a place that is none, `Conflict` for an instance that
    cannot be shared."""
    lock_instance(row)
    if row.original_id is not None:
        raise Conflict(f"{row.name} is shared itself. Only its own environment can share it.")
    if not row.is_functional:
        raise Conflict(f"{row.name} is not provisioned. Provision it first, or deploy.")
    target = _find_place(place, row.environment)
    if any(share.environment_id == target.id for share in _shares_of(row)):
        raise Invalid(f"It is shared with {target.place} already.", "place")
    share = ServiceShare(instance=row, environment=target)
    db.session.add(share)
    db.session.flush()
    record_on(row.environment, "service.share", actor, service=row.name, user=target.place)
    return share


def _find_place(text: str, home: Environment) -> Environment:
    slug, _, name = text.strip().casefold().partition("/")
    application = find_application(slug)
    found = find_environment(application.id, name) if application else None
    if found is None or found.region_id != home.region_id:
        raise Invalid(NOT_THERE.format(f"{home.application.slug}/live"), "place")
    if found.id == home.id:
        raise Invalid("This is the environment that has it.", "place")
    return found


def _shares_of(row: ServiceInstance) -> list[ServiceShare]:
    return [
        share for share in queries.list_shares_of(row.environment_id) if share.instance_id == row.id
    ]


def accept_share(share: ServiceShare, prefix: str, actor: User) -> ServiceInstance:
    """Have the next deployment use what is shared, under `prefix`. Raises `Invalid` for a prefix
    that is taken, or whose variables are; `Conflict` when it is accepted already, or not shared
    any more."""
    original, environment = share.instance, share.environment
    # In one order, for two may accept each other's at once.
    for number in sorted((original.environment_id, environment.id)):
        take_turns(number)
    if queries.find_share(share.uuid) is None:
        raise Conflict(f"{original.name} is not shared with this environment any more.")
    prefix = free_prefix(environment, original.kind, prefix)
    if find_use(share) is not None:
        raise Conflict(f"{original.name} of {original.environment.place} is used here already.")
    row = ServiceInstance(
        environment_id=environment.id,
        server=original.server,
        kind=original.kind,
        prefix=prefix,
        state=ServiceState.PENDING_ATTACHMENT,
        provisioned_at=now(),
        original=original,
    )
    db.session.add(row)
    db.session.flush()
    owner = original.environment.place
    record_on(environment, "service.accept", actor, service=row.name, owner=owner)
    return row


def find_use(share: ServiceShare) -> ServiceInstance | None:
    """What stands for the shared instance where it is accepted."""
    rows = queries.list_all_instances([share.environment_id])
    return next((row for row in rows if row.original_id == share.instance_id), None)


def end_share(share: ServiceShare, actor: User) -> None:
    """Take it back, or decline it: whoever uses it does so until the next deployment there."""
    take_turns(share.environment_id)
    use = find_use(share)
    if use is not None:
        db.session.refresh(use)
        use.state = LEFT_OUT.get(use.state, use.state)
    instance, place = share.instance, share.environment.place
    record_on(instance.environment, "service.unshare", actor, service=instance.name, user=place)
    db.session.delete(share)
