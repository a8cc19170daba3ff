"""Processes beside the web server: one that runs, one that keeps ending, one that waits."""

from __future__ import annotations

from app.accounts.models import User
from app.deployments.models import CurrentRelease, WorkerContainer
from app.environments.models import Environment
from app.extensions import db, now
from app.runtime.models import WorkerProcess
from app.workers.operations import Wish, add_process, set_up_celery

WORKER = "5f1b6b0e-4c0e-4c53-9d60-6f7c0a5f2c11"
"""The uuid of the definition of the Celery worker."""


def seed_workers(live: Environment, owner: User) -> None:
    """Live runs a worker twice and a clock that keeps ending; a mailer waits for a deployment."""
    application = live.application
    set_up_celery(application, 2, False, owner)
    db.session.flush()
    rows = db.session.scalars(
        db.select(WorkerProcess).where(WorkerProcess.application_id == application.id)
    ).all()
    current = db.session.scalars(
        db.select(CurrentRelease).where(CurrentRelease.environment_id == live.id)
    ).one()
    current.release.processes = [
        {"name": row.name, "command": row.command, "count": row.count, "addon": ""} for row in rows
    ]
    for row in rows:
        if row.name == "worker":
            row.uuid = WORKER
        for number in range(1, row.count + 1):
            is_clock = row.name == "beat"
            db.session.add(
                WorkerContainer(
                    environment_id=live.id,
                    deployment_id=current.deployment_id,
                    release_id=current.release_id,
                    name=f"moonbase-5f1b6b0e-4c0e-process-{row.name}-{number}",
                    process=row.name,
                    is_running=not is_clock,
                    restarts=12 if is_clock else 0,
                    exit_code=1 if is_clock else None,
                    ended_at=now() if is_clock else None,
                )
            )
    add_process(application, Wish("mailer", "python manage.py send_letters --for-ever"), owner)
