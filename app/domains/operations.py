"""Host names of environments: claiming, proving, changing and giving them up.

All take effect at the next deployment: releases keep the hosts they were made with.
"""

from __future__ import annotations

from sqlalchemy import func, select

from app.accounts.models import User
from app.config import Settings
from app.domains import queries
from app.domains.checks import Finding
from app.domains.models import Domain, DomainKind, RedirectBy
from app.domains.names import FIELD, parse_host, refuse_reserved
from app.environments.models import Environment
from app.environments.operations import record_on, take_turns
from app.errors import Conflict, Invalid
from app.extensions import db, now

DOMAINS_PER_ENVIRONMENT = 100
"""Ours: far above what sites have, and an end to filling the table with claims."""


def platform_host(slug: str, environment_slug: str, platform_domain: str) -> str:
    """Live is `<slug>.<domain>`, test `<slug>-stage.…`, others `<slug>--<env>.…` (checklist)."""
    endings = {"live": "", "test": "-stage"}
    return f"{slug}{endings.get(environment_slug, f'--{environment_slug}')}.{platform_domain}"


def add_platform_domain(environment: Environment, platform_domain: str) -> Domain:
    """Claim the environment's platform host. Raises `Invalid` when another site has it."""
    host = platform_host(environment.application.slug, environment.slug, platform_domain)
    if queries.find_domain(host):
        raise Invalid(f"The address {host} belongs to another site. Choose another name.", "slug")
    domain = Domain(
        environment_id=environment.id, host=host, kind=DomainKind.PLATFORM, proved_at=now()
    )
    db.session.add(domain)
    return domain


def may_have_domains(environment: Environment, settings: Settings) -> bool:
    """Live only (L7077–7080), unless the operator allows more."""
    return environment.is_live or settings.has_domains_beyond_live


def claim_domain(environment: Environment, text: str, actor: User, settings: Settings) -> Domain:
    """Note that the environment wants the host in `text`. It counts once it is proved; several
    may claim one host until then. Raises `Invalid` for what cannot be a site's own domain."""
    if not may_have_domains(environment, settings):
        raise Invalid("Only Live may have its own domains.", FIELD)
    host = parse_host(text)
    refuse_reserved(
        host, settings.panel_host.lower(), settings.platform_domain.lower(), settings.is_https
    )
    take_turns(environment.id)
    _refuse_proved(host, environment)
    _make_room(host, environment)
    domain = Domain(environment_id=environment.id, host=host, kind=DomainKind.ALIAS)
    db.session.add(domain)
    db.session.flush()
    _record("domain.claim", domain, actor)
    return domain


def note_finding(domain: Domain, finding: Finding, actor: User | None) -> bool:
    """Keep what a look outside has found, and prove the claim if it did. Returns whether the
    domain is proved now by this. The first domain to be proved becomes the primary."""
    take_turns(domain.environment_id)
    db.session.expire(domain)
    domain.checked_at = now()
    domain.check_sentence = finding.sentence
    if domain.proved_at or not finding.is_proved or domain.trashed_at:
        return False
    if queries.has_expired(domain) or queries.find_domain(domain.host):
        return False
    if queries.find_primary(domain.environment_id) is None:
        domain.kind = DomainKind.PRIMARY
    domain.proved_at = now()
    db.session.flush()
    _record("domain.prove", domain, actor)
    return True


def change_use(domain: Domain, kind: DomainKind, redirect_by: RedirectBy, actor: User) -> None:
    """Make it the primary, an alias or a redirect. The primary before becomes an alias; there is
    exactly one, so it changes only by choosing another."""
    _refuse_trashed(domain)
    if DomainKind.PLATFORM in (domain.kind, kind):
        raise Invalid("The platform's address stays what it is.")
    if domain.proved_at is None:
        raise Invalid("Prove first that the domain is yours.")
    if domain.kind == DomainKind.PRIMARY and kind != DomainKind.PRIMARY:
        raise Invalid("Choose which domain is the primary instead: there is always one.")
    before = _use_of(domain)
    primary = queries.find_primary(domain.environment_id)
    if kind == DomainKind.PRIMARY and primary and primary.id != domain.id:
        primary.kind = DomainKind.ALIAS
    domain.kind = kind
    domain.redirect_by = redirect_by
    _record("domain.change", domain, actor, before=before, after=_use_of(domain))


