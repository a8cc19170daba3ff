"""Clean-up and the reconciler: what is ours is kept right, what is foreign is never touched."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pytest
from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool
from sqlalchemy import select

from app.deployments.models import Build
from app.environments.models import Environment
from app.extensions import db
from tests.flows.fault_records import Fault, record_fault, require_in_time
from tests.flows.paced_site import PacedSite
from tests.flows.processes import wait_for
from tests.flows.running_panel import RunningPanel

GROUP = "Something is removed by hand, or is foreign"
BACK_LIMIT = 5.0
OTHER = {"moonbase.installation": "another-installation", "moonbase.role": "web"}


@dataclass(frozen=True)
class Foreign:
    """Things on the engine that are not this installation's, though some look like it."""

    client: docker.APIClient
    containers: tuple[str, ...]
    networks: tuple[str, ...]
    images: tuple[str, ...]

    def missing(self) -> list[str]:
        containers = {c["Names"][0].removeprefix("/") for c in self.client.containers(all=True)}
        networks = {n["Name"] for n in self.client.networks()}
        images = {t for i in self.client.images() for t in i["RepoTags"] or ()}
        found = (self.containers, containers), (self.networks, networks), (self.images, images)
        return [name for wanted, present in found for name in wanted if name not in present]


@pytest.fixture
def foreign(fault_panel: RunningPanel) -> Iterator[Foreign]:
    client = docker.APIClient(base_url=fault_panel.settings.docker_url, version="1.41", timeout=60)
    networks = ("moonbase-of-nobody", "moonbase-of-another")
    first, second, *_ = fault_panel.settings.network_pool.split(".")
    for number, (name, labels) in enumerate(zip(networks, ({}, OTHER), strict=True)):
        pool = IPAMPool(subnet=f"{first}.{second}.{200 + number}.0/24")
        client.create_network(name, "bridge", ipam=IPAMConfig(pool_configs=[pool]), labels=labels)
    containers = ("moonbase-foreign-web-1", "moonbase-another-web-1")
    for name, network, labels in zip(containers, networks, ({}, OTHER), strict=True):
        config = client.create_host_config(network_mode=network)
        made = client.create_container(
            "moonbase/static:1", name=name, labels=labels, host_config=config
        )
        client.start(made["Id"])
    client.tag("moonbase/static:1", "moonbase-site/fault", "looks-like-ours")
    labels = {**OTHER, "moonbase.role": "image"}
    list(client.build(fileobj=_context(), custom_context=True, tag="another:1", labels=labels))
    try:
        images = ("moonbase/static:1", "moonbase-site/fault:looks-like-ours", "another:1")
        yield Foreign(client, containers, networks, images)
    finally:
        for name in containers:
            client.remove_container(name, force=True)
        for name in networks:
            client.remove_network(name)
        for name in ("moonbase-site/fault:looks-like-ours", "another:1"):
            client.remove_image(name)
        client.close()


def test_clean_up_keeps_three_images_and_all_that_is_foreign(
    fault_site: PacedSite, foreign: Foreign
) -> None:
    panel, site = fault_site.panel, fault_site
    assert foreign.missing() == []
    commits = [site.deploy().commit for _ in range(5)]
    started = time.monotonic()
    wait_for(lambda: len(_kept(panel, site.slug)) == 3, 20, "more than 3 images are kept")
    seconds = time.monotonic() - started
    assert _kept(panel, site.slug) == commits[-3:]
    label = {"label": f"moonbase.installation={_installation(panel)}"}
    wait_for(lambda: _tags(foreign.client, label) == set(_tags_of_rows(panel)), 10)
    time.sleep(2 * panel.settings.times.reconcile)  # the reconciler has looked at all of it too
    assert foreign.missing() == []
    site.require_page(site.page)
    outcome = "The last 3 images are kept; foreign containers, images and networks too"
    record_fault(Fault(GROUP, "clean-up after 5 deployments", outcome, 0, 0, seconds, 20))


def test_a_container_removed_by_hand_comes_back(fault_site: PacedSite) -> None:
    panel, site = fault_site.panel, fault_site
    client = docker.APIClient(base_url=panel.settings.docker_url, version="1.41", timeout=60)
    names = panel.containers()
    old = client.inspect_container(names[0])["Id"]
    started = time.monotonic()
    client.remove_container(names[0], force=True)
    wait_for(lambda: _is_replaced(client, names[0], old), 30)
    wait_for(lambda: panel.get(site.slug).body == site.page, 30)
    seconds = time.monotonic() - started
    client.close()
    assert panel.containers() == names
    outcome = "The reconciler brings it back at the same address"
    record_fault(Fault(GROUP, "docker rm -f of a site", outcome, 0, 0, seconds, BACK_LIMIT))
    require_in_time(seconds, BACK_LIMIT)


def _is_replaced(client: docker.APIClient, name: str, old: str) -> bool:
    try:
        return bool(client.inspect_container(name)["Id"] != old)
    except NotFound:
        return False


def _kept(panel: RunningPanel, slug: str) -> list[str]:
    """Commits of the images of the site's Live environment that are kept, oldest first."""
    with panel.app.app_context():
        rows = db.session.execute(
            select(Build.commit, Environment.slug)
            .join(Environment, Environment.id == Build.environment_id)
            .where(Build.removed_at.is_(None), Build.tag.like(f"moonbase-site/{slug}:%"))
            .order_by(Build.id)
        )
        kept = [commit for commit, environment in rows if environment == "live"]
        db.session.remove()
        return kept


def _tags_of_rows(panel: RunningPanel) -> list[str]:
    with panel.app.app_context():
        tags = list(db.session.scalars(select(Build.tag).where(Build.removed_at.is_(None))))
        db.session.remove()
        return tags


def _tags(client: docker.APIClient, filters: dict[str, str]) -> set[str]:
    return {tag for image in client.images(filters=filters) for tag in image["RepoTags"] or ()}


def _installation(panel: RunningPanel) -> str:
    with panel.app.app_context():
        found = panel.installation_id()
        db.session.remove()
        return found


def _context() -> io.BytesIO:
    """A build context with nothing but a Dockerfile."""
    text = b"FROM moonbase/static:1\n"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    file.seek(0)
    return file
