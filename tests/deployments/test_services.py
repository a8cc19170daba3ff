"""Services in a deployment: attached by one that succeeds, left alone by one that fails."""

from __future__ import annotations

import threading

import pytest
from cryptography.fernet import Fernet

from app.adapters.services import ServiceKind
from app.deployments.models import Deployment, Release
from app.deployments.operations import request_roll_back
from app.deployments.queries import find_current, list_releases
from app.extensions import db
from app.services import jobs
from app.services.models import ServiceInstance, ServiceShare
from app.services.sharing import accept_share, end_share, share_instance
from app.signals import step_started
from app.variables.operations import set_variable
from tests.deployments import site
from tests.deployments.test_waiting import waiting, words
from tests.panel import ALICE, Panel, environment, user_of
from tests.services.acting import (
    act,
    add,
    backend,
    connected,
    instance,
    look,
    provision,
    remove,
    state,
    states,
)
from tests.services.test_provisioning import Halting

UNHEALTHY = site.DOCKERFILE + "LABEL answer=503\n"


def current_release(panel: Panel, slug: str = "test") -> Release:
    with panel.reading():
        current = find_current(environment(slug).id)
        assert current and current.release.variables
        return current.release


def failed(panel: Panel, step: str) -> Deployment:
    row = site.deploy(panel)
    assert (row.status, site.steps_of(row).get(step)) == ("failed", "failed"), row.sentence
    return row


def roll_back(panel: Panel, index: int) -> Deployment:
    """To the release at `index`, 0 being the newest."""
    with panel.work():
        release = list_releases(environment().id)[index]
        number = request_roll_back(environment(), release, user_of(ALICE)).id
    return site.run(panel, number)


@pytest.fixture
def deployed(panel: Panel) -> Panel:
    """Test runs a release without services."""
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    return panel


@pytest.fixture
def attached(deployed: Panel) -> tuple[Panel, str]:
    """Test runs a release with PostgreSQL “DEFAULT”."""
    uuid = add(deployed)
    assert site.deploy(deployed).status == "succeeded"
    return deployed, uuid


def test_a_deployment_provisions_connects_and_tells_the_site(deployed: Panel) -> None:
    panel = deployed
    uuid, other = add(panel), add(panel, kind=ServiceKind.REDIS)
    assert words(panel) == [
        ("service", "PostgreSQL “DEFAULT”", None, "attached"),
        ("service", "Redis “DEFAULT”", None, "attached"),
    ]
    row = site.deploy(panel)
    assert row.status == "succeeded", row.sentence
    assert states(panel) == {"DEFAULT": "attached"} and words(panel) == []
    made, release = look(panel, uuid), current_release(panel)
    url = f"postgresql://{made.key}:{made.password}@postgresql.example/{made.key}"
    assert release.variables["DATABASE_URL"] == release.variables["DEFAULT_DATABASE_DSN"] == url
    assert {url, made.password} <= set(release.masked_values)
    assert release.services[0] == {
        "uuid": uuid,
        "kind": "postgresql",
        "prefix": "DEFAULT",
        "variables": ["DEFAULT_DATABASE_DSN", "DATABASE_URL"],
    }
    assert connected(panel, uuid) and connected(panel, other)
    name = next(iter(site.containers(panel)[1]))
    assert panel.engine.specs[name].environment["DATABASE_URL"] == url
    log = site.log_of(panel, row)
    assert "PostgreSQL “DEFAULT” is ready" in log and made.password not in log


def test_credentials_that_the_deployment_makes_are_masked_in_its_log(deployed: Panel) -> None:
    """The log was opened before they were there."""
    uuid = add(deployed)
    password = look(deployed, uuid).password
    with deployed.work():
        environment().application.name = f"Pass {password}"
    row = site.deploy(deployed)
    assert password not in site.log_of(deployed, row)
    assert password in current_release(deployed).variables["SITE_NAME"]