def trash_domain(domain: Domain, actor: User) -> None:
    """Put it into the trash, where its name stays taken; served until the next deployment. A
    claim that was never proved is not kept. Another domain becomes the primary if it was that."""
    _refuse_trashed(domain)
    if domain.kind == DomainKind.PLATFORM:
        raise Invalid("The platform's address stays what it is.")
    if domain.proved_at is None:
        _record("domain.withdraw", domain, actor)
        db.session.delete(domain)
        return
    successor = queries.find_successor(domain) if domain.kind == DomainKind.PRIMARY else None
    domain.trashed_at = now()
    domain.trashed_by_id = actor.id
    if successor:
        successor.kind = DomainKind.PRIMARY
    details = {"primary": successor.host} if successor else {}
    _record("domain.trash", domain, actor, **details)


def restore_domain(domain: Domain, actor: User) -> None:
    """Take it out of the trash. It is the primary again if nothing has taken that place."""
    refuse_restored(domain)
    primary = queries.find_primary(domain.environment_id)
    if primary is None:
        domain.kind = DomainKind.PRIMARY
    elif domain.kind == DomainKind.PRIMARY:
        domain.kind = DomainKind.ALIAS
    domain.trashed_at = domain.trashed_by_id = None
    _record("domain.restore", domain, actor)


def delete_domain(domain: Domain, actor: User | None) -> None:
    """Give the host up for good: whoever proves it next has it. The ingress has to hear of it:
    call `app.routes.operations.give_up_host`, which does both."""
    _record("domain.delete", domain, actor)
    db.session.delete(domain)


def _refuse_trashed(domain: Domain) -> None:
    """Raise `Conflict` for one that somebody else has just put into the trash."""
    take_turns(domain.environment_id)
    db.session.expire(domain)
    if domain.trashed_at:
        raise Conflict(f"{domain.host} is in the trash. Restore it first.")


def refuse_restored(domain: Domain) -> None:
    """Raise `Conflict` for one that is not in the trash; it stays there until the commit."""
    take_turns(domain.environment_id)
    db.session.expire(domain)
    if domain.trashed_at is None:
        raise Conflict(f"{domain.host} is not in the trash any more.")


def _refuse_proved(host: str, environment: Environment) -> None:
    """Tell where the host is when the person may know, and no more than that it is taken else."""
    owner = queries.find_domain(host)
    if owner is None:
        return
    other = db.session.get_one(Environment, owner.environment_id)
    if other.application_id != environment.application_id:
        raise Invalid(
            f"{host} belongs to another site here. If it is yours, remove it there, or ask the "
            "operator.",
            FIELD,
        )
    if owner.trashed_at:
        raise Invalid(f"{host} lies in the trash of {other.name}. Restore it from there.", FIELD)
    raise Invalid(f"{host} is a domain of {other.name} already.", FIELD)


def _make_room(host: str, environment: Environment) -> None:
    """Drop an expired claim of the same host, which begins anew; refuse a second or too many."""
    rows = queries.list_domains(environment.id)
    old = next((row for row in rows if row.host == host), None)
    if old and not queries.has_expired(old):
        raise Invalid(f"{host} is in the list already, and waits to be proved.", FIELD)
    if old:
        db.session.delete(old)
        db.session.flush()
    count = select(func.count()).where(Domain.environment_id == environment.id)
    if (db.session.scalar(count) or 0) > DOMAINS_PER_ENVIRONMENT:
        raise Invalid(f"An environment has at most {DOMAINS_PER_ENVIRONMENT} domains.", FIELD)


def _use_of(domain: Domain) -> str:
    if domain.kind == DomainKind.REDIRECT:
        return f"{domain.kind} ({domain.redirect_by})"
    return str(domain.kind)


def _record(
    action: str,
    domain: Domain,
    actor: User | None,
    before: str | None = None,
    after: str | None = None,
    **details: str,
) -> None:
    environment = db.session.get_one(Environment, domain.environment_id)
    record_on(environment, action, actor, before, after, host=domain.host, **details)
