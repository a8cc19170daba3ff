"""Clean-up and reconciliation: what is ours and surplus goes, what should run comes back, and
nothing foreign is ever touched."""

from __future__ import annotations

import pytest

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    LABEL_ROLE,
    ContainerSpec,
    Limits,
    NetworkSpec,
)
from app.deployments.cleanup import remove_old_images
from app.deployments.models import Build, Container, Deployment
from app.deployments.operations import take_lease
from app.deployments.queries import list_releases
from app.deployments.reconcile import Mended, reconcile
from app.errors import Unavailable
from app.extensions import db
from app.installation import installation
from app.routes.queries import load_feed
from tests.deployments import site
from tests.panel import Panel, environment


def clean_up(panel: Panel) -> list[str]:
    with panel.reading():
        return remove_old_images(installation())


def mend(panel: Panel) -> Mended:
    with panel.reading():
        return reconcile(installation())


def epoch(panel: Panel) -> str:
    with panel.reading():
        return load_feed().epoch


def images(panel: Panel) -> set[str]:
    return {tag for image in panel.engine.list_images({}) for tag in image.tags}


def deploy_often(panel: Panel, count: int, slug: str = "test") -> list[str]:
    """Deploy `count` commits; returns the tags of their images in order."""
    for _ in range(count):
        site.commit(panel)
        assert site.deploy(panel, slug).status == "succeeded"
    with panel.reading():
        return list(db.session.scalars(db.select(Build.tag).order_by(Build.id)))


def test_the_last_three_images_are_kept(panel: Panel) -> None:
    tags = deploy_often(panel, 5)
    assert set(clean_up(panel)) == set(tags[:2])
    assert images(panel) == {"base:1", *tags[2:]}
    with panel.reading():
        assert len(list_releases(environment().id)) == 3
    assert clean_up(panel) == []


def test_an_image_that_runs_is_kept_however_old(panel: Panel) -> None:
    first = deploy_often(panel, 1, "test")[0]
    site.deploy(panel, "live")
    tags = deploy_often(panel, 5, "test")
    clean_up(panel)
    assert images(panel) == {"base:1", first, *tags[-3:]}


def test_the_newest_image_is_kept_although_its_deployment_failed(panel: Panel) -> None:
    deploy_often(panel, 4)
    site.commit(panel, f"{site.DOCKERFILE}LABEL answer=503\n")
    assert site.deploy(panel).status == "failed"
    with panel.reading():
        newest = db.session.scalars(db.select(Build.tag).order_by(Build.id.desc())).first()
    clean_up(panel)
    assert newest in images(panel)


def test_foreign_images_are_not_touched(panel: Panel) -> None:
    deploy_often(panel, 1)
    ours = {LABEL_INSTALLATION: epoch(panel), LABEL_ROLE: "image"}
    panel.engine.add_image(
        "moonbase-site/demo:of-another-installation",
        labels={
            **ours,
            LABEL_INSTALLATION: "another",
        },
    )
    panel.engine.add_image("postgres:15")
    panel.engine.add_image("moonbase-site/demo:unlabelled")
    panel.engine.add_image("moonbase-site/demo:left-behind", labels=ours)
    before = images(panel)
    clean_up(panel)
    assert before - images(panel) == {"moonbase-site/demo:left-behind"}


def test_an_image_without_a_row_may_be_under_construction(panel: Panel) -> None:
    number = site.request(panel)
    with panel.work():
        assert take_lease(db.session.get_one(Deployment, number))
    ours = {LABEL_INSTALLATION: epoch(panel), LABEL_ROLE: "image"}
    panel.engine.add_image("moonbase-site/demo:new", labels=ours)
    clean_up(panel)
    assert "moonbase-site/demo:new" in images(panel)


# Reconciliation -------------------------------------------------------------------------------


def test_what_runs_as_it_should_is_left_alone(panel: Panel) -> None:
    deploy_often(panel, 1)
    assert mend(panel) == Mended((), ())


