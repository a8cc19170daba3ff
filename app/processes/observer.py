"""Follows the containers of all sites: their output goes to the runtime logs, their deaths too."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.adapters.engine import (
    LABEL_ENVIRONMENT,
    LABEL_INSTALLATION,
    LABEL_ROLE,
    ContainerState,
    Engine,
    EngineEvent,
    LogLine,
)
from app.background import create_background_app
from app.deployments.labels import ROLE_WEB, ROLE_WORKER
from app.deployments.process_states import note_states
from app.deployments.runtime_writer import LINE_LENGTH, RuntimeWriter, masked_values_of
from app.errors import PanelError
from app.extensions import db
from app.installation import EXTENSION, Installation
from app.logs.masking import LineMasker
from app.logs.queries import log_store
from app.platform_status.jobs import report_engine
from app.platform_status.operations import REPORT_SECONDS, Reporter
from app.regions.queries import LOCAL
from app.routes.queries import load_feed

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
BATCH_SECONDS = 0.3
BATCH_LINES = 500
RETRY_SECONDS = 5.0
KILLED = "The kernel killed a process: it used more memory than the plan allows."


class Observer:
    """One thread a container, and one for events; new containers are noticed within a second."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        here: Installation = app.extensions[EXTENSION]
        self._engine: Engine = here.adapters.engine
        self._followed: dict[str, threading.Thread] = {}
        self._writers: dict[str, RuntimeWriter] = {}
        self._workers: dict[str, ContainerState] = {}
        self._exit_codes: dict[str, int] = {}
        self._lock = threading.Lock()
        self.looked_at = 0.0
        """`time.monotonic()` of the last look: without one, nothing is followed."""
        with app.app_context():
            self._labels = {LABEL_INSTALLATION: load_feed().epoch}
            db.session.remove()

    def look(self) -> None:
        """Follow what is not followed yet."""
        self._followed = {n: thread for n, thread in self._followed.items() if thread.is_alive()}
        workers = self._engine.list_containers({**self._labels, LABEL_ROLE: ROLE_WORKER})
        self._workers = {state.name: state for state in workers}
        web = self._engine.list_containers({**self._labels, LABEL_ROLE: ROLE_WEB})
        for state in [*web, *workers]:
            if state.running and state.id not in self._followed:
                thread = threading.Thread(target=self._follow, args=(state,), daemon=True)
                self._followed[state.id] = thread
                thread.start()
        self.looked_at = time.monotonic()

    def report(self, alive: Reporter, engine: Reporter) -> None:
        """Note that logs are collected, and that the engine answers: by itself, so that a locked
        database does not keep `look` from new containers."""
        with self._app.app_context():
            if time.monotonic() - self.looked_at < REPORT_SECONDS:
                alive()
            report_engine(engine, self._engine)
            if self.looked_at:
                note_states(self._workers, self._exit_codes)
            db.session.remove()

    def watch_events(self) -> None:
        """Write a line when the kernel kills a process for its memory, and keep with which code the
        others beside the web server ended, until the engine goes."""
        for event in self._engine.follow_events(self._labels, since=None):
            if event.action == "oom":
                self._note_kill(event)
            elif event.labels.get(LABEL_ROLE) == ROLE_WORKER:
                self._note_end(event)

    def _note_kill(self, event: EngineEvent) -> None:
        environment = event.labels.get(LABEL_ENVIRONMENT)
        if environment:
            self._writer(environment).note(event.container, KILLED)

    def _note_end(self, event: EngineEvent) -> None:
        if event.action == "die" and event.exit_code is not None:
            self._exit_codes[event.container] = event.exit_code
        elif event.action == "destroy":
            self._exit_codes.pop(event.container, None)

    def _follow(self, state: ContainerState) -> None:
        with self._app.app_context():
            secrets = masked_values_of(state.name)
            db.session.remove()
        if secrets is None:  # being undone or retired: `look` asks again while it is there
            return
        writer = self._writer(state.labels[LABEL_ENVIRONMENT])
        since = writer.last_line_at(state.name)
        batch = _Batch(writer, state.name, LineMasker(secrets, LINE_LENGTH))
        try:
            for line in self._engine.follow_logs(state.name, since):
                if since is None or line.at > since:
                    batch.add(line)
        except PanelError as error:
            logger.warning("%s is not followed any more: %s", state.name, error.sentence)
        finally:
            batch.close()

    def _writer(self, environment: str) -> RuntimeWriter:
        with self._lock:
            if environment not in self._writers:
                with self._app.app_context():
                    self._writers[environment] = RuntimeWriter(log_store().runtime(environment))
            return self._writers[environment]


class _Batch:
    """Collects lines for a moment, so that a noisy site costs few writes."""

    def __init__(
        self,
        writer: RuntimeWriter,
        container: str,
        masker: LineMasker,
        pause: float = RETRY_SECONDS,
    ) -> None:
        self._writer, self._container, self._masker = writer, container, masker
        self._pause_after_error = pause
        self._lines: list[LogLine] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._flush_regularly, daemon=True).start()

    def add(self, line: LogLine) -> None:
        with self._lock:
            self._lines.append(line)
            is_full = len(self._lines) >= BATCH_LINES
        if is_full:
            self._flush()

    def close(self) -> None:
        self._closed.set()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            self._writer.write(self._container, self._lines, self._masker)
            self._lines = []

    def _flush_regularly(self) -> None:
        """Until the end, also over a full disk: a quiet site has nobody else who would write."""
        pause = BATCH_SECONDS
        while not self._closed.wait(pause):
            try:
                self._flush()
                pause = BATCH_SECONDS
            except OSError as error:
                pause = self._pause_after_error
                logger.warning("the log of %s cannot be written: %s", self._container, error)


def main() -> None:
    """Observe until SIGTERM; an engine that goes away is waited for."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    observer = Observer(create_background_app())
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threading.Thread(target=_watch_for_ever, args=(observer, stop), daemon=True).start()
    threading.Thread(target=_report_for_ever, args=(observer, stop), daemon=True).start()
    while not stop.wait(LOOK_SECONDS):
        try:
            observer.look()
        except PanelError as error:
            logger.warning("%s", error.sentence)


def _watch_for_ever(observer: Observer, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            observer.watch_events()
        except PanelError as error:
            logger.warning("%s", error.sentence)
        except Exception:
            # The edge of this thread: nobody would notice that it has ended.
            logger.exception("events are not watched for a moment")
        time.sleep(LOOK_SECONDS)


def _report_for_ever(observer: Observer, stop: threading.Event) -> None:
    alive, engine = Reporter("observer"), Reporter("engine", LOCAL)
    while not stop.wait(LOOK_SECONDS):
        try:
            observer.report(alive, engine)
        except (PanelError, SQLAlchemyError) as error:
            logger.warning("not reported for a moment: %s", error)
            stop.wait(REPORT_SECONDS)


if __name__ == "__main__":
    main()
