"""Bringing data back: checked first, what was there saved first, and honest after a fault."""

from __future__ import annotations

import datetime

import pyrage
import pytest

from app.adapters.services import Content, ServiceKind
from app.applications.operations import add_collaborator
from app.backups import bringing_back, leases, taking
from app.backups.bringing_back import recover
from app.backups.models import Backup, BackupOrigin, Restoration, WorkStatus
from app.backups.operations import delete_backup
from app.backups.queries import explain_refusal, list_restorable_targets
from app.backups.restoring import (
    ask_for_restore,
    copy_data,
    request_restoration,
    request_restorations,
)
from app.deployments.models import Deployment, DeploymentStatus
from app.deployments.operations import request_deployment
from app.deployments.pipeline import runner
from app.errors import Conflict, Invalid, NotAllowed
from app.extensions import db, now
from app.lifecycle.environments import NewEnvironment, add_environment
from app.organisations.operations import add_member
from app.permissions import Access, Role
from app.services.models import ServiceInstance
from app.transactions import unit_of_work
from tests.backups import data
from tests.deployments import site
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    EVE,
    Panel,
    Person,
    application,
    environment,
    organisation,
    user_of,
)

OTHER = {"people": ["Charles"], "later": ["x"]}


def restore(panel: Panel, backup: str, target: str, part: int = 0) -> int:
    """Ask for it as Alice; the restoration's number."""
    with panel.work():
        row = data.backup(backup).parts[part]
        return request_restoration(row, data.instance(target), user_of(ALICE)).id


def restoration(number: int) -> Restoration:
    return db.session.get_one(Restoration, number)


def change(panel: Panel, uuid: str) -> None:
    """The site goes on working."""
    with panel.reading():
        row = data.instance(uuid)
        data.backend_of(panel, row.kind).data[row.key] = {k: list(v) for k, v in OTHER.items()}


def ended(panel: Panel, number: int) -> tuple[WorkStatus, str]:
    with panel.reading():
        row = restoration(number)
        return row.status, row.sentence


def test_back_into_the_same_place_with_a_safety_backup(panel: Panel) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    change(panel, uuid)
    number = restore(panel, backup, uuid)
    data.run_jobs(panel)
    assert ended(panel, number) == (WorkStatus.SUCCEEDED, "")
    assert data.data_of(panel, uuid) == data.ROWS
    with panel.reading():
        row = restoration(number)
        assert row.source.startswith("demo/test, PostgreSQL “DEFAULT”, ")
        safety = row.safety_backup
        assert safety and (safety.origin, safety.status) == ("safety", WorkStatus.SUCCEEDED)
        before = safety.uuid
    back = restore(panel, before, uuid)
    data.run_jobs(panel)
    assert ended(panel, back)[0] == WorkStatus.SUCCEEDED
    assert data.data_of(panel, uuid) == OTHER


def test_database_and_media_into_another_environment(panel: Panel) -> None:
    for kind, tables, version in (
        (ServiceKind.POSTGRESQL, data.ROWS, "15"),
        (ServiceKind.OBJECT_STORAGE, data.FILES, "1"),
    ):
        data.fill(panel, kind=kind, tables=tables, version=version)
    targets = [
        data.fill(panel, "live", ServiceKind.OBJECT_STORAGE, OTHER, version="1"),
        data.fill(panel, "live", ServiceKind.POSTGRESQL, OTHER, version="18"),
    ]
    backup = data.take(panel)
    with panel.work():
        request_restorations(data.backup(backup), environment("live"), user_of(ALICE))
    data.run_jobs(panel)
    assert [data.data_of(panel, uuid) for uuid in targets] == [data.FILES, data.ROWS]
    change(panel, targets[0])
    with panel.work():
        request_restorations(
            data.backup(backup), environment("live"), user_of(ALICE), {Content.MEDIA}
        )
    data.run_jobs(panel)
    assert data.data_of(panel, targets[0]) == data.FILES


