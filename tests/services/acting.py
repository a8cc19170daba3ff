"""A site with services, in words of a person."""

from __future__ import annotations

from app.adapters.services import ServiceKind
from app.adapters.services.fake import FakeBackend
from app.extensions import db
from app.services import jobs, operations
from app.services.models import ServiceInstance, ServiceServer
from app.services.operations import NewService
from app.services.queries import find_offer
from tests.panel import ALICE, Panel, environment, user_of

POSTGRESQL = ServiceKind.POSTGRESQL


def server(kind: ServiceKind = POSTGRESQL, version: str = "") -> ServiceServer:
    """What is on offer; inside an app context."""
    found = find_offer(environment().region_id, kind, version)
    assert found is not None
    return found


def add(
    panel: Panel,
    prefix: str = "DEFAULT",
    kind: ServiceKind = POSTGRESQL,
    version: str = "",
    on: str = "test",
) -> str:
    """Add one to `demo`; returns its uuid."""
    with panel.work():
        wanted = NewService(server(kind, version), prefix)
        return operations.add_instance(environment(on), wanted, user_of(ALICE)).uuid


def instance(uuid: str) -> ServiceInstance:
    """The row; inside an app context."""
    return db.session.scalars(db.select(ServiceInstance).where(ServiceInstance.uuid == uuid)).one()


def act(panel: Panel, operation: str, uuid: str, *arguments: str) -> None:
    """Do one of the operations as Alice, e.g. `act(panel, "detach_instance", uuid)`."""
    with panel.work():
        getattr(operations, operation)(instance(uuid), *arguments, user_of(ALICE))


def provision(panel: Panel, uuid: str) -> None:
    """Ask for it and have a worker do it."""
    act(panel, "request_provisioning", uuid)
    with panel.reading():
        jobs.provision(instance(uuid).id)


def remove(panel: Panel, uuid: str) -> None:
    """Have a worker remove it."""
    with panel.reading():
        jobs.remove(instance(uuid).id)


def look(panel: Panel, uuid: str) -> ServiceInstance:
    """The row as it is, readable after the session has gone."""
    with panel.reading():
        row = instance(uuid)
        assert row.server and row.facts is not None and row.password is not None
        return row


def state(panel: Panel, uuid: str) -> str:
    return str(look(panel, uuid).state)


def states(panel: Panel) -> dict[str, str]:
    """State by prefix, of all there are."""
    with panel.reading():
        rows = db.session.scalars(db.select(ServiceInstance))
        return {row.prefix: str(row.state) for row in rows}


def backend(panel: Panel, kind: ServiceKind = POSTGRESQL) -> FakeBackend:
    return panel.services.of(kind)


def network(panel: Panel, slug: str = "test") -> str:
    """Name of the environment's own network."""
    with panel.reading():
        return f"moonbase-{environment(slug).uuid}"


def connected(panel: Panel, uuid: str, slug: str = "test") -> bool:
    """Whether the environment's network reaches the instance."""
    row = look(panel, uuid)
    return (row.key, network(panel, slug)) in backend(panel, row.kind).attached
