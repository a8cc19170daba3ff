"""Whose turn it is: the rows of runs as the runner writes them.

A row says `running` before its container is made. From then on the run belongs to the runner
whose token it bears; only that one may write how it ended, and only once.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from app.cron import queries
from app.cron.models import Cause, CronRun, RunStatus
from app.cron.notices import tell_of_failure
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db, now
from app.runtime.models import Overlap
from app.runtime.processes import ScheduledJob
from app.transactions import unit_of_work

PER_ENVIRONMENT = 4
"""So many runs of one environment at a time: each takes an address of its small network, and one
site does not hold all places."""
MOST_READ = 2000
MOST_ATTEMPTS = 3
JUDGED = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.UNKNOWN)
STILL_RUNS = "The run before it still went on."
ONE_WAITS = "Another run of it waited already."
NOT_RELEASED = "The release that runs now does not have this job any more."
IN_TRASH = "The environment is in the trash."


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    status: RunStatus
    sentence: str = ""
    exit_code: int | None = None
    started_at: datetime.datetime | None = None
    ended_at: datetime.datetime | None = None


@dataclass(frozen=True)
class Stray:
    """A run that is said to run and that nobody here watches."""

    id: int
    uuid: str
    token: str | None
    heartbeat_at: datetime.datetime | None


def claim(token: str, room: int) -> list[int]:
    """Take up to `room` waiting runs, the longest due first. Those that may not run any more are
    closed with a sentence. Returns the numbers of the rows taken: they say `running` now."""
    taken, refused = _choose(room)
    db.session.rollback()
    if not taken and not refused:
        return []
    with unit_of_work():
        rows = _load_waiting([*taken, *refused])
        for number, sentence in refused.items():
            if number in rows:
                _refuse(rows[number], sentence)
        return [number for number in taken if number in rows and _take(rows[number], token)]


def _choose(room: int) -> tuple[list[int], dict[int, str]]:
    """Numbers to take, and sentences by number for those that may not run."""
    waiting = db.session.execute(
        select(CronRun.id, CronRun.environment_id, CronRun.job_uuid, CronRun.overlap, is_in_use())
        .join(Environment, Environment.id == CronRun.environment_id)
        .where(CronRun.status == RunStatus.WAITING)
        .order_by(CronRun.due_at, CronRun.id)
        .limit(MOST_READ)
    ).all()
    if not waiting:
        return [], {}
    running = select(CronRun.environment_id, CronRun.job_uuid).where(
        CronRun.status == RunStatus.RUNNING
    )
    lane = _Lane(room)
    for environment_id, job_uuid in db.session.execute(running):
        lane.note_running(environment_id, job_uuid)
    for number, environment_id, job_uuid, overlap, is_used in waiting:
        if not is_used:
            lane.refused[number] = IN_TRASH
        else:
            lane.consider(number, environment_id, job_uuid, overlap)
    return lane.taken, lane.refused


class _Lane:
    """Decides over waiting runs one after the other, in the order they were due."""

    def __init__(self, room: int) -> None:
        self.taken: list[int] = []
        self.refused: dict[int, str] = {}
        self._room = room
        self._running: set[tuple[int, str]] = set()
        self._waiting: set[tuple[int, str]] = set()
        self._load: dict[int, int] = {}

    def note_running(self, environment_id: int, job_uuid: str) -> None:
        self._running.add((environment_id, job_uuid))
        self._load[environment_id] = self._load.get(environment_id, 0) + 1

    def consider(self, number: int, environment_id: int, job_uuid: str, overlap: Overlap) -> None:
        job = (environment_id, job_uuid)
        if job in self._waiting:  # whatever its rule: or one job's pile would hide all others
            self.refused[number] = ONE_WAITS
        elif overlap == Overlap.SKIP and job in self._running:
            self.refused[number] = STILL_RUNS
        elif self._has_room(environment_id) and (
            overlap == Overlap.RUN or job not in self._running
        ):
            self.taken.append(number)
            self.note_running(environment_id, job_uuid)
        else:
            self._waiting.add(job)

    def _has_room(self, environment_id: int) -> bool:
        return len(self.taken) < self._room and self._load.get(environment_id, 0) < PER_ENVIRONMENT


def _load_waiting(numbers: Collection[int]) -> dict[int, CronRun]:
    rows = db.session.scalars(
        select(CronRun).where(CronRun.id.in_(numbers), CronRun.status == RunStatus.WAITING)
    )
    return {row.id: row for row in rows}


def _take(row: CronRun, token: str) -> bool:
    """A run that waited runs what the release of now says."""
    release_id, jobs = queries.released_jobs(row.environment_id)
    if release_id != row.release_id:
        job = next((one for one in jobs if one.uuid == row.job_uuid), None)
        if job is None:
            _refuse(row, NOT_RELEASED)
            return False
        _follow_release(row, release_id, job)
    row.status, row.lease_token, row.heartbeat_at = RunStatus.RUNNING, token, now()
    return True


def _follow_release(row: CronRun, release_id: int, job: ScheduledJob) -> None:
    row.release_id, row.label, row.command = release_id, job.label, job.command
    row.timeout_seconds, row.overlap = job.timeout_seconds, Overlap(job.overlap)
    row.repeats_lost = job.repeats_lost


def _refuse(row: CronRun, sentence: str) -> None:
    row.status, row.sentence, row.ended_at = RunStatus.SKIPPED, sentence, now()


def put_back(run_id: int, token: str) -> None:
    """Of a run whose container was certainly not made: it waits again."""
    with unit_of_work():
        row = _own(run_id, token)
        if row:
            row.status, row.lease_token = RunStatus.WAITING, None


def note_started(run_id: int, token: str, started_at: datetime.datetime) -> None:
    """Note since when its container runs."""
    with unit_of_work():
        row = _own(run_id, token)
        if row:
            row.started_at = started_at


def note_ended(run_id: int, token: str, ending: Ending) -> bool:
    """Close a run: its state, a run in its place where the job allows that, and a letter when all
    was well before. Returns False when it is not this runner's any more, and changes nothing."""
    with unit_of_work():
        row = _own(run_id, token)
        if row is None:
            return False
        row.status, row.exit_code = ending.status, ending.exit_code
        row.sentence = " ".join(part for part in (ending.sentence, row.sentence) if part)
        row.started_at = ending.started_at or row.started_at
        row.ended_at, row.lease_token = ending.ended_at or now(), None
        is_lost = row.status == RunStatus.UNKNOWN
        if is_lost and row.repeats_lost and row.attempt < MOST_ATTEMPTS:
            db.session.add(_again(row))
        if row.status.is_bad and not _was_bad_before(row):
            tell_of_failure(row)
    return True


