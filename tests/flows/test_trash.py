"""The trash with every process real: a site goes, comes back without a build, and is deleted for
good, also by workers that are killed on the way."""

from __future__ import annotations

import datetime
import sqlite3
import urllib.error
import urllib.request

import pytest
from sqlalchemy import select

from app.accounts.queries import find_user
from app.applications.models import Application
from app.applications.queries import find_application
from app.deployments.models import Build, DeploymentStatus
from app.environments.queries import find_environment
from app.extensions import db, now
from app.installation import installation
from app.lifecycle import trash
from app.lifecycle.deletion import STAGES
from app.lifecycle.environments import NewEnvironment, add_environment
from app.lifecycle.models import TrashEntry
from app.transactions import unit_of_work
from tests.contracts.git_client import GitClient, GitFailed
from tests.flows.deaths import plan_death
from tests.flows.processes import wait_for
from tests.flows.running_panel import OWNER, RunningPanel
from tests.lifecycle.traces import Trace


def act(panel: RunningPanel, slug: str, what: str) -> str:
    """`trash`, `restore` or `delete` an application; returns the entry's uuid."""
    with panel.app.app_context(), unit_of_work():
        owner = find_user(OWNER)
        row = db.session.scalars(select(Application).where(Application.slug == slug)).one()
        assert owner
        if what == "trash":
            return trash.trash_application(row, owner).uuid
        entry = db.session.scalars(
            select(TrashEntry).where(TrashEntry.application_id == row.id)
        ).one()
        uuid = entry.uuid
        if what == "restore":
            trash.restore_application(entry, owner, installation().adapters.repositories)
        else:
            trash.begin_deletion(entry, owner)
        return uuid


def ask(panel: RunningPanel, host: str) -> tuple[int, str]:
    """One request through the ingress by host name, which needs no rows."""
    address = f"http://127.0.0.1:{panel.settings.sites_port}/"
    request = urllib.request.Request(address, headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def deployed_site(panel: RunningPanel, slug: str, text: str) -> str:
    """A site whose Live answers `text`; returns its host."""
    panel.create_application(slug)
    panel.push_page(slug, text)
    done = panel.deploy(slug)
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
    assert panel.get(slug).body == text
    return panel.host(slug)


def trace_of(panel: RunningPanel, slug: str) -> Trace:
    with panel.app.app_context():
        row = find_application(slug)
        assert row
        trace = Trace(row)
        db.session.remove()
        return trace


def traces_left(panel: RunningPanel, trace: Trace) -> list[str]:
    """Everything that is left of it, wherever."""
    engine = panel.app.extensions["moonbase"].adapters.engine
    with panel.app.app_context():
        rows = trace.rows()
        found = trace.in_engine(engine, panel.installation_id())
        db.session.remove()
    return [*rows, *found, *trace.files(panel.settings.data_dir)]


def containers_of(panel: RunningPanel, trace: Trace) -> list[str]:
    engine = panel.app.extensions["moonbase"].adapters.engine
    with panel.app.app_context():
        labels = {"moonbase.installation": panel.installation_id()}
        db.session.remove()
    states = engine.list_containers(labels)
    return [state.name for state in states if trace.uuids & set(state.labels.values())]


def builds(panel: RunningPanel) -> set[int]:
    with panel.app.app_context():
        found = set(db.session.scalars(select(Build.id)))
        db.session.remove()
        return found


def test_a_site_goes_comes_back_and_is_deleted_for_good(panel: RunningPanel) -> None:
    host = deployed_site(panel, "farewell", "as it was")
    bystander = deployed_site(panel, "bystander", "untouched")
    trace = trace_of(panel, "farewell")
    images, running = builds(panel), containers_of(panel, trace)
    assert running

    act(panel, "farewell", "trash")
    wait_for(lambda: ask(panel, host)[0] != 200, 10, "it answers although it is in the trash")
    assert "as it was" not in ask(panel, host)[1]
    wait_for(lambda: containers_of(panel, trace) == [], 15, "its containers run on")
    stranger = panel.folder / "stranger"
    client = GitClient(stranger, key=panel.ssh_key(), port=panel.settings.ssh_port)
    with pytest.raises(GitFailed, match="no repository"):
        client.run("ls-remote", panel.ssh_url("farewell"))
    wait_for(lambda: measured(panel), 15, "nobody has measured it")

    act(panel, "farewell", "restore")
    wait_for(lambda: ask(panel, host) == (200, "as it was"), 20, "it did not come back")
    assert containers_of(panel, trace) == running
    assert builds(panel) == images

    act(panel, "farewell", "trash")
    wait_for(lambda: ask(panel, host)[0] != 200, 10)
    act(panel, "farewell", "delete")
    wait_for(lambda: traces_left(panel, trace) == [], 30, "something is left")
    wait_for(lambda: ask(panel, host)[0] == 404, 10, "its host is still known")
    assert ask(panel, bystander) == (200, "untouched")


def measured(panel: RunningPanel) -> bool:
    with panel.app.app_context():
        entry = db.session.scalars(select(TrashEntry)).first()
        is_measured = entry is not None and entry.measured_at is not None
        is_plausible = entry is not None and entry.image_bytes > 0 and entry.repository_bytes > 0
        db.session.remove()
        return is_measured and is_plausible


def test_one_environment_goes_after_its_week(panel: RunningPanel) -> None:
    host = deployed_site(panel, "quarantine", "live stays")
    with panel.app.app_context(), unit_of_work():
        row, owner = find_application("quarantine"), find_user(OWNER)
        assert row and owner
        store = installation().adapters.repositories
        add_environment(row, NewEnvironment("QA", "qa"), owner, store, panel.settings)
    done = panel.deploy("quarantine", "qa")
    assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
    qa = panel.host("quarantine", "qa")
    assert ask(panel, qa) == (200, "live stays")
    with panel.app.app_context(), unit_of_work():
        row, owner = find_application("quarantine"), find_user(OWNER)
        assert row and owner
        there = find_environment(row.id, "qa")
        assert there
        trace = Trace(row, there)
        trash.trash_environment(there, owner)
        there.trashed_at = now() - datetime.timedelta(days=7, seconds=1)
    wait_for(lambda: traces_left(panel, trace) == [], 30, "something is left after its week")
    wait_for(lambda: ask(panel, qa)[0] == 404, 10, "its host is still known")
    assert ask(panel, host) == (200, "live stays")


def test_workers_killed_at_each_stage_of_a_deletion(fault_panel: RunningPanel) -> None:
    """kill -9: the scheduler has another worker go on, and the next one dies at the stage after."""
    panel, slug = fault_panel, "doomed"
    deployed_site(panel, slug, "short life")
    trace = trace_of(panel, slug)
    act(panel, slug, "trash")
    plans = [plan_death(panel.folder / "deaths", f"deletion-{n}") for n in range(len(STAGES))]
    act(panel, slug, "delete")
    for plan in plans:
        wait_for(lambda plan=plan: not plan.exists(), 60, f"no worker came to {plan.name}")
    wait_for(lambda: traces_left(panel, trace) == [], 30, "nobody has finished it")
    path = panel.settings.database_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, timeout=2, isolation_level=None)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