def test_a_failed_deployment_leaves_the_running_configuration(attached: tuple[Panel, str]) -> None:
    panel, old = attached
    before, serving = current_release(panel), site.visit(panel)
    act(panel, "detach_instance", old)
    new = add(panel, "NEW", version="18")
    site.commit(panel, UNHEALTHY)
    assert failed(panel, "wait_until_healthy")
    assert states(panel) == {"DEFAULT": "pending_detachment", "NEW": "pending_attachment"}
    assert current_release(panel).id == before.id and site.visit(panel) == serving
    assert connected(panel, old) and connected(panel, new)
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    assert states(panel) == {"DEFAULT": "detached", "NEW": "attached"}
    release = current_release(panel)
    assert "DATABASE_URL" not in release.variables and "NEW_DATABASE_DSN" in release.variables
    assert not connected(panel, old) and connected(panel, new)
    assert look(panel, old).key in backend(panel).data  # its data stays


@pytest.mark.parametrize("question", ["start", "provision", "attach"])
def test_a_server_that_refuses_fails_the_deployment_with_its_sentence(
    deployed: Panel, question: str
) -> None:
    before = current_release(deployed)
    uuid = add(deployed)
    backend(deployed).failures[question] = "The server is full."
    row = failed(deployed, "provision_services")
    assert "The server is full." in row.sentence
    assert current_release(deployed).id == before.id
    backend(deployed).failures.clear()
    assert site.deploy(deployed).status == "succeeded"  # one that failed is tried again
    assert state(deployed, uuid) == "attached"


def test_what_is_not_on_offer_any_more_fails_before_the_build(deployed: Panel) -> None:
    uuid = add(deployed, version="18")
    with deployed.work():
        instance(uuid).server.is_on_offer = False
    builds = len(deployed.builder.requests)
    row = failed(deployed, "check_services")
    assert "not on offer any more" in row.sentence and "PostgreSQL “DEFAULT”" in row.sentence
    assert len(deployed.builder.requests) == builds


def test_the_documented_upgrade_of_postgresql_step_by_step(attached: tuple[Panel, str]) -> None:
    """How to manually upgrade PostgreSQL, steps 1 to 12 (L5178)."""
    panel, old = attached
    backend(panel).data[look(panel, old).key] = {"guests": ["Ada", "Grace"]}
    first = current_release(panel).variables
    new = add(panel, "NEW", version="18")  # 2
    provision(panel, new)  # 3
    with panel.reading():  # 5 to 7, as `app.backups` does
        from_, to = instance(old), instance(new)
        backend(panel).data[to.key] = dict(backend(panel).data[from_.key])
    act(panel, "rename_instance", old, "OLD")  # 8
    act(panel, "detach_instance", old)  # 9
    act(panel, "rename_instance", new, "DEFAULT")  # 10
    assert words(panel) == [
        ("service", "PostgreSQL “DEFAULT”", "attached", None),
        ("service", "PostgreSQL “DEFAULT”", None, "attached"),
    ]
    assert current_release(panel).variables == first
    assert site.deploy(panel).status == "succeeded"  # 11
    assert states(panel) == {"OLD": "detached", "DEFAULT": "attached"} and words(panel) == []
    variables = current_release(panel).variables
    assert look(panel, new).key in variables["DATABASE_URL"]
    assert not any(name.startswith(("OLD_", "NEW_")) for name in variables)
    act(panel, "trash_instance", old)  # 12
    act(panel, "begin_removal", old)
    remove(panel, old)
    assert backend(panel).data == {look(panel, new).key: {"guests": ["Ada", "Grace"]}}


def test_two_that_swap_their_prefixes(attached: tuple[Panel, str]) -> None:
    panel, one = attached
    two = add(panel, "SECOND")
    assert site.deploy(panel).status == "succeeded"
    for uuid, prefix in ((one, "BETWEEN"), (two, "DEFAULT"), (one, "SECOND")):
        act(panel, "rename_instance", uuid, prefix)
    assert words(panel) == [
        ("service", "PostgreSQL", "DEFAULT", "SECOND"),
        ("service", "PostgreSQL", "SECOND", "DEFAULT"),
    ]
    assert site.deploy(panel).status == "succeeded"
    variables = current_release(panel).variables
    assert look(panel, two).key in variables["DATABASE_URL"]
    assert look(panel, one).key in variables["SECOND_DATABASE_DSN"]


def test_a_variable_of_people_wins(attached: tuple[Panel, str]) -> None:
    panel, _ = attached
    with panel.work():
        set_variable(environment(), "DATABASE_URL", "postgres://elsewhere", False, user_of(ALICE))
    assert words(panel) == [("variable", "DATABASE_URL", "", "")]
    assert site.deploy(panel).status == "succeeded"
    release = current_release(panel)
    assert release.variables["DATABASE_URL"] == "postgres://elsewhere"
    assert "DEFAULT_DATABASE_DSN" in release.variables


