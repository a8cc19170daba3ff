"""A process beside the web server on a real engine: its log, its death, its successor."""

from __future__ import annotations

import contextlib
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
from app.deployments.models import WorkerContainer
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


def worker(engine: DockerEngine, environment_uuid: str) -> ContainerState:
    (state,) = engine.list_containers({LABEL_ENVIRONMENT: environment_uuid, LABEL_ROLE: "worker"})
    return state


def test_a_worker_prints_dies_comes_back_and_is_replaced(real: tuple[Panel, DockerEngine]) -> None:
    panel, engine = real
    with panel.work():
        add_process(application(), Wish("queue", shlex.join(["sh", "-c", SCRIPT])), user_of(ALICE))
        number, uuid = environment().id, environment().uuid
    site.commit(panel, "FROM base:1\nEXPOSE 80\n")
    observer = Observer(panel.app)
    events: list[EngineEvent] = []
    threading.Thread(target=_collect, args=(engine, events), daemon=True).start()
    threading.Thread(target=observer.watch_events, daemon=True).start()
    row = site.deploy(panel)
    assert (row.status, row.warning) == ("succeeded", ""), site.log_of(panel, row)
    first = worker(engine, uuid)
    assert first.running and first.address and first.labels[LABEL_PROCESS] == "queue"

    def log() -> str:
        observer.look()
        with panel.reading():
            return log_store().runtime(uuid).read_all()

    until(lambda: "queue-1 | works" in log())

    # Killed inside: the engine starts it again by itself, and the panel says so.
    with contextlib.suppress(Unavailable):  # the command dies of it as well
        engine.execute(first.name, ("sh", "-c", "kill -9 $(cat /tmp/pid)"), {}, 5)
    until(lambda: worker(engine, uuid).restart_count == 1 and worker(engine, uuid).running)
    until(lambda: log().count("queue-1 | born") == 2)
    observer.report(Reporter("observer"), Reporter("engine", LOCAL))
    with panel.reading():
        noted = db.session.scalars(db.select(WorkerContainer).filter_by(name=first.name)).one()
        assert (noted.is_running, noted.restarts, noted.exit_code) == (True, 1, 137)

    # Stopped from outside, it is the reconciler that brings it back.
    engine.stop_container(first.name, 5)
    with panel.reading():
        assert reconcile(installation()).started == (first.name,)

    # Replaced by a deployment: the old one has ended before the new one begins.
    site.commit(panel, "FROM base:1\nEXPOSE 80\n")
    assert site.deploy(panel).status == "succeeded"
    second = worker(engine, uuid)
    assert second.running and second.name != first.name
    until(lambda: any(e.container == second.name and e.action == "start" for e in events))
    died = max(e.at for e in events if e.container == first.name and e.action == "die")
    begun = min(e.at for e in events if e.container == second.name and e.action == "start")
    assert died < begun
    until(lambda: "queue-1 | asked to end" in log())

    # A program that is not in the image fails the next one before visitors notice anything.
    with panel.work():
        add_process(application(), Wish("clock", "no-such-program --beat"), user_of(ALICE))
    site.commit(panel, "FROM base:1\nEXPOSE 80\n")
    failed = site.deploy(panel)
    assert failed.status == "failed" and "“no-such-program” is not in the image" in failed.sentence
    assert worker(engine, uuid).id == second.id
    assert not engine.list_containers({LABEL_ENVIRONMENT: uuid, LABEL_ROLE: "command"})

    # In the trash it is asked to end.
    with panel.work():
        environment().trashed_at = now()
        assert number
    with panel.reading():
        reconcile(installation())
    assert not engine.list_containers({LABEL_ENVIRONMENT: uuid, LABEL_ROLE: "worker"})


def _collect(engine: DockerEngine, events: list[EngineEvent]) -> None:
    for event in engine.follow_events({LABEL_ROLE: "worker"}, since=None):
        events.append(event)