@pytest.mark.parametrize("loss", ["removed", "stopped", "crashed", "everything"])
def test_a_missing_container_comes_back_and_serves(panel: Panel, loss: str) -> None:
    deploy_often(panel, 1)
    served = site.visit(panel)
    [name] = site.containers(panel)[1]
    environment_before = dict(panel.engine.specs[name].environment)
    if loss == "removed":
        panel.engine.remove_container(name)
    elif loss == "stopped":
        panel.engine.stop_container(name, 0)
    elif loss == "crashed":
        panel.engine.stop_container(name, 0)
        panel.engine.crash(name, 139)
    else:
        panel.engine.remove_container(name)
        panel.engine.remove_network(panel.engine.specs[name].network)
    with pytest.raises(OSError):
        site.visit(panel)
    assert mend(panel) == Mended((name,), ())
    assert site.visit(panel) == served
    assert panel.engine.specs[name].environment == environment_before


def make_container(panel: Panel, name: str, labels: dict[str, str]) -> None:
    panel.engine.add_image("base:1")
    network = NetworkSpec("some-network", "10.9.9.0/27", labels)
    panel.engine.ensure_network(network)
    limits = Limits(1, 1, 1)
    panel.engine.start_container(ContainerSpec(name, "base:1", labels, network.name, limits))


def test_orphans_of_ours_are_removed_and_nothing_else(panel: Panel) -> None:
    deploy_often(panel, 1)
    mine = site.containers(panel)[1]
    with panel.reading():
        ours = {LABEL_INSTALLATION: epoch(panel), LABEL_ENVIRONMENT: environment().uuid}
    make_container(panel, "moonbase-orphan", ours)
    make_container(panel, "moonbase-of-another", {**ours, LABEL_INSTALLATION: "another"})
    make_container(panel, "somebodys-database", {})
    assert mend(panel) == Mended((), ("moonbase-orphan",))
    assert site.containers(panel)[1] == {*mine, "moonbase-of-another", "somebodys-database"}


def test_old_containers_that_a_deployment_could_not_stop_are_removed(panel: Panel) -> None:
    deploy_often(panel, 1)
    [old] = site.containers(panel)[1]
    panel.engine.fail_next("stop_container", Unavailable("Docker does not answer."))
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    assert old in site.containers(panel)[1]
    assert mend(panel).removed == (old,)
    assert len(site.visit(panel)) == 1


def test_networks_of_deleted_environments_are_removed(panel: Panel) -> None:
    deploy_often(panel, 1)
    labels = {LABEL_INSTALLATION: epoch(panel), LABEL_ROLE: "network"}
    panel.engine.ensure_network(NetworkSpec("moonbase-deleted", "10.9.9.0/27", labels))
    panel.engine.ensure_network(NetworkSpec("bridge", "10.9.8.0/27", {}))
    before = set(panel.engine.list_networks({}))
    mend(panel)
    assert before - set(panel.engine.list_networks({})) == {"moonbase-deleted"}


def test_an_environment_with_a_deployment_is_left_to_it(panel: Panel) -> None:
    deploy_often(panel, 1)
    [name] = site.containers(panel)[1]
    site.commit(panel)
    number = site.request(panel)
    with panel.work():
        assert take_lease(db.session.get_one(Deployment, number))
    panel.engine.stop_container(name, 0)
    assert mend(panel) == Mended((), ())


def test_one_that_cannot_start_does_not_keep_the_others_down(panel: Panel) -> None:
    deploy_often(panel, 1, "test")
    site.deploy(panel, "live")
    names = sorted(site.containers(panel)[1])
    for name in names:
        panel.engine.remove_container(name)
    panel.engine.fail_next("start_container", Unavailable("Docker does not answer."))
    assert len(mend(panel).started) == 1
    assert len(mend(panel).started) == 1
    assert sorted(site.containers(panel)[1]) == names


def test_an_environment_keeps_its_addresses(panel: Panel) -> None:
    deploy_often(panel, 1)
    [name] = site.containers(panel)[1]
    with panel.reading():
        address = db.session.scalars(db.select(Container.address)).one()
    panel.engine.remove_container(name)
    mend(panel)
    state = panel.engine.inspect_container(name)
    assert state and state.address == address
