"""Services that addons ask for."""

from __future__ import annotations

import pytest

from app.adapters.services import ServiceKind
from app.extensions import db
from app.services.models import ServiceInstance
from tests.deployments import site
from tests.deployments.test_addons import install, put
from tests.deployments.test_services import current_release, failed
from tests.panel import ALICE, Panel
from tests.services.acting import act, add, backend, look, server, state


@pytest.fixture
def deployed(panel: Panel) -> Panel:
    """Test can be deployed."""
    site.commit(panel)
    return panel


@pytest.fixture
def attached(panel: Panel) -> tuple[Panel, str]:
    """Test runs a release with PostgreSQL “DEFAULT”."""
    uuid = add(panel)
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    return panel, uuid


def test_addons_get_what_they_ask_for(deployed: Panel) -> None:
    panel = deployed
    install(panel, "postgres", {"prefix": "MAIN", "extensions": "citext"})
    row = site.deploy(panel)
    assert row.status == "succeeded", row.sentence
    with panel.reading():
        made = db.session.scalars(db.select(ServiceInstance)).one()
        assert (made.prefix, made.addon, made.state) == ("MAIN", "postgres", "attached")
        assert made.options == {"extensions": ["citext"]}
        uuid = made.uuid
    assert "MAIN_DATABASE_DSN" in current_release(panel).variables
    page = panel.client_of(ALICE).get("/applications/demo/environments/test/services/").text
    assert "asked for by the addon postgres" in page
    act(panel, "detach_instance", uuid)
    row = failed(panel, "check_services")
    assert "The addon postgres needs PostgreSQL “MAIN”, which is detached" in row.sentence
    act(panel, "attach_instance", uuid)
    act(panel, "rename_instance", uuid, "OTHER")
    add(panel, "MAIN", ServiceKind.MYSQL)
    row = failed(panel, "check_services")
    assert "MySQL “MAIN” has the same variables" in row.sentence


def test_extensions_an_addon_asks_for_later_are_added(attached: tuple[Panel, str]) -> None:
    panel, uuid = attached
    install(panel, "postgres", {"prefix": "DEFAULT", "extensions": "hstore"})
    assert site.deploy(panel).status == "succeeded"
    assert look(panel, uuid).options == {"extensions": ["hstore"]} and state(panel, uuid) == (
        "attached"
    )
    backend(panel).failures["provision"] = "The server has no extension citext."
    put(panel, "postgres", {}, {"extensions": "citext"})
    assert "no extension citext" in failed(panel, "provision_services").sentence
    assert state(panel, uuid) == "attached"
    assert look(panel, uuid).options == {"extensions": ["hstore"]}
    backend(panel).failures.clear()
    assert site.deploy(panel).status == "succeeded"
    assert look(panel, uuid).options == {"extensions": ["hstore", "citext"]}


def test_an_addon_asks_for_what_is_not_on_offer(deployed: Panel) -> None:
    with deployed.work():
        server(ServiceKind.REDIS).is_on_offer = False
    install(deployed, "redis-cache", {})
    row = failed(deployed, "check_services")
    assert "The addon redis-cache needs Redis, which is not on offer" in row.sentence


def test_two_addons_may_not_bring_one_variable(deployed: Panel) -> None:
    """Each is new: no row says yet that the name is taken."""
    install(deployed, "postgres", {"prefix": "DEFAULT"})
    install(deployed, "mysql", {})
    row = failed(deployed, "check_services")
    assert "both bring DEFAULT_DATABASE_DSN" in row.sentence
