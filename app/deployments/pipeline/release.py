"""Release: what will run is written down once, for good."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlalchemy import func, select

from app.deployments.models import Deployment, Release
from app.deployments.pipeline.context import Context, RunnableRelease
from app.deployments.pipeline.step import Step
from app.errors import Invalid
from app.extensions import db
from app.services.uses import write_services

HTTP_PORT = 80


class WriteRelease(Step):
    """From here on, forms may change as they like: this deployment runs what the row says."""

    name = "release"
    title = "Release"

    def record(self, context: Context) -> None:
        subject, configuration = context.subject, context.configuration
        port = choose_port(configuration.port, context.exposed_ports)
        newest = select(func.max(Release.number)).where(
            Release.environment_id == subject.environment_id
        )
        row = Release(
            environment_id=subject.environment_id,
            build_id=context.build_id,
            number=(db.session.scalar(newest) or 0) + 1,
            commit=subject.commit,
            image=context.image,
            encrypted_variables=json.dumps(dict(configuration.variables)),
            secrets=json.dumps(list(configuration.secrets)),
            release_commands=[list(pair) for pair in configuration.release_commands],
            port=port,
            containers=configuration.containers,
            limits=asdict(configuration.limits),
            hosts=list(configuration.hosts),
            redirects=[list(redirect) for redirect in configuration.redirects],
            contributions=context.asked.stored(configuration.own_names),
            services=write_services(configuration.services),
            processes=[asdict(process) for process in configuration.processes],
            cron_jobs=[asdict(job) for job in configuration.cron_jobs],
        )
        db.session.add(row)
        db.session.flush()
        deployment = db.session.get_one(Deployment, subject.deployment_id)
        deployment.release_id = row.id
        context.release = RunnableRelease.of(row)
        context.log.line(f"Release {row.number}: port {port}, {row.containers} container(s)")


def choose_port(wanted: int | None, exposed: tuple[int, ...]) -> int:
    """The person's `PORT`, else the image's EXPOSE: 80 if it is among several, else the lowest.

    Raises `Invalid` when there is neither (C7).
    """
    if wanted:
        return wanted
    if not exposed:
        raise Invalid(
            "The image opens no port: its Dockerfile has no EXPOSE line. Add one, e.g. "
            "“EXPOSE 80”, or set the variable PORT."
        )
    return HTTP_PORT if HTTP_PORT in exposed else min(exposed)