def test_what_cannot_be(panel: Panel) -> None:
    uuid = data.fill(panel, version="18")
    older = data.fill(panel, "live", version="15")
    media = data.fill(panel, "live", ServiceKind.OBJECT_STORAGE, version="1")
    fresh = data.fill(panel, prefix="FRESH", version="18")
    backup = data.take(panel)
    with panel.work():
        data.instance(fresh).provisioned_at = None
    sentences = {older: "version 18", media: "another kind", fresh: "not provisioned"}
    for target, words in sentences.items():
        with panel.work(), pytest.raises(Invalid, match=words):
            part = data.backup(backup).parts[0]
            request_restoration(part, data.instance(target), user_of(ALICE))
    with panel.reading():
        part = data.backup(backup).parts[0]
        found = list_restorable_targets(user_of(ALICE), part)
        assert [(row.instance.uuid, bool(row.refusal)) for row in found] == [
            (uuid, False),
            (fresh, True),
            (older, True),
        ]
        assert list_restorable_targets(user_of(BOB), part) == []
        assert list_restorable_targets(user_of(EVE), part) == []
        assert explain_refusal(part, data.instance(uuid)) == ""
    with panel.work(), pytest.raises(Invalid, match="Add the service first"):
        both = data.backup(backup)
        both.parts[0].prefix = "ELSEWHERE"
        request_restorations(both, environment("test"), user_of(ALICE))


def test_who_may(panel: Panel) -> None:
    uuid = data.fill(panel)
    theirs = data.fill(panel, of="other")
    backup = data.take(panel)

    def ask(person: Person, target: str) -> None:
        with panel.work():
            part = data.backup(backup).parts[0]
            request_restoration(part, data.instance(target), user_of(person))

    for person in (BOB, EVE, CHARLIE):
        with pytest.raises(NotAllowed, match="overwrite"):
            ask(person, uuid)
    with panel.work():
        owner = user_of(ALICE)
        add_member(organisation(), CHARLIE.email, Role.REGULAR, owner)
        add_collaborator(application(), CHARLIE.email, Access.VIEWER, owner)
    with pytest.raises(NotAllowed, match="elsewhere"):
        ask(CHARLIE, theirs)
    ask(DORA, uuid)


def test_two_at_once(panel: Panel) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    number = restore(panel, backup, uuid)
    with pytest.raises(Conflict, match="Another restore"):
        restore(panel, backup, uuid)
    with panel.work(), pytest.raises(Conflict, match="being restored"):
        delete_backup(data.backup(backup), user_of(ALICE))
    data.run_jobs(panel)
    data.run(panel, "restore", number)  # the job once more changes nothing
    assert ended(panel, restore(panel, backup, uuid))[0] == WorkStatus.WAITING


def test_without_a_safety_backup_nothing_is_touched(panel: Panel) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    change(panel, uuid)
    number = restore(panel, backup, uuid)
    data.backend_of(panel).failures["backup"] = "The server went away."
    data.run_jobs(panel)
    status, sentence = ended(panel, number)
    assert status == WorkStatus.FAILED
    assert "No safety backup" in sentence and "went away" in sentence
    assert sentence.endswith("Nothing was changed.") and sentence.count("Nothing was") == 1
    assert data.data_of(panel, uuid) == OTHER


@pytest.mark.parametrize("fault", ["damaged", "gone", "key"])
def test_a_bad_file_changes_nothing(panel: Panel, fault: str) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    change(panel, uuid)
    number = restore(panel, backup, uuid)
    [path] = data.stored(panel)
    keys = panel.settings.data_dir / "secrets" / "operator.keys"
    if fault == "damaged":
        data.damage(path)
    elif fault == "gone":
        path.unlink()
    else:
        keys.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    data.run_jobs(panel)
    status, sentence = ended(panel, number)
    words = {"damaged": "damaged", "gone": "not in the store", "key": "operator's keys"}
    assert status == WorkStatus.FAILED and words[fault] in sentence
    assert sentence.endswith("Nothing was changed.")
    assert data.data_of(panel, uuid) == OTHER
    with panel.reading():
        assert restoration(number).touched_at is None


