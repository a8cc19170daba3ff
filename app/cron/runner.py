"""Runs what waits: takes rows, has the engine start their containers, watches them to their end.

One runner an engine. Rows are the only queue there is: nothing is lost with a process or with
Redis, and what is due says so by itself.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from flask import Flask

from app.adapters.engine import LABEL_INSTALLATION, LABEL_ROLE, Engine
from app.cron import turns
from app.cron.container import NAME_PREFIX, RunFacts, load_facts, name_of
from app.cron.models import RunStatus
from app.cron.output import RunLog
from app.cron.turns import Ending, Stray
from app.cron.watching import NEVER_SEEN, Watch, Watched
from app.deployments.labels import ROLE_CRON
from app.errors import PanelError, Unavailable
from app.extensions import db, now
from app.installation import EXTENSION, Installation
from app.logs.queries import log_store
from app.routes.queries import load_feed

logger = logging.getLogger(__name__)

STARTS_AT_ONCE = 8
"""Containers that are being started at a time: deployments want their turn at the engine."""
PAUSE_SECONDS = 3.0
"""Nothing is begun for so long when the engine does not answer."""
ADOPT_SECONDS = 1.0


class Runner:
    """`look` is one round; everything that takes long happens in threads. `news` is set when a
    run has ended and its place is free."""

    def __init__(self, app: Flask, places: int | None = None) -> None:
        here: Installation = app.extensions[EXTENSION]
        self._app, self._times = app, here.settings.times
        self._engine: Engine = here.adapters.engine
        self._places = places or here.settings.cron_runs_at_once
        self.token = str(uuid.uuid4())
        self.news = threading.Event()
        self._watched: dict[int, Watched] = {}
        self._starting = threading.BoundedSemaphore(STARTS_AT_ONCE)
        self._writing = threading.Lock()
        self._paused_until = self._adopted_at = self._beaten_at = float("-inf")

    @property
    def count(self) -> int:
        """How many runs are looked after."""
        return len(self._watched)

    def look(self) -> None:
        """One round: adopt what a dead runner left, begin what waits, stop what is overdue."""
        moment = time.monotonic()
        if moment - self._adopted_at >= ADOPT_SECONDS:
            self._adopted_at = moment
            self._adopt()
        room = self._places - len(self._watched)
        if room > 0 and moment >= self._paused_until:
            with self._writing:
                taken = turns.claim(self.token, room)
            for run_id in taken:
                self._watch(run_id, is_adopted=False)
        self._stop_overdue()
        if self._watched and moment - self._beaten_at >= self._times.heartbeat:
            self._beaten_at = moment
            self._beat()

    # What a dead runner left ----------------------------------------------------------------

    def _adopt(self) -> None:
        strays = turns.list_strays(list(self._watched))
        db.session.rollback()
        for stray in strays:
            with suppress(Unavailable):  # the next round asks again
                self._adopt_one(stray)

    def _adopt_one(self, stray: Stray) -> None:
        """One whose container has begun is watched on. Of the others nothing is known, for a
        start may still be on its way: that is waited for, and no longer."""
        is_own = stray.token == self.token
        is_old = stray.heartbeat_at is None or self._age(stray.heartbeat_at) > self._times.lease
        if is_own and not is_old:
            return
        state = self._engine.inspect_container(name_of(stray.uuid))
        has_begun = state is not None and state.started_at is not None
        if not has_begun and not is_old:
            return
        with self._writing:
            is_mine = turns.take_over(stray, self.token)
        if is_mine and has_begun:
            self._watch(stray.id, is_adopted=True)
        elif is_mine:
            self._engine.remove_container(name_of(stray.uuid))
            self._note_ended(stray.id, Ending(RunStatus.UNKNOWN, NEVER_SEEN))

    @staticmethod
    def _age(moment: datetime.datetime) -> float:
        return (now() - moment).total_seconds()

    # A run ----------------------------------------------------------------------------------

    def _watch(self, run_id: int, is_adopted: bool) -> None:
        watched = self._watched[run_id] = Watched(run_id, "")
        arguments = (watched, is_adopted)
        threading.Thread(target=self._live, args=arguments, daemon=True).start()

    def _live(self, watched: Watched, is_adopted: bool) -> None:
        """The edge of a run's thread: whatever breaks here, the row says that it is watched no
        more, and a later round looks at its container."""
        try:
            with self._app.app_context():
                self._run(watched, is_adopted)
        except Exception:
            logger.exception("run %s is not watched for a moment", watched.run_id)
        finally:
            # Put back, it may have been taken again meanwhile: that one is another thread's.
            if self._watched.get(watched.run_id) is watched:
                del self._watched[watched.run_id]
            self.news.set()

    def _run(self, watched: Watched, is_adopted: bool) -> None:
        try:
            facts = load_facts(watched.run_id)
        except PanelError as error:
            self._fail(watched.run_id, error.sentence, is_adopted)
            return
        finally:
            db.session.remove()
        if facts is None:
            return
        watched.name = facts.spec.name
        log = RunLog(log_store().cron_run(facts.environment_uuid, facts.uuid), facts.masked_values)
        if is_adopted:
            log.begin_anew()
        if not self._begin(facts, watched, is_adopted):
            return
        ending = Watch(self._engine, facts, watched, log).follow()
        self._note_ended(facts.id, ending)
        with suppress(PanelError):  # the sweep takes it
            self._engine.remove_container(facts.spec.name)

    def _begin(self, facts: RunFacts, watched: Watched, is_adopted: bool) -> bool:
        """Have the container started, or find it. False when there is nothing to follow."""
        try:
            started_at, is_running = self._find(facts) if is_adopted else self._start(facts)
        except PanelError as error:
            if not isinstance(error, Unavailable):
                self._fail(facts.id, error.sentence, is_adopted)
            return False
        if is_running:  # one that ended while nobody watched is not late
            watched.begin(started_at, facts.timeout_seconds)
        self._write(lambda: turns.note_started(facts.id, self.token, started_at))
        return True

    def _start(self, facts: RunFacts) -> tuple[datetime.datetime, bool]:
        """Since when it runs."""
        with self._starting:
            try:
                self._engine.ensure_network(facts.network)
            except Unavailable:
                # Nothing was asked for yet: it waits for its turn again.
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                self._write(lambda: turns.put_back(facts.id, self.token))
                raise
            try:
                return self._engine.start_container(facts.spec).started_at or now(), True
            except Unavailable as error:
                said = error.sentence
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                self._write(lambda: turns.let_go(facts.id, self.token, said))
                raise

    def _find(self, facts: RunFacts) -> tuple[datetime.datetime, bool]:
        """Since when it runs, and whether it still does."""
        state = self._engine.inspect_container(facts.spec.name)
        started_at = state.started_at if state else None
        return started_at or now(), state is not None and state.running

    def _fail(self, run_id: int, sentence: str, is_adopted: bool) -> None:
        """Of one that could not be begun, or whose output nobody may read."""
        status = RunStatus.UNKNOWN if is_adopted else RunStatus.FAILED
        self._note_ended(run_id, Ending(status, sentence))

    def _note_ended(self, run_id: int, ending: Ending) -> None:
        self._write(lambda: turns.note_ended(run_id, self.token, ending))

    def _write(self, act: Callable[[], object]) -> None:
        """One of our threads at a time: SQLite lets nobody else write meanwhile, and waits for
        its lock are long ones."""
        with self._writing:
            try:
                act()
            finally:
                db.session.remove()

    # Stopping -------------------------------------------------------------------------------

    def _stop_overdue(self) -> None:
        moment = time.monotonic()
        for watched in list(self._watched.values()):
            if watched.deadline is not None and moment >= watched.deadline:
                self._stop(watched, "timeout")

    def _beat(self) -> None:
        with self._writing:
            trashed = turns.beat(self.token, list(self._watched))
        for run_id in trashed:
            watched = self._watched.get(run_id)
            if watched and watched.deadline is not None:
                self._stop(watched, "trash")

    def _stop(self, watched: Watched, reason: str) -> None:
        if watched.should_stop(reason):
            threading.Thread(target=self._end, args=(watched.name,), daemon=True).start()

    def _end(self, name: str) -> None:
        """Politely, then not. An engine that is away takes what it ran along, or is asked again."""
        grace = int(self._times.stop_grace)
        while True:
            try:
                self._engine.stop_container(name, grace)
                return
            except PanelError as error:
                logger.warning("%s could not be stopped yet: %s", name, error.sentence)
                time.sleep(PAUSE_SECONDS)

    # Leftovers ------------------------------------------------------------------------------

    def sweep(self) -> list[str]:
        """Remove containers of runs that are not running any more. Returns their names."""
        labels = {LABEL_INSTALLATION: load_feed().epoch, LABEL_ROLE: ROLE_CRON}
        db.session.rollback()
        found = [state.name for state in self._engine.list_containers(labels)]
        # After the containers: a row comes before its container.
        running = {name_of(stray.uuid) for stray in turns.list_strays(())}
        db.session.rollback()
        surplus = [name for name in found if name not in running]
        for name in surplus:
            if name.startswith(NAME_PREFIX):
                self._engine.remove_container(name)
        return surplus
