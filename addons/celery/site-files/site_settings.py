"""Celery's settings. Written by the control panel: edits are lost."""

import os


def to_settings(data, settings):
    settings.setdefault("INSTALLED_APPS", []).append("addons.celery")
    broker = os.environ.get("DEFAULT_AMQP_BROKER_URL") or os.environ.get("BROKER_URL")
    settings.update(
        CELERY_BROKER_URL=broker or "memory://",
        # On a developer's machine without a broker, tasks run at once where they are called.
        CELERY_TASK_ALWAYS_EAGER=not broker,
        CELERY_TASK_TIME_LIMIT=60 * int(data.get("task_minutes") or 30),
        CELERY_TIMEZONE=settings.get("TIME_ZONE", "UTC"),
        CELERY_WORKER_HIJACK_ROOT_LOGGER=False,
    )
    return settings