def test_a_server_that_fails_in_the_middle_points_to_the_safety_backup(panel: Panel) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    number = restore(panel, backup, uuid)
    failures = data.backend_of(panel).failures
    failures["restore"], failures["tidy"] = "The server hung up.", "Nothing can be removed yet."
    data.run_jobs(panel)
    status, sentence = ended(panel, number)
    assert status == WorkStatus.FAILED and "removed" not in sentence
    assert "hung up" in sentence and "safety backup" in sentence and "incomplete" in sentence
    assert any("restore into Test failed" in subject for _, subject, _ in data.letters(panel))


@pytest.mark.parametrize("is_touched", [False, True])
def test_a_killed_worker(panel: Panel, is_touched: bool) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    number = restore(panel, backup, uuid)
    panel.queue.jobs.clear()
    safety = data.take(panel)
    with panel.work():
        row = leases.lock(Restoration, number)
        assert row
        leases.take(row)
        row.heartbeat_at = now() - datetime.timedelta(minutes=5)
        if is_touched:
            row.touched_at, row.safety_backup = now(), data.backup(safety)
    with panel.reading():
        recover(number)
    status, sentence = ended(panel, number)
    assert status == WorkStatus.FAILED and sentence.startswith(bringing_back.LOST)
    assert ("safety backup" in sentence) == is_touched
    assert sentence.endswith("Nothing was changed.") != is_touched


def test_it_waits_for_a_deployment_and_a_deployment_waits_for_it(panel: Panel) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    site.commit(panel, "v1")
    with panel.work():
        deployment = request_deployment(environment(), panel.store, user_of(ALICE))
        deployment.status = DeploymentStatus.RUNNING
        deployment_id = deployment.id
    number = restore(panel, backup, uuid)
    data.run_jobs(panel)
    assert ended(panel, number)[0] == WorkStatus.WAITING
    with panel.work():
        db.session.get_one(Deployment, deployment_id).status = DeploymentStatus.QUEUED
    seen = []

    def meanwhile(question: str) -> None:
        runner.run(deployment_id)
        seen.append(db.session.get_one(Deployment, deployment_id).status)

    data.interrupt(panel, meanwhile)
    panel.queue.jobs.clear()
    data.run(panel, "restore", number)
    assert ended(panel, number)[0] == WorkStatus.SUCCEEDED
    assert set(seen) == {DeploymentStatus.QUEUED}
    assert ("app.deployments.jobs.run", (deployment_id,)) in panel.queue.jobs


def test_somebody_who_may_not_asks_those_who_may(panel: Panel) -> None:
    data.fill(panel)
    backup = data.take(panel)
    with panel.work():
        part = data.backup(backup).parts[0]
        assert ask_for_restore(part, user_of(EVE), "I deleted a page.\nSorry.") == 3
    letters = data.letters(panel)
    assert [recipient.split("@")[0] for recipient, _, _ in letters] == ["alice", "adam", "dora"]
    assert "Eve asks for a restore of Test" in letters[0][1]
    assert "    I deleted a page.\n    Sorry." in letters[0][2]


def test_copying_from_one_instance_to_another(panel: Panel) -> None:
    source = data.fill(panel, "live")
    target = data.fill(panel, tables=OTHER)
    with panel.work():
        number = copy_data(data.instance(source), data.instance(target), user_of(DORA)).id
    data.run_jobs(panel)
    assert ended(panel, number) == (WorkStatus.SUCCEEDED, "")
    assert data.data_of(panel, target) == data.ROWS
    with panel.reading():
        row = restoration(number)
        assert row.part is None and row.source.startswith("demo/live, ")
        origins = db.session.scalars(db.select(Backup.origin)).all()
        assert origins == [BackupOrigin.SAFETY], "what was copied is not kept"
    assert len(data.stored(panel)) == 1


