"""From inside one site, everything of another site and of the panel is tried, and refused."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.adapters.services import ServiceKind
from app.extensions import db
from app.services.models import ServiceServer
from tests.engine.private_engine import PrivateEngine
from tests.flows import isolation_table as table
from tests.flows.running_panel import STATIC_DOCKERFILE, RunningPanel
from tests.flows.shop_site import FILES
from tests.flows.steered import Steered, share_packages, steer

KINDS = (
    ServiceKind.POSTGRESQL,
    ServiceKind.OBJECT_STORAGE,
    ServiceKind.RABBITMQ,
    ServiceKind.REDIS,
)
MANY = [1, 10000]
"""Of containers in other networks: what is dropped there is waited for."""
_LISTENS = "0A"  # TCP_LISTEN of the kernel, as /proc/net/tcp has it
START = """
import os, sys, types

module = sys.modules["amqp_client"] = types.ModuleType("amqp_client")
exec(os.environ["CLIENT"], module.__dict__)
exec(compile(os.environ["SOURCE"], "probe", "exec"))
"""
"""The probe and the client it needs come as variables: the image knows nothing of them."""
CONTRACTS = Path(__file__).parents[1] / "contracts"


@pytest.mark.timeout(420)  # two images are built, and servers started, on busy cores
@pytest.mark.usefixtures("python_base_image")
def test_a_site_reaches_nothing_of_others(
    panel: RunningPanel, private_engine: PrivateEngine, package_cache: Path
) -> None:
    share_packages(panel, package_cache)
    mine, theirs = steer(panel, "curious"), steer(panel, "neighbour")
    _begin(mine, FILES)
    _begin(theirs, {"Dockerfile": STATIC_DOCKERFILE, "public/index.html": "mine"})
    scans = _targets(panel, private_engine, mine, theirs)
    assert all(scans.values()), scans  # nobody there would answer nothing as well
    with _without_link_local(private_engine):
        found = _try_from(private_engine, mine, theirs, scans)
    rows = _rows(found["attempts"], found["scans"])
    table.MEASURED.write_text(json.dumps(rows))
    measured = table.render(rows)
    assert "**" not in measured, f"{measured}\n\n{json.dumps(found, indent=1)}"
    assert table.present() == measured, f"{measured}\n\n{json.dumps(found, indent=1)}"


def _begin(site: Steered, files: dict[str, str]) -> None:
    site.panel.push(site.slug, files)
    for kind in KINDS:
        site.add_service("live", kind)
    site.deploy("live")
    assert all(site.facts("live", kind) for kind in KINDS)


def _targets(
    panel: RunningPanel, engine: PrivateEngine, mine: Steered, theirs: Steered
) -> dict[str, list[tuple[str, list[int]]]]:
    """Addresses and ports by what they belong to, as they stand in the engine."""
    networks = {site.slug: f"moonbase-{site._environment('live')[0]}" for site in (mine, theirs)}
    own = _members(engine, networks["curious"])
    others = _members(engine, networks["neighbour"])
    sites = [one for name, one in others.items() if "service" not in name and "redis" not in name]
    elsewhere = _members(engine, _services_network(engine, panel))
    ports = panel.settings
    panels = [ports.port, ports.ssh_port, ports.internal_port, ports.agent_port]
    panels += [ports.agent_port + 1, ports.sites_port, 6379, 2375, 2376]
    gateway = _gateway(engine, networks["curious"])
    return {
        "containers": [(one, MANY) for one in sites],
        "servers in their network": [(one, MANY) for one in others.values() if one not in sites],
        "servers in the panel's network": [(one, MANY) for one in elsewhere.values()],
        "gateway": _every(gateway, Path("/proc/net")),
        "panel": [(one, panels) for one in _host_addresses(engine)],
        "metadata": [("169.254.169.254", [80, 80]), ("169.254.170.2", [80, 80])],
        **{
            f"own {_server_name(panel, name)}": _every(one, _network_of(engine, name))
            for name, one in own.items()
            if "-web-" not in name
        },
    }


def _every(address: str, network: Path) -> list[tuple[str, list[int]]]:
    """The first ports, and of the others those where somebody listens, as the kernel lists it: at
    the rest there is nobody who could answer. Trying them costs seconds a server."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in _lines(network / name)]
    listening = {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS}
    assert listening, network
    return [(address, MANY), *((address, [port, port]) for port in listening if port > MANY[1])]


def _lines(table: Path) -> list[str]:
    return table.read_text().splitlines()[1:]


def _network_of(engine: PrivateEngine, container: str) -> Path:
    pid = engine.client().api.inspect_container(container)["State"]["Pid"]
    return Path(f"/proc/{pid}/net")


def _members(engine: PrivateEngine, network: str) -> dict[str, str]:
    """Addresses in a network, by container."""
    found = engine.client().api.inspect_network(network)["Containers"].values()
    return {one["Name"]: one["IPv4Address"].partition("/")[0] for one in found}


def _server_name(panel: RunningPanel, container: str) -> str:
    """What people call the server that is kept in a container."""
    with panel.app.app_context():
        names = {row.uuid: row.name for row in db.session.scalars(db.select(ServiceServer))}
        db.session.remove()
    return next((name for uuid, name in names.items() if uuid in container), "Redis")


