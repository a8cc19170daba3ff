"""One run from its container's start to its end, in a thread of its own.

The container is started by the engine and belongs to nobody here: when this process is killed, it
runs on, and the next runner finds it by its name and goes on watching.
"""

from __future__ import annotations

import datetime
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from app.adapters.engine import ContainerState, Engine
from app.cron.container import RunFacts
from app.cron.models import RunStatus
from app.cron.output import RunLog
from app.cron.turns import Ending
from app.errors import PanelError, Unavailable
from app.extensions import now

LOOK_SECONDS = 0.5
"""How often a container is looked at whose output is not followed."""
SHORT_SECONDS = 0.02
"""Before the second look, twice that before the third: output ends just before its container."""
RETRY_SECONDS = 2.0
GONE = "Its container is gone: how it ended is not known."
NEVER_SEEN = (
    "Moonbase was interrupted when it began: whether it ran is not known. It was not repeated."
)
STOPPED_IN_TRASH = "It was stopped: its environment went to the trash."
KILLED = "It was killed: it used more memory than the plan allows."


@dataclass
class Watched:
    """A run that a thread of this process looks after. `stop_reason` says why it was stopped from
    here, if it was: `timeout` or `trash`."""

    run_id: int
    name: str
    deadline: float | None = None
    """`time.monotonic()` of its time limit; None before it has started."""
    stop_reason: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, started_at: datetime.datetime, seconds: float) -> None:
        """Its time runs, from the moment its container was started."""
        passed = max(0.0, (now() - started_at).total_seconds())
        self.deadline = time.monotonic() + seconds - passed

    def should_stop(self, reason: str) -> bool:
        """Note why it is stopped. False when somebody stops it already."""
        with self.lock:
            is_first, self.stop_reason = not self.stop_reason, self.stop_reason or reason
            return is_first


class Watch:
    """Follows one container to its end and judges it."""

    def __init__(self, engine: Engine, facts: RunFacts, watched: Watched, log: RunLog) -> None:
        self._engine, self._facts, self._watched, self._log = engine, facts, watched, log

    def follow(self) -> Ending:
        """Until it has ended. An engine that does not answer is waited for."""
        pause = SHORT_SECONDS
        while True:
            try:
                state = self._look()
                if state is None:
                    return Ending(RunStatus.UNKNOWN, self._why_gone())
                if not state.running:
                    self._log.finish(self._engine, self._facts.spec.name)
                    return self._judged(state)
            except Unavailable:
                time.sleep(RETRY_SECONDS)
            else:
                time.sleep(pause)
                pause = min(2 * pause, LOOK_SECONDS)

    def _look(self) -> ContainerState | None:
        name = self._facts.spec.name
        if not self._log.is_full:
            self._log.resume()
            for line in self._engine.follow_logs(name, self._log.newest_at):
                self._log.add(line)
                if self._log.is_full:
                    break
        return self._engine.inspect_container(name)

    def _why_gone(self) -> str:
        return STOPPED_IN_TRASH if self._watched.stop_reason == "trash" else GONE

    def _judged(self, state: ContainerState) -> Ending:
        status, sentence = self._verdict(state)
        return Ending(status, sentence, state.exit_code, state.started_at, state.ended_at)

    def _verdict(self, state: ContainerState) -> tuple[RunStatus, str]:
        if self._watched.stop_reason == "timeout":
            limit = duration_in_words(self._facts.timeout_seconds)
            return RunStatus.TIMED_OUT, f"It ran longer than {limit} and was stopped."
        if self._watched.stop_reason == "trash":
            return RunStatus.FAILED, STOPPED_IN_TRASH
        if state.exit_code == 0:
            return RunStatus.SUCCEEDED, ""
        if self._was_killed_for_memory(state):
            return RunStatus.FAILED, KILLED
        return RunStatus.FAILED, f"It ended with exit code {state.exit_code}."

    def _was_killed_for_memory(self, state: ContainerState) -> bool:
        if state.oom_killed:
            return True
        with suppress(PanelError):
            since = state.started_at or now()
            return self._engine.was_killed_for_memory(state.name, since)
        return False


def duration_in_words(seconds: int) -> str:
    """`600` is “10 minutes”, `90` is “90 seconds”."""
    number, unit = (seconds // 60, "minute") if seconds % 60 == 0 else (seconds, "second")
    return f"{number} {unit}{'' if number == 1 else 's'}"
