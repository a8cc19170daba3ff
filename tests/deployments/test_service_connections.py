"""Servers of services beside the sites: whose they are, and who is connected to them."""

from __future__ import annotations

import pytest

from app.adapters.engine import (
    LABEL_INSTALLATION,
    LABEL_ROLE,
    LABEL_SERVICE,
    ContainerSpec,
    Limits,
    NetworkSpec,
)
from app.deployments.reconcile import reconcile
from app.installation import installation
from app.routes.queries import load_feed
from app.services import keeping
from tests.deployments import site
from tests.panel import Panel
from tests.services.acting import act, add, backend, connected, network


@pytest.fixture
def attached(panel: Panel) -> tuple[Panel, str]:
    """Test runs a release with PostgreSQL “DEFAULT”."""
    uuid = add(panel)
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    return panel, uuid


def test_servers_and_their_network_are_not_the_reconcilers(attached: tuple[Panel, str]) -> None:
    panel, uuid = attached
    with panel.reading():
        ours = {LABEL_INSTALLATION: load_feed().epoch}
        image = panel.engine.add_image("postgres:15")
        for name in ("moonbase-services-12345678", "moonbase-nobodys"):
            labels = {**ours, LABEL_ROLE: "network"}
            panel.engine.ensure_network(NetworkSpec(name, "127.9.0.0/27", labels))
        labels = {**ours, LABEL_SERVICE: uuid}
        spec = ContainerSpec(
            "moonbase-service-1", image.id, labels, "moonbase-services-12345678", Limits(1, 1, 1)
        )
        panel.engine.start_container(spec)
        reconcile(installation())
        assert panel.engine.inspect_container("moonbase-service-1")
        networks = panel.engine.list_networks(ours)
    assert "moonbase-services-12345678" in networks and "moonbase-nobodys" not in networks


def test_sites_are_connected_again_after_a_restart(attached: tuple[Panel, str]) -> None:
    panel, uuid = attached
    backend(panel).attached.clear()
    with panel.reading():
        keeping.keep_running()
    assert connected(panel, uuid)
    act(panel, "detach_instance", uuid)
    assert site.deploy(panel).status == "succeeded"
    with panel.reading():
        keeping.keep_running()
    assert not connected(panel, uuid)


def test_a_server_that_others_of_the_site_need_stays_connected(attached: tuple[Panel, str]) -> None:
    """Both are databases on one server: leaving it for one would cut off the other."""
    panel, one = attached
    two = add(panel, "SECOND")
    assert site.deploy(panel).status == "succeeded"
    act(panel, "detach_instance", two)
    assert site.deploy(panel).status == "succeeded"
    assert connected(panel, one) and connected(panel, two)
    assert network(panel) in {pair[1] for pair in backend(panel).attached}
    backend(panel).failures["detach"] = "The engine does not answer."
    act(panel, "detach_instance", one)
    row = site.deploy(panel)
    assert row.status == "succeeded"
    assert "A service is still connected: The engine does not answer." in site.log_of(panel, row)
