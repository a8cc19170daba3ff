"""Telling people by mail that a cron job has begun to fail."""

from __future__ import annotations

from app.cron.models import CronRun
from app.deployments.notices import list_readers
from app.installation import installation
from app.mails.operations import post_mail

LETTER = """\
Hello {name},

the cron job “{label}” of {site}, environment {environment}, has failed.

    {sentence}

It was due at {due} UTC. You hear of it again only when it has succeeded and fails once more.

What it printed, and its other runs:

    {link}

You choose in your profile of which failures you hear: {profile}

Moonbase
"""


def tell_of_failure(run: CronRun) -> None:
    """One mail to each person who wants to know; whoever pressed “Run now” is one of them. Belongs
    into the unit of work that closes the run. Nobody is told of what lies in the trash."""
    environment = run.environment
    if environment.is_trashed:
        return
    application, settings = environment.application, installation().settings
    here = f"{settings.panel_url}/applications/{application.slug}/environments/{environment.slug}"
    facts = {
        "label": run.label,
        "site": application.name,
        "environment": environment.name,
        "sentence": run.sentence or "It is not known why.",
        "due": f"{run.due_at:%Y-%m-%d %H:%M}",
        "link": f"{here}/cron-jobs/runs/{run.uuid}/",
        "profile": f"{settings.panel_url}/account/",
    }
    subject = f"{application.name}: cron job “{run.label}” failed on {environment.name}"
    for user in list_readers(application, run.actor_id):
        post_mail(user.email, subject, LETTER.format(name=user.name, **facts))
