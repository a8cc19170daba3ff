"""Forgetting old runs with what they printed: the logs first, the rows last."""

from __future__ import annotations

import datetime

from sqlalchemy import delete, func, or_, select

from app.cron.models import CronRun
from app.cron.queries import ACTIVE
from app.environments.models import Environment
from app.extensions import db, now
from app.logs.queries import log_store
from app.transactions import unit_of_work

KEPT_RUNS = 100
"""Of each job, the newest."""
KEPT_DAYS = 30
AT_ONCE = 500


def forget_old_runs() -> int:
    """Forget up to `AT_ONCE` runs that are too many or too old. Returns how many there were."""
    place = func.row_number().over(
        partition_by=(CronRun.environment_id, CronRun.job_uuid), order_by=CronRun.id.desc()
    )
    placed = select(
        CronRun.id,
        CronRun.uuid,
        CronRun.environment_id,
        CronRun.status,
        CronRun.created_at,
        place.label("place"),
    ).subquery()
    since = now() - datetime.timedelta(days=KEPT_DAYS)
    rows = db.session.execute(
        select(placed.c.id, placed.c.uuid, Environment.uuid)
        .join(Environment, Environment.id == placed.c.environment_id)
        .where(
            placed.c.status.not_in(ACTIVE),
            or_(placed.c.place > KEPT_RUNS, placed.c.created_at < since),
        )
        .limit(AT_ONCE)
    ).all()
    db.session.rollback()
    logs = log_store()
    for _, run_uuid, environment_uuid in rows:
        logs.cron_run(environment_uuid, run_uuid).delete()
    if rows:
        with unit_of_work():
            numbers = [row[0] for row in rows]
            db.session.execute(
                delete(CronRun).where(CronRun.id.in_(numbers)),
                execution_options={"synchronize_session": False},
            )
    return len(rows)
