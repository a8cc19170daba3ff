"""Finding host names, and what an environment answers to."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import case, select

from app.domains.models import Domain, DomainKind, RedirectBy
from app.extensions import db, now
from app.transactions import once_a_reading

CLAIM_LASTS = datetime.timedelta(days=7)
"""An unproved claim is worth nothing after this long; the person can begin anew."""
_IN_USE = (Domain.proved_at.is_not(None), Domain.trashed_at.is_(None))
_SHOWN_FIRST = case((Domain.kind == DomainKind.PRIMARY, 0), else_=1)
_PLATFORM_FIRST = case(
    (Domain.kind == DomainKind.PLATFORM, 0), (Domain.kind == DomainKind.PRIMARY, 1), else_=2
)


def find_domain(host: str) -> Domain | None:
    """The row that has proved the host, also one in the trash: its name is still taken."""
    return db.session.scalar(
        select(Domain).where(Domain.host == host, Domain.proved_at.is_not(None))
    )


def find_own_domain(environment_id: int, uuid: str) -> Domain | None:
    """A domain of this environment, not one in the trash."""
    return db.session.scalar(
        select(Domain).where(
            Domain.environment_id == environment_id,
            Domain.uuid == uuid,
            Domain.trashed_at.is_(None),
        )
    )


def find_primary(environment_id: int) -> Domain | None:
    """The own domain people are shown, once there is one."""
    return db.session.scalar(
        select(Domain).where(
            Domain.environment_id == environment_id, Domain.kind == DomainKind.PRIMARY, *_IN_USE
        )
    )


def find_successor(domain: Domain) -> Domain | None:
    """Which other domain becomes the primary when this one goes: the oldest alias, else the
    oldest redirect."""
    return db.session.scalar(
        select(Domain)
        .where(
            Domain.environment_id == domain.environment_id,
            Domain.id != domain.id,
            Domain.kind.in_((DomainKind.ALIAS, DomainKind.REDIRECT)),
            *_IN_USE,
        )
        .order_by(case((Domain.kind == DomainKind.ALIAS, 0), else_=1), Domain.id)
    )


@once_a_reading
def list_domains(environment_id: int) -> Sequence[Domain]:
    """All that are not in the trash, proved or not: the platform's, the primary, then others."""
    return db.session.scalars(
        select(Domain)
        .where(Domain.environment_id == environment_id, Domain.trashed_at.is_(None))
        .order_by(_PLATFORM_FIRST, Domain.id)
    ).all()


def taken_hosts(domains: Sequence[Domain]) -> frozenset[str]:
    """Hosts of unproved claims that somebody else has proved meanwhile."""
    claimed = [row.host for row in domains if row.proved_at is None]
    return frozenset(
        db.session.scalars(
            select(Domain.host).where(Domain.host.in_(claimed), Domain.proved_at.is_not(None))
        )
    )


def has_expired(domain: Domain) -> bool:
    """Whether the time to prove the claim is over."""
    return domain.proved_at is None and domain.created_at + CLAIM_LASTS <= now()


def platform_host_of(environment_id: int) -> str:
    """The host the platform gave; DNS records of own domains lead to it."""
    return (
        db.session.scalar(
            select(Domain.host).where(
                Domain.environment_id == environment_id, Domain.kind == DomainKind.PLATFORM
            )
        )
        or ""
    )


def primary_host(environment_id: int) -> str:
    """The host people are shown: the primary own domain, else the platform's."""
    return primary_hosts([environment_id]).get(environment_id, "")


@once_a_reading
def primary_hosts(environment_ids: Sequence[int]) -> Mapping[int, str]:
    """`primary_host` for many environments in one query."""
    rows = db.session.execute(
        select(Domain.environment_id, Domain.host)
        .where(
            Domain.environment_id.in_(environment_ids),
            Domain.kind.in_((DomainKind.PLATFORM, DomainKind.PRIMARY)),
            *_IN_USE,
        )
        .order_by(_SHOWN_FIRST.desc(), Domain.id.desc())
    )
    return {row.environment_id: row.host for row in rows}


@dataclass(frozen=True)
class Addresses:
    """What an environment answers to from its next deployment on."""

    domains: Sequence[Domain]
    """All of it: proved, the platform's first."""
    hosts: Sequence[str]
    """Where the site itself answers: the platform's first, then the primary, then the others in
    the order they came."""
    redirects: Sequence[tuple[str, str, int]]
    """Host, target host and status (301 or 302) of each redirect that the platform answers."""
    variables: Mapping[str, str]
    """`DOMAIN`, `DOMAIN_ALIASES` and `DOMAIN_REDIRECTS` (L7148–7153), lists separated by commas.

    The platform's host is among the aliases once there is a primary domain, for the site goes on
    being reached by it and has to expect it (Django's ALLOWED_HOSTS).
    """


@once_a_reading
def resolve_addresses(environment_ids: Sequence[int]) -> Mapping[int, Addresses]:
    """The addresses of several environments, in one query."""
    rows: dict[int, list[Domain]] = {number: [] for number in environment_ids}
    query = select(Domain).where(Domain.environment_id.in_(environment_ids), *_IN_USE)
    for row in db.session.scalars(query.order_by(_PLATFORM_FIRST, Domain.id)):
        rows[row.environment_id].append(row)
    return {number: _addresses(found) for number, found in rows.items()}


def list_hosts(environment_id: int) -> list[str]:
    """The hosts at which the site itself answers from its next deployment on."""
    return list(resolve_addresses([environment_id])[environment_id].hosts)


def list_redirects(environment_id: int) -> list[list[str | int]]:
    """The redirects that the platform answers, as a release keeps them (JSON)."""
    return [list(row) for row in resolve_addresses([environment_id])[environment_id].redirects]


def _addresses(rows: Sequence[Domain]) -> Addresses:
    """From an environment's domains in use, the platform's first and then the primary."""
    primary = [row.host for row in rows if row.kind == DomainKind.PRIMARY]
    platform = [row.host for row in rows if row.kind == DomainKind.PLATFORM]
    shown = next(iter([*primary, *platform]), "")
    redirects = [row.host for row in rows if row.kind == DomainKind.REDIRECT]
    aliases = [row.host for row in rows if row.host not in (shown, *redirects)]
    return Addresses(
        domains=rows,
        hosts=[row.host for row in rows if not _is_answered_by_platform(row)],
        redirects=[
            (row.host, shown, int(row.redirect_by)) for row in rows if _is_answered_by_platform(row)
        ],
        variables={
            "DOMAIN": shown,
            "DOMAIN_ALIASES": ",".join(aliases),
            "DOMAIN_REDIRECTS": ",".join(redirects),
        },
    )


def _is_answered_by_platform(domain: Domain) -> bool:
    is_redirect = domain.kind == DomainKind.REDIRECT
    return is_redirect and domain.redirect_by != RedirectBy.APPLICATION