def test_a_copy_that_cannot_be_taken_or_takes_too_long(panel: Panel) -> None:
    source, target = data.fill(panel, "live"), data.fill(panel, tables=OTHER)
    data.backend_of(panel).failures["backup"] = "The server went away."
    numbers = []
    for limit in (60.0, 0.0):
        data.put_times(panel, copy=limit)
        with panel.work():
            row = copy_data(data.instance(source), data.instance(target), user_of(ALICE))
            numbers.append(row.id)
        data.run_jobs(panel)
        data.backend_of(panel).failures.clear()
    assert "went away" in ended(panel, numbers[0])[1]
    assert "longer than" in ended(panel, numbers[1])[1]
    assert data.data_of(panel, target) == OTHER
    assert data.stored(panel) == []


def test_an_environment_copied_from_another_has_its_data(panel: Panel) -> None:
    data.fill(panel)
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables=data.FILES, version="1")
    data.fill(panel, kind=ServiceKind.REDIS, version="1")
    with panel.work():
        wanted = NewEnvironment("Preview", "preview", source="test")
        made = add_environment(
            application(), wanted, user_of(DORA), panel.store, panel.settings
        ).slug
    for _ in range(2):  # what waited for the provisioning comes with the scheduler's next look
        data.run_jobs(panel)
        with panel.reading():
            waiting = db.session.scalars(
                db.select(Restoration.id).where(Restoration.status == WorkStatus.WAITING)
            ).all()
        panel.queue.jobs += [("app.backups.jobs.restore", (number,)) for number in waiting]
    with panel.reading():
        rows = db.session.scalars(
            db.select(ServiceInstance).where(ServiceInstance.environment_id == environment(made).id)
        ).all()
        found = {row.kind: data.backend_of(panel, row.kind).data.get(row.key) for row in rows}
        assert found == {
            ServiceKind.POSTGRESQL: data.ROWS,
            ServiceKind.OBJECT_STORAGE: data.FILES,
            ServiceKind.REDIS: None,
        }
        assert db.session.scalar(db.select(Backup.id)) is None
    assert data.stored(panel) == []


def test_a_worker_that_lost_its_lease_overwrites_nothing(panel: Panel) -> None:
    uuid = data.fill(panel)
    backup = data.take(panel)
    change(panel, uuid)
    number = restore(panel, backup, uuid)

    def meanwhile(question: str) -> None:
        with unit_of_work():
            row = restoration(number)
            row.heartbeat_at = now() - datetime.timedelta(minutes=5)
            row.lease_token = "another's"  # its own heartbeats say no more
        recover(number)

    data.interrupt(panel, meanwhile)
    data.run_jobs(panel)
    status, sentence = ended(panel, number)
    assert status == WorkStatus.FAILED and sentence.endswith("Nothing was changed.")
    assert data.data_of(panel, uuid) == OTHER
    assert taking.LOST not in sentence


def test_of_a_backup_that_failed_in_part_the_rest_can_be_restored(panel: Panel) -> None:
    database = data.fill(panel)
    data.fill(panel, kind=ServiceKind.OBJECT_STORAGE, tables=data.FILES, version="1")
    data.backend_of(panel, ServiceKind.OBJECT_STORAGE).failures["backup"] = "The server went away."
    uuid = data.take(panel)
    change(panel, database)
    with panel.work():
        backup = data.backup(uuid)
        assert backup.status == WorkStatus.FAILED
        rows = request_restorations(backup, environment(), user_of(ALICE))
        assert [row.instance.uuid for row in rows] == [database]
    data.backend_of(panel, ServiceKind.OBJECT_STORAGE).failures.clear()
    data.run_jobs(panel)
    assert data.data_of(panel, database) == data.ROWS