def _again(row: CronRun) -> CronRun:
    copied = (
        "environment_id release_id job_uuid label command timeout_seconds overlap repeats_lost "
        "due_at"
    ).split()
    facts = {name: getattr(row, name) for name in copied}
    return CronRun(**facts, attempt=row.attempt + 1, cause=Cause.AGAIN)


def _was_bad_before(row: CronRun) -> bool:
    before = db.session.scalars(
        select(CronRun.status)
        .where(
            CronRun.environment_id == row.environment_id,
            CronRun.job_uuid == row.job_uuid,
            CronRun.id < row.id,
            CronRun.status.in_(JUDGED),
        )
        .order_by(CronRun.id.desc())
        .limit(1)
    ).first()
    return before is not None and before.is_bad


def _own(run_id: int, token: str) -> CronRun | None:
    return db.session.scalar(
        select(CronRun).where(
            CronRun.id == run_id,
            CronRun.lease_token == token,
            CronRun.status == RunStatus.RUNNING,
        )
    )


def list_strays(watched: Collection[int]) -> Sequence[Stray]:
    """Runs that say `running` and are not among `watched`: of a runner that has died."""
    rows = db.session.execute(
        select(CronRun.id, CronRun.uuid, CronRun.lease_token, CronRun.heartbeat_at).where(
            CronRun.status == RunStatus.RUNNING
        )
    )
    return [Stray(*row) for row in rows if row[0] not in watched]


def take_over(stray: Stray, token: str) -> bool:
    """Make it this runner's. False when somebody else was faster."""
    with unit_of_work():
        row = db.session.get(CronRun, stray.id)
        is_there = row is not None and row.status == RunStatus.RUNNING
        if row is None or not is_there or row.lease_token != stray.token:
            return False
        row.lease_token, row.heartbeat_at = token, now()
    return True


def let_go(run_id: int, token: str, sentence: str) -> None:
    """Of a run about whose container the engine gave no answer but `sentence`: whoever looks later
    finds out."""
    with unit_of_work():
        row = _own(run_id, token)
        if row:
            row.lease_token, row.heartbeat_at, row.sentence = None, now(), sentence


def beat(token: str, run_ids: Collection[int]) -> Sequence[int]:
    """Write the heartbeat of the runs that are watched; one of this runner's that is not grows old,
    and is found. Returns those whose environment is not in use any more."""
    mine = (
        CronRun.id.in_(run_ids),
        CronRun.lease_token == token,
        CronRun.status == RunStatus.RUNNING,
    )
    with unit_of_work():
        db.session.execute(update(CronRun).where(*mine).values(heartbeat_at=now()))
        return db.session.scalars(
            select(CronRun.id)
            .join(Environment, Environment.id == CronRun.environment_id)
            .where(*mine, ~is_in_use())
        ).all()
