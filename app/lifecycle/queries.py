"""Finding what lies in the trash, what it holds, and what is due to be deleted for good."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app.accounts.models import User
from app.applications.models import Application
from app.deployments.models import Deployment
from app.domains.models import Domain, DomainKind
from app.environments.models import Environment
from app.environments.queries import is_in_use
from app.extensions import db, now
from app.lifecycle.models import TrashEntry
from app.services.models import ServiceInstance, ServiceState
from app.variables.models import Variable


@dataclass(frozen=True)
class Contents:
    """How much an application or environment holds, for whoever is about to lose it."""

    environments: int = 0
    deployments: int = 0
    variables: int = 0
    services: int = 0
    """Databases, buckets and the like, with all that is in them."""
    domains: int = 0
    """Own ones; platform addresses are not counted."""


@dataclass(frozen=True)
class TrashRow:
    """One thing in the trash as the page shows it."""

    entry: TrashEntry
    contents: Contents
    trashed_by: str
    """Empty when that account is gone."""
    final_at: datetime.datetime
    """When it is deleted for good by itself."""

    @property
    def thing(self) -> Application | Environment:
        return self.entry.thing


@dataclass(frozen=True)
class TrashedDomain:
    """A host name in the trash by itself."""

    domain: Domain
    environment: Environment
    trashed_by: str
    final_at: datetime.datetime


@dataclass(frozen=True)
class TrashedService:
    """A database, bucket or the like in the trash by itself."""

    instance: ServiceInstance
    environment: Environment
    trashed_by: str
    final_at: datetime.datetime

    @property
    def is_doomed(self) -> bool:
        """Whether it is being deleted for good already."""
        return self.instance.state == ServiceState.REMOVING


def all_environments(application_id: int) -> Sequence[Environment]:
    """In the order they were made, those in the trash included."""
    return db.session.scalars(
        select(Environment)
        .where(Environment.application_id == application_id)
        .order_by(Environment.id)
    ).all()


def find_entry(uuid: str) -> TrashEntry | None:
    """As it stands in the database now."""
    return db.session.scalar(
        select(TrashEntry).where(TrashEntry.uuid == uuid),
        execution_options={"populate_existing": True},
    )


def find_trashed_domain(application_id: int, uuid: str) -> Domain | None:
    """A host name that is in the trash by itself."""
    return db.session.scalar(
        select(Domain)
        .join(Environment, Environment.id == Domain.environment_id)
        .where(
            Domain.uuid == uuid,
            Domain.trashed_at.is_not(None),
            Environment.application_id == application_id,
            is_in_use(),
        )
    )


def list_trashed_applications(organisation_id: int, keeps_seconds: float) -> list[TrashRow]:
    """Those in the trash of an organisation, newest first, in a fixed number of queries."""
    entries = db.session.scalars(
        select(TrashEntry)
        .join(TrashEntry.application)
        .where(Application.organisation_id == organisation_id)
        .options(joinedload(TrashEntry.application))
        .order_by(Application.trashed_at.desc(), TrashEntry.id.desc())
    ).all()
    contents = count_contents([row.application_id for row in entries if row.application_id])
    return _rows(entries, contents, keeps_seconds)


def list_trashed_environments(where: ColumnElement[bool], keeps_seconds: float) -> list[TrashRow]:
    """Those that are in the trash by themselves, of applications in use, newest first. `where`
    is a condition on `Application`."""
    entries = db.session.scalars(
        select(TrashEntry)
        .join(TrashEntry.environment)
        .join(Environment.application)
        .where(where, Application.trashed_at.is_(None))
        .options(joinedload(TrashEntry.environment).joinedload(Environment.application))
        .order_by(Environment.trashed_at.desc(), TrashEntry.id.desc())
    ).all()
    contents = count_environment_contents(
        [row.environment_id for row in entries if row.environment_id]
    )
    return _rows(entries, contents, keeps_seconds)


def _rows(
    entries: Sequence[TrashEntry], contents: Mapping[int, Contents], keeps_seconds: float
) -> list[TrashRow]:
    names = _names([row.thing.trashed_by_id for row in entries])
    return [
        TrashRow(
            entry=row,
            contents=contents.get(row.thing.id, Contents()),
            trashed_by=names.get(row.thing.trashed_by_id, ""),
            final_at=_final_at(row.thing.trashed_at, keeps_seconds),
        )
        for row in entries
    ]


def list_trashed_domains(where: ColumnElement[bool], keeps_seconds: float) -> list[TrashedDomain]:
    """Host names in the trash by themselves, newest first. `where` is a condition on
    `Application`."""
    found = db.session.execute(
        select(Domain, Environment)
        .join(Environment, Environment.id == Domain.environment_id)
        .join(Environment.application)
        .where(
            where,
            Domain.trashed_at.is_not(None),
            is_in_use(),
        )
        .options(joinedload(Environment.application))
        .order_by(Domain.trashed_at.desc(), Domain.id.desc())
    ).all()
    names = _names([domain.trashed_by_id for domain, _ in found])
    return [
        TrashedDomain(
            domain=domain,
            environment=environment,
            trashed_by=names.get(domain.trashed_by_id, ""),
            final_at=_final_at(domain.trashed_at, keeps_seconds),
        )
        for domain, environment in found
    ]


def list_trashed_services(where: ColumnElement[bool], keeps_seconds: float) -> list[TrashedService]:
    """Services in the trash by themselves, newest first. `where` is a condition on
    `Application`."""
    found = db.session.scalars(
        select(ServiceInstance)
        .join(ServiceInstance.environment)
        .join(Environment.application)
        .where(where, ServiceInstance.trashed_at.is_not(None), is_in_use())
        .options(joinedload(ServiceInstance.environment).joinedload(Environment.application))
        .order_by(ServiceInstance.trashed_at.desc(), ServiceInstance.id.desc())
    ).all()
    names = _names([row.trashed_by_id for row in found])
    return [
        TrashedService(
            instance=row,
            environment=row.environment,
            trashed_by=names.get(row.trashed_by_id, ""),
            final_at=_final_at(row.trashed_at, keeps_seconds),
        )
        for row in found
    ]


def _final_at(trashed_at: datetime.datetime | None, keeps_seconds: float) -> datetime.datetime:
    return (trashed_at or now()) + datetime.timedelta(seconds=keeps_seconds)


def _names(user_ids: Sequence[int | None]) -> Mapping[int | None, str]:
    found = db.session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))
    return {row.id: row.name for row in found}


def count_contents(application_ids: Sequence[int]) -> Mapping[int, Contents]:
    """By application, what all its environments hold together."""
    return _count(Environment.application_id, Environment.application_id.in_(application_ids))


def count_environment_contents(environment_ids: Sequence[int]) -> Mapping[int, Contents]:
    """By environment."""
    return _count(Environment.id, Environment.id.in_(environment_ids))


def _count(key: InstrumentedAttribute[int], where: ColumnElement[bool]) -> Mapping[int, Contents]:
    def count(counted: ColumnElement[int]) -> ColumnElement[int]:
        return func.coalesce(func.sum(counted), 0)

    def of(
        model: type[Deployment | Variable | ServiceInstance | Domain], *more: ColumnElement[bool]
    ) -> ColumnElement[int]:
        condition = and_(model.environment_id == Environment.id, *more)
        return select(func.count()).select_from(model).where(condition).scalar_subquery()

    rows = db.session.execute(
        select(
            key,
            func.count(Environment.id),
            count(of(Deployment)),
            count(of(Variable)),
            count(of(ServiceInstance)),
            count(of(Domain, Domain.kind != DomainKind.PLATFORM)),
        )
        .where(where)
        .group_by(key)
    )
    return {number: Contents(*map(int, counts)) for number, *counts in rows}


def list_due(keeps_seconds: float) -> Select[TrashEntry]:
    """What has been in the trash for so long, and what somebody has begun to delete."""
    before = now() - datetime.timedelta(seconds=keeps_seconds)
    return (
        select(TrashEntry)
        .outerjoin(TrashEntry.application)
        .outerjoin(TrashEntry.environment)
        .where(
            or_(
                TrashEntry.deletion_began_at.is_not(None),
                Application.trashed_at < before,
                Environment.trashed_at < before,
            )
        )
        .order_by(TrashEntry.id)
    )


def list_unmeasured() -> Sequence[TrashEntry]:
    """Those whose size is not known: what was to measure them was lost, or has not begun."""
    return db.session.scalars(select(TrashEntry).where(TrashEntry.measured_at.is_(None))).all()


def list_due_domains(keeps_seconds: float) -> Select[int]:
    """Numbers of host names that have been in the trash for so long."""
    before = now() - datetime.timedelta(seconds=keeps_seconds)
    return select(Domain.id).where(Domain.trashed_at < before)
