"""What a fault may leave behind, looked for everywhere it could lie."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import docker
from sqlalchemy import select

from app.deployments.models import Build, Container, CurrentRelease, Deployment, DeploymentStatus
from app.environments.models import Environment
from app.extensions import db
from tests.flows.processes import wait_for
from tests.flows.running_panel import RunningPanel

BUILD_CGROUPS = "*/moonbase-build-*"


@dataclass(frozen=True)
class Known:
    """What rows say should be there: names of running containers and networks, image tags."""

    containers: frozenset[str]
    networks: frozenset[str]
    tags: frozenset[str]
    running: frozenset[str]
    """Deployments that have not ended."""


@dataclass(frozen=True)
class Snapshot:
    """What was in the engine, and which build cgroups there were, before a fault."""

    containers: frozenset[str]
    networks: frozenset[str]
    images: frozenset[str]
    cgroups: frozenset[str]


def take_snapshot(panel: RunningPanel) -> Snapshot:
    """Ids of everything in the engine now, whoever made it."""
    client = docker.APIClient(base_url=panel.settings.docker_url, version="1.41", timeout=60)
    try:
        return Snapshot(
            frozenset(item["Id"] for item in client.containers(all=True)),
            frozenset(item["Id"] for item in client.networks()),
            frozenset(item["Id"] for item in client.images(filters={"dangling": True})),
            frozenset(_empty_build_cgroups()),
        )
    finally:
        client.close()


def load_known(panel: RunningPanel) -> Known:
    """The rows of the installation."""
    with panel.app.app_context():
        served = select(Container.name).join(
            CurrentRelease, CurrentRelease.deployment_id == Container.deployment_id
        )
        environments = db.session.scalars(select(Environment.uuid))
        known = Known(
            frozenset(db.session.scalars(served)),
            frozenset(
                {f"moonbase-{uuid}" for uuid in environments}
                | {f"moonbase-build-{panel.installation_id()[:8]}"}
            ),
            frozenset(db.session.scalars(select(Build.tag).where(Build.removed_at.is_(None)))),
            frozenset(
                db.session.scalars(
                    select(Deployment.uuid).where(Deployment.status == DeploymentStatus.RUNNING)
                )
            ),
        )
        rows = set(db.session.scalars(select(Container.name)))
        db.session.remove()
    assert rows == known.containers, f"rows of containers nobody runs: {rows - known.containers}"
    return known


def find_leftovers(panel: RunningPanel, before: Snapshot, has_built: bool) -> list[str]:
    """Everything that no row wants, and everything that rows want and is not there.

    `has_built` says that a build came after the fault: it sweeps the cgroups of killed builds, and
    what an engine made of them after everybody had gone.
    """
    known = load_known(panel)
    return [
        *(f"deployment {uuid} still runs" for uuid in known.running),
        *_in_engine(panel, before, known),
        *(f"untagged image {image}" for image in _new_untagged(panel, before) if has_built),
        *(f"file {path}" for path in _half_written(panel.settings.data_dir / "tmp")),
        *(f"lock {path}" for path in (panel.settings.data_dir / "repositories").rglob("*.lock")),
        *(f"cgroup {path}" for path in _new_cgroups(before) if has_built),
        *_database_lock(panel),
    ]


def require_no_leftovers(
    panel: RunningPanel, before: Snapshot, seconds: float = 8, has_built: bool = False
) -> float:
    """Wait until nothing is left over; fails naming what is. Returns the seconds it took."""
    found: list[str] = []

    def is_tidy() -> bool:
        try:
            found[:] = find_leftovers(panel, before, has_built)
        except AssertionError as error:
            found[:] = [str(error)]
        return not found

    try:
        return wait_for(is_tidy, seconds)
    except AssertionError:
        raise AssertionError("left behind:\n" + "\n".join(found)) from None


def _in_engine(panel: RunningPanel, before: Snapshot, known: Known) -> list[str]:
    client = docker.APIClient(base_url=panel.settings.docker_url, version="1.41", timeout=60)
    try:
        present = {item["Names"][0].removeprefix("/"): item for item in client.containers(all=True)}
        found = [
            f"container {name} ({item['Image']}, {item['State']}, {item['Command']})"
            for name, item in present.items()
            if item["Id"] not in before.containers and name not in known.containers
        ]
        found += [
            f"container {name} is wanted and does not run"
            for name in known.containers
            if name not in present or present[name]["State"] != "running"
        ]
        found += [
            f"network {item['Name']}"
            for item in client.networks()
            if item["Id"] not in before.networks and item["Name"] not in known.networks
        ]
        label = f"moonbase.installation={_installation(panel)}"
        tagged = client.images(filters={"label": label})
        tags = {tag for item in tagged for tag in item["RepoTags"] or () if tag != "<none>:<none>"}
        found += [f"image {tag} without a row" for tag in tags - known.tags]
        found += [f"image {tag} of a row is gone" for tag in known.tags - tags]
    finally:
        client.close()
    return found


def _new_untagged(panel: RunningPanel, before: Snapshot) -> set[str]:
    client = docker.APIClient(base_url=panel.settings.docker_url, version="1.41", timeout=60)
    try:
        return {item["Id"] for item in client.images(filters={"dangling": True})} - before.images
    finally:
        client.close()


def _installation(panel: RunningPanel) -> str:
    with panel.app.app_context():
        found = panel.installation_id()
        db.session.remove()
    return found


def _empty_build_cgroups() -> list[str]:
    """Groups of builds whose maker is dead. Other runs on this machine have living ones."""
    found = []
    for group in Path("/sys/fs/cgroup").glob(BUILD_CGROUPS):
        try:
            pids = [p for file in group.rglob("cgroup.procs") for p in file.read_text().split()]
        except OSError:
            continue
        maker = group.name.split("-")[2]
        if not pids and not Path(f"/proc/{maker}").exists():
            found.append(str(group))
    return found


def _half_written(folder: Path) -> list[Path]:
    """Contexts of builds, and notes of what builds have made that nobody has swept up after."""
    return [*folder.glob("context-*"), *(path for path in folder.glob("build-*") if _waits(path))]


def _waits(journal: Path) -> bool:
    """Whether nobody has swept by it yet. It may be written anew, or go, at this moment."""
    try:
        return "swept" not in journal.read_text()
    except FileNotFoundError:
        return False


def _new_cgroups(before: Snapshot) -> set[str]:
    """Empty when tests run side by side: a dead maker does not tell whose it was, and those that
    run beside this one kill builds too."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return set()
    return set(_empty_build_cgroups()) - before.cgroups


def _database_lock(panel: RunningPanel) -> list[str]:
    path = panel.settings.database_url.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, timeout=2, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return [f"database: {error}"]
    finally:
        connection.close()
    return []