def test_containers_trust_a_server_that_signs_for_itself(deployed: Panel) -> None:
    """With the file and where it is; never instead of what people say."""
    panel = deployed
    storage = ServiceKind.OBJECT_STORAGE
    panel.adapters.services.of(storage).certificate = "-----OURS-----"  # type: ignore[attr-defined]
    uuid = add(panel, kind=storage)
    with panel.work():
        set_variable(environment(), "NODE_EXTRA_CA_CERTS", "/mine.pem", False, user_of(ALICE))
    assert site.deploy(panel).status == "succeeded"
    spec = panel.engine.specs[next(iter(site.containers(panel)[1]))]
    path = spec.environment["AWS_CA_BUNDLE"]
    assert spec.files[path].startswith("-----OURS-----\n")
    assert "BEGIN CERTIFICATE" in spec.files[path]  # those of the world
    assert spec.environment["NODE_EXTRA_CA_CERTS"] == "/mine.pem"
    act(panel, "detach_instance", uuid)
    assert site.deploy(panel).status == "succeeded"
    spec = panel.engine.specs[next(iter(site.containers(panel)[1]))]
    assert not spec.files and "AWS_CA_BUNDLE" not in spec.environment


def test_rolling_back_brings_the_services_of_then(attached: tuple[Panel, str]) -> None:
    """States follow what runs; what people wished stays for the next deployment."""
    panel, old = attached
    act(panel, "detach_instance", old)
    new = add(panel, "NEW", version="18")
    assert site.deploy(panel).status == "succeeded" and not connected(panel, old)
    assert roll_back(panel, 1).status == "succeeded"
    assert states(panel) == {"DEFAULT": "pending_detachment", "NEW": "pending_attachment"}
    assert (
        connected(panel, old)
        and look(panel, old).key in current_release(panel).variables["DATABASE_URL"]
    )
    assert site.deploy(panel).status == "succeeded"
    assert states(panel) == {"DEFAULT": "detached", "NEW": "attached"} and connected(panel, new)


def test_rolling_back_to_a_service_that_is_gone_names_it(attached: tuple[Panel, str]) -> None:
    panel, old = attached
    act(panel, "detach_instance", old)
    assert site.deploy(panel).status == "succeeded"
    serving = current_release(panel).id
    act(panel, "trash_instance", old)
    row = roll_back(panel, 1)
    assert row.status == "failed" and "PostgreSQL “DEFAULT”, which is in the trash" in row.sentence
    act(panel, "begin_removal", old)
    remove(panel, old)
    row = roll_back(panel, 1)
    assert row.status == "failed" and "which was deleted for good" in row.sentence
    assert site.steps_of(row) == {"check_services": "failed"}
    assert current_release(panel).id == serving


def test_rolling_back_to_a_service_that_does_not_work(attached: tuple[Panel, str]) -> None:
    panel, old = attached
    act(panel, "detach_instance", old)
    assert site.deploy(panel).status == "succeeded"
    backend(panel).data.clear()  # somebody removed the database by hand
    row = roll_back(panel, 1)
    assert row.status == "failed"
    assert "PostgreSQL “DEFAULT” does not work: The server has no such instance" in row.sentence


def test_a_key_that_is_gone_fails_the_deployment_with_a_sentence(
    attached: tuple[Panel, str],
) -> None:
    """Never an empty variable."""
    panel, uuid = attached
    before = current_release(panel)
    elsewhere = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
    with panel.work():
        table = ServiceInstance.__table__
        kept = db.session.scalar(db.select(db.type_coerce(table.c.encrypted_facts, db.Text)))
        db.session.execute(
            db.text("UPDATE service_instances SET encrypted_facts = :t"), {"t": elsewhere}
        )
    row = site.deploy(panel)
    assert row.status == "failed" and "key" in row.sentence
    with panel.work():
        db.session.execute(
            db.text("UPDATE service_instances SET encrypted_facts = :t"), {"t": kept}
        )
        instance(uuid).facts = {}
    row = site.deploy(panel)
    assert row.status == "failed"
    assert "What is known of PostgreSQL “DEFAULT” is incomplete" in row.sentence
    assert current_release(panel).id == before.id


