"""A process beside the web server on a real engine: its log, its death, its successor."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    LABEL_PROCESS,
    LABEL_ROLE,
    ContainerState,
    EngineEvent,
    ImageState,
)
from app.adapters.engine.docker import DockerEngine
from app.adapters.image_builder import BuildRequest
from app.config import Times
from app.deployments.models import Deployment, WorkerContainer
from app.deployments.reconcile import reconcile
from app.errors import Unavailable
from app.extensions import db, now
from app.installation import EXTENSION, Installation, installation
from app.logs.queries import log_store
from app.platform_status.operations import Reporter
from app.processes.observer import Observer
from app.regions.queries import LOCAL, find_region
from app.routes.queries import load_feed
from app.workers.operations import Wish, add_process
from tests.deployments import site
from tests.engine.private_engine import PrivateEngine
from tests.panel import ALICE, Panel, application, environment, user_of

SCRIPT = (
    "echo $$ > /tmp/pid; trap 'echo asked to end; exit 0' TERM; echo born; "
    "while :; do echo works; sleep 0.3 & wait $!; done"
)
TIMES = Times(lease=30, heartbeat=5, drain=0, stop_grace=5, process_watch=0.5, connect_total=20)


@dataclass
class ReadyImage:
    """A builder that has built everything already."""

    engine: DockerEngine
    image: str

    def build(
        self,
        request: BuildRequest,
        context: BinaryIO,
        on_line: Callable[[str], None],
        cancelled: threading.Event,
    ) -> ImageState:
        found = self.engine.inspect_image(self.image)
        assert found
        return found

    def sweep(self, journal: Path) -> None:
        """Nothing is ever cut off."""


@pytest.fixture
def real(
    panel: Panel, private_engine: PrivateEngine, static_base_image: str
) -> Iterator[tuple[Panel, DockerEngine]]:
    """A panel whose sites run on the private engine, in a corner of its pool."""
    engine = DockerEngine(private_engine.socket)
    adapters = replace(
        panel.adapters, engine=engine, image_builder=ReadyImage(engine, static_base_image)
    )
    settings = replace(panel.settings, times=TIMES)
    panel.app.extensions[EXTENSION] = Installation(settings, adapters)
    with panel.work():
        region = find_region(LOCAL)
        assert region
        corner = list(ipaddress.ip_network(private_engine.pool).subnets(new_prefix=20))[-3]
        region.network_pool = str(corner)
        epoch = load_feed().epoch
    yield panel, engine
    for state in engine.list_containers({LABEL_INSTALLATION: epoch}):
        engine.remove_container(state.name)
    for network in engine.list_networks({LABEL_INSTALLATION: epoch}):
        engine.remove_network(network)


def until(is_so: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


@dataclass
class Story:
    """A site with one process on a real engine, and what is seen of it."""

    panel: Panel
    engine: DockerEngine
    uuid: str
    observer: Observer
    events: list[EngineEvent]

    def containers(self, role: str) -> list[ContainerState]:
        return self.engine.list_containers({LABEL_ENVIRONMENT: self.uuid, LABEL_ROLE: role})

    def worker(self) -> ContainerState:
        (state,) = self.containers("worker")
        return state

    def deploy(self) -> Deployment:
        site.commit(self.panel, "FROM base:1\nEXPOSE 80\n")
        return site.deploy(self.panel)

    def log(self) -> str:
        self.observer.look()
        with self.panel.reading():
            return log_store().runtime(self.uuid).read_all()

    def happened(self, container: str, action: str) -> list[datetime.datetime]:
        return [e.at for e in self.events if (e.container, e.action) == (container, action)]


def test_a_worker_prints_dies_comes_back_and_is_replaced(real: tuple[Panel, DockerEngine]) -> None:
    panel, engine = real
    with panel.work():
        add_process(application(), Wish("queue", shlex.join(["sh", "-c", SCRIPT])), user_of(ALICE))
        uuid = environment().uuid
    story = Story(panel, engine, uuid, Observer(panel.app), [])
    threading.Thread(target=_collect, args=(engine, story.events), daemon=True).start()
    threading.Thread(target=story.observer.watch_events, daemon=True).start()
    row = story.deploy()
    assert (row.status, row.warning) == ("succeeded", ""), site.log_of(panel, row)
    first = story.worker()
    assert first.running and first.address and first.labels[LABEL_PROCESS] == "queue"
    until(lambda: "queue-1 | works" in story.log())
    dies_and_comes_back(story, first)
    is_replaced(story, first)
    with panel.work():
        environment().trashed_at = now()
    with panel.reading():
        reconcile(installation())
    assert not story.containers("worker")


def dies_and_comes_back(story: Story, first: ContainerState) -> None:
    """Killed inside, the engine starts it again by itself, and the panel says so. Stopped from
    outside, it is the reconciler that brings it back."""
    with contextlib.suppress(Unavailable):  # the command dies of it as well
        story.engine.execute(first.name, ("sh", "-c", "kill -9 $(cat /tmp/pid)"), {}, 5)
    until(lambda: story.worker().restart_count == 1 and story.worker().running)
    until(lambda: story.log().count("queue-1 | born") == 2)
    story.observer.report(Reporter("observer"), Reporter("engine", LOCAL))
    with story.panel.reading():
        noted = db.session.scalars(db.select(WorkerContainer).filter_by(name=first.name)).one()
        assert (noted.is_running, noted.restarts, noted.exit_code) == (True, 1, 137)
    story.engine.stop_container(first.name, 5)
    with story.panel.reading():
        assert reconcile(installation()).started == (first.name,)


def is_replaced(story: Story, first: ContainerState) -> None:
    """By a deployment: the old one has ended before the new one begins. A program that is not in
    the image fails the next one before visitors notice anything."""
    assert story.deploy().status == "succeeded"
    second = story.worker()
    assert second.running and second.name != first.name
    until(lambda: story.happened(second.name, "start"))
    assert max(story.happened(first.name, "die")) < min(story.happened(second.name, "start"))
    until(lambda: "queue-1 | asked to end" in story.log())
    with story.panel.work():
        add_process(application(), Wish("clock", "no-such-program --beat"), user_of(ALICE))
    failed = story.deploy()
    assert failed.status == "failed" and "“no-such-program” is not in the image" in failed.sentence
    assert story.worker().id == second.id
    assert not story.containers("command")


def _collect(engine: DockerEngine, events: list[EngineEvent]) -> None:
    for event in engine.follow_events({LABEL_ROLE: "worker"}, since=None):
        events.append(event)
