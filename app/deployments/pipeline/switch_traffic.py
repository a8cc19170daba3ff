"""Switch: visitors go to the new containers, and every ingress node is seen to send them there."""

from __future__ import annotations

import time

from app.deployments import queries
from app.deployments.models import CurrentRelease
from app.deployments.pipeline.check_services import require_release_services
from app.deployments.pipeline.context import Context
from app.deployments.pipeline.step import Step
from app.deployments.receipts import Prober
from app.errors import Unavailable
from app.extensions import db, now
from app.routes import queries as routes
from app.routes.operations import Names, point_route
from app.services.operations import settle

POLL_SECONDS = 0.03


class SwitchTraffic(Step):
    """Order: healthy, switch, every live node has it, drain. The old ones still run."""

    name = "switch_traffic"
    title = "Switch"
    is_cancellable = False

    def plan(self, context: Context) -> None:
        subject = context.subject
        require_release_services(context)  # people may have removed one meanwhile
        context.had_containers = queries.find_current(subject.environment_id) is not None
        release = context.runnable
        context.feed_version = point_route(
            subject.environment_id, context.endpoints, Names(release.hosts, release.redirects)
        )

    def run(self, context: Context) -> None:
        context.log.heading("switch")
        if context.had_containers:
            context.prober = _prober(context)
            context.prober.start()
        times = context.installation.settings.times
        wait_for_nodes(context.feed_version, times.route_effective, times.node_alive)
        context.switched_at = now()
        context.log.line("Every ingress node sends visitors to the new containers")
        if context.had_containers:
            # Requests that were on their way to the old containers get their answer.
            time.sleep(times.drain)

    def record(self, context: Context) -> None:
        """From here on this is what the environment runs."""
        subject = context.subject
        row = queries.find_current(subject.environment_id)
        if row is None:
            row = CurrentRelease(environment_id=subject.environment_id)
            db.session.add(row)
        row.release_id = context.runnable.id
        row.deployment_id = subject.deployment_id
        settle(subject.environment_id, {used.uuid for used in context.runnable.services})

    def undo_rows(self, context: Context) -> None:
        """Back to the containers and hosts of the release that is current."""
        subject = context.subject
        current = queries.find_current(subject.environment_id)
        rows = queries.list_containers(subject.environment_id)
        endpoints = [
            (row.address, row.port)
            for row in rows
            if current and row.deployment_id == current.deployment_id
        ]
        names = Names(current.release.hosts, current.release.redirects) if current else Names()
        context.feed_version = point_route(subject.environment_id, endpoints, names)

    def undo(self, context: Context) -> None:
        if context.prober:
            context.prober.stop()
        times = context.installation.settings.times
        wait_for_nodes(context.feed_version, times.route_effective, times.node_alive)
        time.sleep(times.drain)


def _prober(context: Context) -> Prober:
    settings = context.installation.settings
    return Prober(
        ingress_host=settings.sites_address,
        ingress_port=settings.sites_port,
        site_host=context.runnable.hosts[0],
    )


def wait_for_nodes(version: int, seconds: float, alive_seconds: float) -> None:
    """Wait until every live ingress node serves `version`. A node that is silent is not waited
    for: it loads the newest feed when it comes back. Raises `Unavailable` after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        behind = routes.nodes_behind(version, alive_seconds)
        db.session.rollback()  # end the reading, so that the next one sees what is new
        if not behind:
            return
        if time.monotonic() > until:
            raise Unavailable(
                f"The ingress node {behind[0]} did not load the new route in {seconds:g} s."
            )
        time.sleep(POLL_SECONDS)