@contextmanager
def _without_link_local(engine: PrivateEngine) -> Iterator[None]:
    """The rule that docs/operating.md asks for, on the machine of the private engine."""
    rule = ("DOCKER-USER", "-d", "169.254.0.0/16", "-j", "DROP")
    engine._inside("iptables", "-w", "-I", *rule)
    try:
        yield
    finally:
        engine._inside("iptables", "-w", "-D", *rule)


def _services_network(engine: PrivateEngine, panel: RunningPanel) -> str:
    with panel.app.app_context():
        return f"moonbase-services-{panel.installation_id()[:8]}"


def _gateway(engine: PrivateEngine, network: str) -> str:
    return str(engine.client().api.inspect_network(network)["IPAM"]["Config"][0]["Gateway"])


def _host_addresses(engine: PrivateEngine) -> list[str]:
    """Of the machine itself, where the panel's processes run, as containers see it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.1", 9))
        return sorted({str(probe.getsockname()[0]), engine._host_address})


def _try_from(
    engine: PrivateEngine, mine: Steered, theirs: Steered, scans: dict[str, Any]
) -> dict[str, Any]:
    facts = {
        name: {kind.name.lower(): site.facts("live", kind) for kind in KINDS}
        for name, site in (("mine", mine), ("theirs", theirs))
    }
    source = (Path(__file__).parent / "probe.py").read_text()
    source = source.replace("from tests.contracts.amqp_client import", "from amqp_client import")
    client = (CONTRACTS / "amqp_client.py").read_text()
    network = f"moonbase-{mine._environment('live')[0]}"
    (web,) = [name for name in _members(engine, network) if "-web-" in name]
    container = engine.client().containers.get(web)
    question = json.dumps({**facts, "scans": scans})
    environment = {"QUESTION": question, "CLIENT": client, "SOURCE": source}
    done = container.exec_run(["python", "-c", START], environment=environment)
    assert isinstance(done.output, bytes)
    text = done.output.decode(errors="replace")
    assert done.exit_code == 0, text[-3000:]
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return found


Row = tuple[str, str]


def _rows(got: dict[str, str], scans: dict[str, list[str]]) -> list[Row]:
    """The table: what was tried, and what came of it."""
    return [*_rows_of_networks(got, scans), *_rows_of_data(got), *_rows_of_machine(got, scans)]


def _rows_of_networks(got: dict[str, str], scans: dict[str, list[str]]) -> list[Row]:
    return [
        ("ports 1–10000 of another site's containers", _open(scans["containers"])),
        (
            "ports 1–10000 of servers at their addresses in another site's network, its Redis too",
            _open(scans["servers in their network"]),
        ),
        (
            "ports 1–10000 of servers at their addresses in the panel's own network",
            _open(scans["servers in the panel's network"]),
        ),
        ("another site's Redis by name", table.outcome(got, "redis name")),
        *_own_servers(scans),
    ]


def _rows_of_data(got: dict[str, str]) -> list[Row]:
    management = [name for name in got if name.startswith("management")]
    return [
        (
            "another site's database, as itself, as that site's role, or by `SET ROLE`",
            table.outcome(got, "database", "role", "set role"),
        ),
        ("the databases `postgres` and `template1`", table.outcome(got, "postgres", "template1")),
        (
            "PostgreSQL's superuser; programs and files of the server",
            table.outcome(got, "superuser", "program", "server file"),
        ),
        (
            "listing, writing, deleting in another bucket, or changing its policy",
            table.outcome(got, "list bucket", "write bucket", "delete object", "bucket policy"),
        ),
        (
            "another bucket among all buckets; listing it without a key",
            table.outcome(got, "list buckets", "anonymous list"),
        ),
        ("another virtual host of RabbitMQ, or `/`", table.outcome(got, "vhost", "root vhost")),
        (
            "the object store's commands (18333), without the panel's certificate",
            table.outcome(got, "storage commands"),
        ),
        (
            "RabbitMQ's management, as itself or as `guest`",
            table.outcome(got, "guest", *management),
        ),
    ]


def _rows_of_machine(got: dict[str, str], scans: dict[str, list[str]]) -> list[Row]:
    return [
        ("every port of the machine at its network's gateway", _open(scans["gateway"])),
        (
            "the panel's web, internal, SSH, agent, ingress, Redis and Docker ports at the "
            "machine's other addresses (all of them listen on loopback here)",
            _open(scans["panel"]),
        ),
        ("Docker's socket", table.outcome(got, "docker socket")),
        (
            "169.254.169.254 and 169.254.170.2, where clouds keep credentials, once link-local "
            "addresses are dropped as [operating.md](operating.md#link-local-addresses) says; "
            "before that, whatever answers there",
            _open(scans["metadata"]),
        ),
    ]


def _own_servers(scans: dict[str, list[str]]) -> list[Row]:
    """Which ports answer at the servers that the site itself uses: these and no others."""
    ports = {
        name.removeprefix("own "): [one.rpartition(":")[2] for one in sorted(found, key=_port)]
        for name, found in scans.items()
        if name.startswith("own ")
    }
    return [
        (f"every port of the server it uses: {name}", f"{', '.join(ports[name])}; no other")
        for name in sorted(ports)
    ]


def _port(place: str) -> int:
    return int(place.rpartition(":")[2])


def _open(found: list[str]) -> str:
    return f"**reached: {', '.join(found)}**" if found else "no answer"
