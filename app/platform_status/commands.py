"""`flask panel incident …` and `flask panel operator …`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from app.accounts.operators import appoint_operator, dismiss_operator
from app.accounts.queries import load_user
from app.platform_status import operations, queries
from app.platform_status.models import Impact, Incident
from app.transactions import unit_of_work

incident = AppGroup("incident", help="What everybody is told on the status page.")
operator = AppGroup("operator", help="Who looks after this installation.")
impact_option = click.option("--impact", type=click.Choice([impact.value for impact in Impact]))


def _incident(uuid: str) -> Incident:
    """The one named, or the only one that is open."""
    present = queries.list_open_incidents()
    found = queries.find_incident(uuid) if uuid else present[0] if len(present) == 1 else None
    if found is None:
        names = "".join(f"\n{row.uuid}  {row.title}" for row in present)
        raise click.ClickException(f"Name one of the open incidents.{names}")
    return found


@incident.command("open")
@click.argument("title")
@click.argument("text")
@impact_option
def open_incident(title: str, text: str, impact: str | None) -> None:
    """Tell everybody that something is wrong; prints the incident's id."""
    chosen = Impact(impact or Impact.DEGRADED)
    with unit_of_work():
        uuid = operations.open_incident(title, chosen, text, None).uuid
    click.echo(uuid)


@incident.command("update")
@click.argument("text")
@click.option("--id", "uuid", default="", help="Not needed while only one is open.")
@impact_option
def update_incident(text: str, uuid: str, impact: str | None) -> None:
    """Say how it goes on."""
    with unit_of_work():
        chosen = Impact(impact) if impact else None
        operations.update_incident(_incident(uuid), text, None, chosen)


@incident.command("resolve")
@click.argument("text", default="")
@click.option("--id", "uuid", default="", help="Not needed while only one is open.")
def resolve_incident(text: str, uuid: str) -> None:
    """Say that it is over."""
    with unit_of_work():
        operations.resolve_incident(_incident(uuid), text, None)


@operator.command("add")
@click.argument("email")
def add_operator(email: str) -> None:
    """Let a person look after the installation."""
    with unit_of_work():
        appoint_operator(load_user(email), None)


@operator.command("remove")
@click.argument("email")
def remove_operator(email: str) -> None:
    """Take that right away. The last operator stays one."""
    with unit_of_work():
        dismiss_operator(load_user(email), None)
