"""Giving environments their fixed platform host (E4)."""

from __future__ import annotations

from app.domains import queries
from app.domains.models import Domain, DomainKind
from app.environments.models import Environment
from app.errors import Invalid
from app.extensions import db, now


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
