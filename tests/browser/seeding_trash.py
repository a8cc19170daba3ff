"""Things in the trash, for the pages that show them."""

from __future__ import annotations

import datetime

from app.accounts.models import User
from app.applications.models import Application
from app.domains.models import Domain, DomainKind
from app.environments.models import Environment
from app.extensions import db, now
from app.installation import installation
from app.lifecycle.environments import NewEnvironment, add_environment
from app.lifecycle.models import TrashEntry
from app.lifecycle.trash import begin_deletion, trash_application, trash_environment

APPLICATION_ENTRY = "00000000-0000-4000-8000-00000000000a"
ENVIRONMENT_ENTRY = "00000000-0000-4000-8000-00000000000b"
DOMAIN = "00000000-0000-4000-8000-00000000000c"
MB = 1024**2


def seed_trash(site: Application, old: Application, older: Application, owner: User) -> None:
    """An environment more in `site` and one in its trash, a domain, and two applications: one
    that waits for its end and one that is being deleted."""
    here = installation()
    store, settings = here.adapters.repositories, here.settings
    for name, slug in (("Preview", "preview"), ("Christmas campaign", "christmas")):
        add_environment(site, NewEnvironment(name, slug, source="test"), owner, store, settings)
    christmas = _last_environment(site)
    _age(trash_environment(christmas, owner), 2, ENVIRONMENT_ENTRY, (0, 148, 2))
    domain = Domain(
        environment_id=_live(site),
        host="bakery-by-the-river.example",
        kind=DomainKind.ALIAS,
        proved_at=now(),
        uuid=DOMAIN,
    )
    domain.trashed_at, domain.trashed_by_id = now() - datetime.timedelta(days=1), owner.id
    db.session.add(domain)
    _age(trash_application(old, owner), 4, APPLICATION_ENTRY, (31, 420, 18))
    doomed = trash_application(older, owner)
    begin_deletion(doomed, owner)
    doomed.failure = "The container engine does not answer."


def _age(entry: TrashEntry, days: float, uuid: str, megabytes: tuple[int, int, int]) -> None:
    entry.thing.trashed_at = now() - datetime.timedelta(days=days)
    entry.uuid, entry.measured_at = uuid, now()
    sizes = [size * MB for size in megabytes]
    entry.repository_bytes, entry.image_bytes, entry.log_bytes = sizes


def _last_environment(site: Application) -> Environment:
    found = db.session.scalars(
        db.select(Environment)
        .where(Environment.application_id == site.id)
        .order_by(Environment.id.desc())
    ).first()
    assert found
    return found


def _live(site: Application) -> int:
    return db.session.scalars(
        db.select(Environment.id).where(
            Environment.application_id == site.id, Environment.slug == "live"
        )
    ).one()
