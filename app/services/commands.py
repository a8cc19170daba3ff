"""`flask panel service-server …`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from app.adapters.services import ServiceKind
from app.errors import NotFound
from app.regions.queries import LOCAL, find_region
from app.services import queries, servers
from app.services.models import ServiceServer
from app.transactions import unit_of_work

service_server = AppGroup("service-server", help="Servers on which sites get their services.")


def _server(uuid: str) -> ServiceServer:
    found = queries.find_server(uuid)
    if found is None:
        raise NotFound("There is no such server; `flask panel service-server list` names them.")
    return found


@service_server.command("add")
@click.argument("kind", type=click.Choice([kind.value for kind in ServiceKind]))
@click.argument("version")
@click.argument("url")
@click.option("--region", default=LOCAL, help="The region whose sites may use it.")
def add(kind: str, version: str, url: str, region: str) -> None:
    """Offer a server of yours; prints its id. With `-` for URL it is read from standard input, so
    that no list of processes shows the password."""
    text = sys.stdin.readline() if url == "-" else url
    with unit_of_work():
        found = find_region(region)
        if found is None:
            raise NotFound(f"There is no region “{region}”.")
        uuid = servers.add_server(found, ServiceKind(kind), version, text, None).uuid
    click.echo(uuid)


@service_server.command("list")
def list_() -> None:
    """One a line: id, kind, version, where it is from, whether it is on offer, how many use it."""
    counts = queries.count_instances()
    for row in queries.list_servers():
        offer = "lost" if row.is_lost else "on offer" if row.is_on_offer else "not on offer"
        own = "embedded" if row.is_embedded else row.name
        click.echo(
            f"{row.uuid}\t{row.kind}\t{row.version}\t{own}\t{offer}\t{counts.get(row.id, 0)}"
        )


@service_server.command("change-url")
@click.argument("uuid")
@click.argument("url")
def change_url(uuid: str, url: str) -> None:
    """Another address or password of the same server; `-` reads it from standard input."""
    text = sys.stdin.readline() if url == "-" else url
    with unit_of_work():
        servers.replace_url(_server(uuid), text, None)


@service_server.command("offer")
@click.argument("uuid")
def offer(uuid: str) -> None:
    """Let new services be made on it."""
    with unit_of_work():
        servers.set_offer(_server(uuid), True, None)


@service_server.command("withdraw")
@click.argument("uuid")
def withdraw(uuid: str) -> None:
    """Have no new services made on it; present ones stay."""
    with unit_of_work():
        servers.set_offer(_server(uuid), False, None)


@service_server.command("write-off")
@click.argument("uuid")
@click.confirmation_option(prompt="Is this server gone for good, with all that was on it?")
def write_off(uuid: str) -> None:
    """Say that it is gone for good: services on it can then be deleted without its answer."""
    with unit_of_work():
        servers.write_off(_server(uuid), None)
