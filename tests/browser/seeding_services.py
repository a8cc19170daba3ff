"""Services of a site in every state that the pages can show."""

from __future__ import annotations

import datetime

from app.accounts.models import User
from app.adapters.services import ServiceKind
from app.environments.models import Environment
from app.extensions import now
from app.regions.models import Region
from app.services.models import ServiceInstance, ServiceState
from app.services.operations import NewService, add_instance
from app.services.queries import find_offer
from app.services.servers import add_server, set_offer
from app.services.sharing import accept_share, share_instance

REMOVABLE = "00000000-0000-4000-8000-0000000000d1"
TRASHED = "00000000-0000-4000-8000-0000000000d2"
MB = 1024**2


def seed_services(live: Environment, test: Environment, owner: User) -> None:
    """A database and a storage that are used, others on their way in or out, one in the trash;
    the database is shared with Test, and Test's storage is used by Live."""
    database = _add(live, ServiceKind.POSTGRESQL, "DEFAULT", ServiceState.ATTACHED, owner)
    database.addon = "postgres"
    storage = _add(live, ServiceKind.OBJECT_STORAGE, "DEFAULT", ServiceState.ATTACHED, owner)
    storage.used_bytes, storage.used_connections, storage.used_objects = 812 * MB, None, 4096
    newer = _add(live, ServiceKind.POSTGRESQL, "NEW", ServiceState.PENDING_ATTACHMENT, owner, "18")
    newer.options = {"extensions": ["citext", "pg_trgm"]}
    _add(live, ServiceKind.REDIS, "DEFAULT", ServiceState.PENDING_DETACHMENT, owner)
    _add(live, ServiceKind.POSTGRESQL, "OLD", ServiceState.DETACHED, owner).uuid = REMOVABLE
    failed = _add(live, ServiceKind.RABBITMQ, "DEFAULT", ServiceState.FAILED, owner)
    failed.sentence = "The server does not answer."
    _add(live, ServiceKind.MYSQL, "SHOP", ServiceState.NEW, owner)
    trashed = _add(live, ServiceKind.POSTGRESQL, "ARCHIVE", ServiceState.DETACHED, owner)
    trashed.uuid, trashed.trashed_by_id = TRASHED, owner.id
    trashed.trashed_at = now() - datetime.timedelta(days=3)
    _add(test, ServiceKind.POSTGRESQL, "DEFAULT", ServiceState.PROVISIONING, owner)
    _offer(live.region, owner)
    common = _add(test, ServiceKind.OBJECT_STORAGE, "DEFAULT", ServiceState.ATTACHED, owner)
    share_instance(database, test.place, owner)
    accept_share(share_instance(common, live.place, owner), "COMMON", owner)


def _offer(region: Region, owner: User) -> None:
    own = add_server(region, ServiceKind.MYSQL, "11", "mysql://a:b@db.example:3306/", owner)
    set_offer(own, False, owner)


def _add(
    environment: Environment,
    kind: ServiceKind,
    prefix: str,
    state: ServiceState,
    owner: User,
    version: str = "",
) -> ServiceInstance:
    server = find_offer(environment.region_id, kind, version)
    assert server is not None
    row = add_instance(environment, NewService(server, prefix), owner)
    row.state = state
    if state not in (ServiceState.NEW, ServiceState.PROVISIONING, ServiceState.FAILED):
        row.provisioned_at = row.measured_at = now()
        row.used_bytes, row.used_connections = 48 * MB, 7
        row.facts = {
            "key": row.key,
            "password": row.password,
            "host": f"{kind}-1",
            "port": "5432",
            "database": row.key,
            "user": row.key,
        }
    return row
