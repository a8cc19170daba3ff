"""Servers: seeding the embedded ones, an operator's own, and what adapters are told of each."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import column, select, table

from app.accounts.models import User
from app.adapters.services import Server, ServiceKind
from app.audit.operations import record
from app.errors import Invalid, Unavailable
from app.extensions import db
from app.installation import installation
from app.names import clean_name, media_host
from app.regions.models import Region
from app.regions.operations import services_subnet
from app.services.models import TITLES, ServiceServer

VERSION_LENGTH = 40


def seed_servers() -> None:
    """One embedded server a region for each kind and version that can be had here: rows only, each
    is started when it is first needed. One that cannot be had any more is taken off the offer."""
    for region in db.session.scalars(select(Region)):
        for kind in ServiceKind:
            _seed(region, kind, _versions_of(kind))


def _versions_of(kind: ServiceKind) -> Sequence[str]:
    try:
        return installation().adapters.services.of(kind).versions
    except Unavailable:
        return ()


def _seed(region: Region, kind: ServiceKind, versions: Sequence[str]) -> None:
    rows = db.session.scalars(
        select(ServiceServer).where(
            ServiceServer.region_id == region.id,
            ServiceServer.kind == kind,
            ServiceServer.is_embedded,
        )
    ).all()
    for row in rows:
        row.is_on_offer = row.is_on_offer and row.version in versions
    present = {row.version for row in rows}
    # The recommended one is first there and first here: among equals the older row is offered.
    for version in versions:
        if version not in present:
            db.session.add(
                ServiceServer(
                    region_id=region.id,
                    kind=kind,
                    version=version,
                    name=f"{TITLES[kind]} {version}",
                    is_embedded=True,
                    secret=secrets.token_urlsafe(24),
                )
            )
    db.session.flush()


def add_server(
    region: Region, kind: ServiceKind, version: str, url: str, actor: User | None
) -> ServiceServer:
    """Offer a server of the operator's. `url` holds the administrator's name and password: it is
    sealed at once, and never shown again. Nobody connects to it here."""
    number = version.strip()
    if not number or len(number) > VERSION_LENGTH:
        raise Invalid(f"A version has 1 to {VERSION_LENGTH} characters, e.g. 15.", "version")
    host = _host_of(url)
    row = ServiceServer(
        region_id=region.id,
        kind=kind,
        version=number,
        name=clean_name(f"{TITLES[kind]} {number} ({host})"),
        is_embedded=False,
        secret=url.strip(),
    )
    db.session.add(row)
    db.session.flush()
    _record("service_server.add", row, actor)
    return row


def replace_url(row: ServiceServer, url: str, actor: User | None) -> None:
    """Another address or password of the same server; what it holds must be there."""
    if row.is_embedded:
        raise Invalid("The panel keeps this server itself: it has no URL.")
    _host_of(url)
    row.secret = url.strip()  # type: ignore[assignment]  # goes in plain, comes out sealed
    _record("service_server.change", row, actor)


def set_offer(row: ServiceServer, is_on_offer: bool, actor: User | None) -> None:
    """Whether new instances may be made on it; present ones stay as they are."""
    row.is_on_offer = is_on_offer
    _record("service_server.offer" if is_on_offer else "service_server.withdraw", row, actor)


def write_off(row: ServiceServer, actor: User | None) -> None:
    """Say that the server is gone for good, with all that was on it: instances there can be deleted
    without its answer, and none is made on it any more."""
    row.is_on_offer, row.is_lost = False, True
    _record("service_server.write_off", row, actor)


def _host_of(url: str) -> str:
    """Raises `Invalid` for what is no URL, without repeating it: it may hold a password."""
    try:
        parts = urlsplit(url.strip())
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or not parts.scheme:
        raise Invalid(
            "This is not the URL of a server. It has a scheme, the administrator's name and "
            "password, and a host: scheme://name:password@host:port/",
            "url",
        )
    return host


def server_of(row: ServiceServer) -> Server:
    """What adapters are told of it, its secret included: in workers only, for others cannot open
    it. Raises `Unavailable`."""
    settings = installation().settings
    return Server(
        key=row.uuid,
        kind=row.kind,
        version=row.version,
        is_embedded=row.is_embedded,
        secret=row.secret.open(),
        installation_id=installation_id(),
        network=services_subnet(row.region, settings.network_prefix) if row.is_embedded else "",
        media_address=settings.site_url(media_host("{bucket}", settings.platform_domain)),
    )


def installation_id() -> str:
    """Who this installation is in the engine. It stands in the row of the ingress feed, whose room
    lies above this one."""
    found: str = db.session.execute(
        select(column("epoch")).select_from(table("feeds"))
    ).scalar_one()
    return found


def _record(action: str, row: ServiceServer, actor: User | None) -> None:
    record(action, row.name, actor=actor, organisation_id=None, kind=row.kind)