def test_a_worker_lost_while_services_are_made(deployed: Panel) -> None:
    from tests.deployments.test_recovery import grow_old, kill_at, recover

    uuid = add(deployed)
    number = site.request(deployed)
    kill_at(deployed, number, "provision_services")
    assert state(deployed, uuid) == "provisioning"
    grow_old(deployed, number)
    assert recover(deployed, number).status == "failed"
    with deployed.reading():
        jobs.provision(instance(uuid).id)  # which the scheduler enqueues
    assert state(deployed, uuid) == "pending_attachment"
    assert site.deploy(deployed).status == "succeeded" and state(deployed, uuid) == "attached"


def test_a_deployment_waits_for_a_worker_that_provisions_already(deployed: Panel) -> None:
    uuid = add(deployed)
    act(deployed, "request_provisioning", uuid)
    halting = Halting(deployed)

    def work() -> None:
        with deployed.reading():
            jobs.provision(instance(uuid).id)

    worker = threading.Thread(target=work)
    worker.start()
    assert halting.is_in.wait(10)
    soon = threading.Timer(0.3, halting.goes_on.set)
    soon.start()
    assert site.deploy(deployed).status == "succeeded"
    worker.join()
    assert state(deployed, uuid) == "attached" and halting.asked == 1


def test_one_that_is_deleted_before_the_switch_ends_the_deployment(deployed: Panel) -> None:
    panel = deployed
    uuid = add(panel)
    before = current_release(panel)

    def meddle(sender: object, deployment: str, step: str) -> None:
        if step == "wait_until_healthy":
            for operation in ("detach_instance", "trash_instance", "begin_removal"):
                act(panel, operation, uuid)

    with step_started.connected_to(meddle):
        row = site.deploy(panel)
    assert row.status == "failed" and "which was deleted for good" in row.sentence
    assert current_release(panel).id == before.id


def test_wishes_said_while_a_deployment_runs_stay(deployed: Panel) -> None:
    panel = deployed
    uuid = add(panel)

    def meddle(sender: object, deployment: str, step: str) -> None:
        if step == "start_containers":
            act(panel, "detach_instance", uuid)
            act(panel, "rename_instance", uuid, "LATER")

    with step_started.connected_to(meddle):
        assert site.deploy(panel).status == "succeeded"
    assert state(panel, uuid) == "pending_detachment"
    assert "DATABASE_URL" in current_release(panel).variables
    assert [row.name for row in waiting(panel).changes] == ["PostgreSQL “DEFAULT”"]


def test_what_is_shared_is_connected_told_and_taken_away(deployed: Panel) -> None:
    """PostgreSQL of Live is shared with Test, which an addon or a person may count on."""
    panel = deployed
    original = add(panel, on="live")
    provision(panel, original)
    with panel.work():
        row = share_instance(instance(original), "demo/test", user_of(ALICE))
        shared = row.uuid
    with panel.work():
        theirs = accept_share(find(shared), "DEFAULT", user_of(ALICE)).uuid
    assert words(panel) == [("service", "PostgreSQL “DEFAULT”", None, "attached")]
    assert not connected(panel, original)
    row = site.deploy(panel)
    assert row.status == "succeeded", row.sentence
    assert state(panel, theirs) == "attached" and connected(panel, original)
    made, release = look(panel, original), current_release(panel)
    url = f"postgresql://{made.key}:{made.password}@postgresql.example/{made.key}"
    assert release.variables["DATABASE_URL"] == url
    assert {url, made.password} <= set(release.masked_values)
    assert len(backend(panel).data) == 1  # nothing was made for it
    with panel.work():
        end_share(find(shared), user_of(ALICE))
    assert state(panel, theirs) == "pending_detachment" and connected(panel, original)
    assert site.deploy(panel).status == "succeeded"
    assert state(panel, theirs) == "detached" and not connected(panel, original)
    assert "DATABASE_URL" not in current_release(panel).variables
    assert "not shared any more" in roll_back(panel, 1).sentence


def find(uuid: str) -> ServiceShare:
    return db.session.scalars(db.select(ServiceShare).where(ServiceShare.uuid == uuid)).one()
