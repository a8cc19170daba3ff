"""How processes beside the web server are: what the observer sees of them, what pages say."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.adapters.engine import ContainerState
from app.deployments.models import CurrentRelease, WorkerContainer
from app.extensions import db, now
from app.runtime.processes import Process, read_processes
from app.transactions import unit_of_work

MANY_RESTARTS = 3
RECENTLY = datetime.timedelta(minutes=10)


@dataclass(frozen=True)
class ProcessState:
    """One process of an environment's current release, all its containers together."""

    process: Process
    running: int
    restarts: int
    exit_code: int | None
    """Of the last end of any of them."""
    ended_at: datetime.datetime | None
    is_restart_asked: bool

    @property
    def is_troubled(self) -> bool:
        """Whether it keeps ending: some of it does not run, or it ended again and again lately."""
        if self.ended_at is None or self.is_restart_asked:
            return False
        is_recent = now() - self.ended_at < RECENTLY
        return self.running < self.process.count or (self.restarts >= MANY_RESTARTS and is_recent)


def process_states(
    current: Mapping[int, CurrentRelease],
) -> Mapping[int, Sequence[ProcessState]]:
    """The processes of current releases by name, by environment like these: one query, or none
    where no release has any."""
    having = {row.deployment_id for row in current.values() if row.release.processes}
    if not having:
        return dict.fromkeys(current, ())
    rows = db.session.scalars(
        select(WorkerContainer)
        .where(WorkerContainer.deployment_id.in_(having))
        .order_by(WorkerContainer.id)
    )
    by_process: dict[tuple[int, str], list[WorkerContainer]] = {}
    for row in rows:
        by_process.setdefault((row.environment_id, row.process), []).append(row)
    return {
        number: [
            _state(process, by_process.get((number, process.name), []))
            for process in read_processes(one.release.processes)
        ]
        for number, one in current.items()
    }


def _state(process: Process, rows: Sequence[WorkerContainer]) -> ProcessState:
    ended = [row for row in rows if row.ended_at is not None]
    last = max(ended, key=lambda row: row.ended_at or row.created_at) if ended else None
    return ProcessState(
        process=process,
        running=sum(row.is_running for row in rows),
        restarts=sum(row.restarts for row in rows),
        exit_code=last.exit_code if last else None,
        ended_at=last.ended_at if last else None,
        is_restart_asked=any(row.restart_asked_at for row in rows),
    )


def note_states(states: Mapping[str, ContainerState], exit_codes: Mapping[str, int]) -> None:
    """Write down how the containers are, by name. `exit_codes` are those of their last ends, for
    one that has been started again since. Writes nothing where nothing has changed."""
    rows = db.session.execute(
        select(
            WorkerContainer.id,
            WorkerContainer.name,
            WorkerContainer.is_running,
            WorkerContainer.restarts,
        )
    ).all()
    db.session.rollback()
    changed = []
    for number, name, was_running, restarts in rows:
        state = states.get(name)
        is_running = state is not None and state.running
        count = state.restart_count if state else restarts
        if (is_running, count) != (was_running, restarts):
            changed.append((number, state, count > restarts or (was_running and not is_running)))
    if not changed:
        return
    with unit_of_work():
        for number, state, has_ended in changed:
            row = db.session.get(WorkerContainer, number)
            if row is None:
                continue
            row.is_running = state is not None and state.running
            row.restarts = state.restart_count if state else row.restarts
            if has_ended:
                row.ended_at = now()
                seen = state.exit_code if state else None
                row.exit_code = exit_codes.get(row.name) if seen is None else seen
